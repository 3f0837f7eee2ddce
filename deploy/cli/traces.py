"""Where a person or a call has left traces: calls, quarantined bodies, and what vendors hold."""

import re
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote_plus

import phonenumbers

from deploy.cli.output import progress
from deploy.cli.session import Session
from schemas.delacon.call_keys import CALLER
from schemas.delivery import State
from schemas.phones.asked_number import AskedNumber
from worker.ledger import queries
from worker.ledger.records import DeliveryRecord, StoredCall

LONG_ID = 6  # characters; a shorter call id may be part of anything
_BETWEEN_DIGITS = r"[\s().\-/]*"
_REFUSED = frozenset({"rejected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a vendor has, or may have, of a call."""

    destination: str
    vendor: str | None
    call_id: str
    action: str
    holds: str
    """``yes``, ``withdrawn`` or ``maybe``: no answer of the vendor tells."""
    remote_id: str

    def shape(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return asdict(self)


def forms_in(stored: StoredCall, asked: AskedNumber) -> set[str]:
    """Return the E.164 forms of a number that is the caller in an event of a call; none when it is in no event."""
    texts = {event.values.get(CALLER, "") for event in stored.events}
    return {form for text in texts if text for form in asked.found_in(text)}


async def calls_of(session: Session, asked: AskedNumber) -> tuple[list[str], set[str]]:
    """Return the ids of all calls in whose events a number is the caller, and its E.164 forms; looks at every call."""
    total = (await session.ledger.overview()).calls
    found: list[str] = []
    forms = set(asked.numbers)
    with progress(total, "looking") as advance:
        async for page in queries.call_ids(session.ledger):
            for stored in await session.ledger.load(page):
                if theirs := forms_in(stored, asked):
                    forms |= theirs
                    found.append(stored.call_id)
            advance(len(page))
    return found, forms


def mentions_number(body: bytes, number: str) -> bool:
    """Say whether a body holds a number (E.164), in whatever form it is written."""
    national = phonenumbers.national_significant_number(phonenumbers.parse(number))
    text = body.decode("utf-8", "replace")
    # A country's code or a trunk prefix may stand before it.
    whole = re.compile(_BETWEEN_DIGITS.join(national) + r"(?!\d)")
    return any(whole.search(form) for form in (text, unquote_plus(text)))


def mentions_call(body: bytes, call_id: str) -> bool:
    """Say whether a body names a call: as its id, or anywhere when the id is long enough to be no accident."""
    text, wanted = body.decode("utf-8", "replace"), re.escape(call_id)
    named = re.search(rf"PLA_Call_Id\W{{1,6}}{wanted}(?![\w])", text)
    anywhere = len(call_id) >= LONG_ID and re.search(rf"(?<!\w){wanted}(?!\w)", text)
    return bool(named or anywhere)


def holdings(session: Session, stored: StoredCall) -> list[Holding]:
    """Say what the vendors have of a call, by what its deliveries came to."""
    found = []
    for record in stored.deliveries.values():
        if record.key.action == "cancel" or not (holds := _holds(record)):
            continue
        cancel = stored.deliveries.get((record.key.destination, "cancel"))
        if holds == "yes" and cancel is not None and cancel.state is State.DELIVERED:
            holds = "withdrawn"
        notes = (note.removeprefix("remote id ") for note in record.history.notes if note.startswith("remote id "))
        found.append(
            Holding(
                destination=record.key.destination,
                vendor=session.vendor_of(record.key.destination),
                call_id=stored.call_id,
                action=record.key.action,
                holds=holds,
                remote_id=next(notes, ""),
            )
        )
    return found


def _holds(record: DeliveryRecord) -> str:
    """Say ``yes``, ``maybe`` or nothing."""
    if record.state is State.DELIVERED or record.reason == "saved_unprocessed":
        return "yes"
    if record.state is State.SKIPPED or record.reason in _REFUSED or not record.number:
        return ""
    return "maybe"
