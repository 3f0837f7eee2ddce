"""``switchboard erase``: removes what is kept of a person or of a call."""

import re
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import click
import phonenumbers

from deploy.cli.output import Failed, as_option, counted, emit, json_option, print_table, progress, say, yes_option
from deploy.cli.rendering import merged
from deploy.cli.session import Session, with_ledger
from deploy.cli.spool import look
from deploy.cli.suppress import asked_number
from receiver.journal import erase as erase_events
from receiver.spool.file import SpoolError, SpoolFile
from schemas.delacon.call_keys import CALLER
from schemas.delivery import FINAL, State
from schemas.phones.asked_number import AskedNumber
from worker.ledger import admin, queries
from worker.ledger.audit import Action, note
from worker.ledger.records import DeliveryRecord, Incoming, StoredCall
from worker.ledger.redis_files import rewrite_files
from worker.redaction import mask_number

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
        """Return it as JSON values."""
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
    """Return whether a body holds a number (E.164), in whatever form it is written."""
    national = phonenumbers.national_significant_number(phonenumbers.parse(number))
    text = body.decode("utf-8", "replace")
    # A country's code or a trunk prefix may stand before it.
    whole = re.compile(_BETWEEN_DIGITS.join(national) + r"(?!\d)")
    return any(whole.search(form) for form in (text, unquote_plus(text)))


def mentions_call(body: bytes, call_id: str) -> bool:
    """Return whether a body names a call: as its id, or anywhere when the id is long enough to be no accident."""
    text, wanted = body.decode("utf-8", "replace"), re.escape(call_id)
    named = re.search(rf"PLA_Call_Id\W{{1,6}}{wanted}(?![\w])", text)
    anywhere = len(call_id) >= LONG_ID and re.search(rf"(?<!\w){wanted}(?!\w)", text)
    return bool(named or anywhere)


def holdings(session: Session, stored: StoredCall) -> list[Holding]:
    """Return what the vendors have of a call, judged by its deliveries."""
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
    """Return ``yes``, ``maybe`` or empty text."""
    if record.state is State.DELIVERED or record.reason == "saved_unprocessed":
        return "yes"
    if record.state is State.SKIPPED or record.reason in _REFUSED or not record.number:
        return ""
    return "maybe"


BATCH = 50  # calls a round trip
_BODIES = ("quarantined body", "quarantined bodies")
_FILES = {
    "aof": "The append-only file of Redis",
    "rdb": "The snapshot of Redis",
    "spool": "The spool of this machine",
    "journal": "The journal of this machine",
}


@click.command
@click.option("--caller", metavar="NUMBER", help="Everything of this person.")
@click.option("--call", "call_id", metavar="ID", help="This call alone.")
@yes_option
@as_option
@json_option
def erase(*, caller: str | None, call_id: str | None, yes: bool, as_json: bool) -> None:
    """Remove what is kept of a person or of a call.

    Removes calls, dead letters, quarantined bodies and what is remembered of the caller, and cancels what is not sent.
    The ids of the calls stay remembered, so that a late event does not bring one back. Says what the vendors still
    hold. A number on the list of suppressed ones stays there.

    Then Redis writes its append-only file and its snapshot anew, and spool and journal of this machine are cleaned, for
    what was removed stands in them until then. Says what could not be. Backups, replicas and other machines' spools
    and journals are yours.
    """
    if (caller is None) == (call_id is None):
        raise click.UsageError("Give --caller NUMBER or --call ID.")

    def sure(calls: int, bodies: int) -> None:
        if not yes:
            question = f"Erase {counted(calls, 'call')} and {counted(bodies, *_BODIES)} for good?"
            click.confirm(question, abort=True, err=True)

    done = with_ledger(partial(erase_traces, caller=caller, call_id=call_id, sure=sure))
    if as_json:
        emit(done)
    else:
        _print(done)


async def erase_traces(
    session: Session, *, caller: str | None, call_id: str | None, sure: Callable[[int, int], None]
) -> dict[str, Any]:
    """Remove what is kept of a person or of a call; ``sure`` is told how many calls and bodies before any is gone.

    Raises ``Failed`` when there is no such call.
    """
    asked = asked_number(session, caller) if caller is not None else await _caller_of(session, call_id or "")
    theirs, numbers = await calls_of(session, asked) if asked else ([], set[str]())
    ids = theirs if call_id is None else [call_id]
    bodies = [
        body.body_id
        async for body in queries.quarantined(session.ledger)
        if (_mentions(body.body, numbers) if call_id is None else mentions_call(body.body, call_id))
    ]
    known = [call.call_id for call in await session.ledger.load(ids)] if call_id is not None else ids
    if call_id is not None and not known and not bodies:
        raise Failed(f"There is no call {call_id}.")
    sure(len(known), len(bodies))
    which = f"call={call_id}" if call_id is not None else f"caller={mask_number(min(numbers, default=''))}"
    by = session.does("erase", which)
    done = await _erase(session, known, by)
    names = {*await queries.known_destinations(session.ledger), *session.settings.destinations}
    memories = 0
    for number in numbers:
        if not set(theirs) - set(ids):
            memories += await admin.erase_memory(
                session.ledger, number, names, remember_s=session.settings.calls.remember_s
            )
        elif call_id is not None:
            await admin.erase_follow_up(session.ledger, number, call_id, names)
    done["quarantined"] = sum(await admin.forget_bodies(session.ledger, bodies, by=by)) if bodies else 0
    done["memories"] = memories
    if not done["calls"] and not done["quarantined"]:
        await note(session.ledger, by, count=memories)
    done["suppressed"] = not numbers.isdisjoint(await queries.suppressed(session.ledger))
    spooled = look(session.environment.spool_path)
    done |= {"spooled_events": spooled["events"], "spooled_bodies": spooled["bodies"]}
    done["files"] = await _clean_files(session)
    done["files"]["journal"] = _clean_journal(
        session.environment.journal_dir, {*known, *ids}, numbers if call_id is None else ()
    )
    return {"understood": asked.shape() if asked and caller is not None else None, **done}


async def _caller_of(session: Session, call_id: str) -> AskedNumber | None:
    """Return the caller of a call as it was written."""
    stored = await queries.load_one(session.ledger, call_id)
    text = merged(session, stored).call.text(CALLER) if stored else ""
    try:
        asked = AskedNumber.read(text, default_region=session.settings.calls.default_region)
    except ValueError:
        return None
    return None if asked.is_anothers else asked


async def _clean_files(session: Session) -> dict[str, dict[str, str]]:
    """Rewrite the files that still hold what was removed; return the result for each."""
    files = {name: asdict(one) for name, one in (await rewrite_files(session.ledger.redis)).items()}
    return {**files, "spool": _clean_spool(session.environment.spool_path)}


def _clean_spool(path: Path | None) -> dict[str, str]:
    if path is None or not path.exists():
        return {"state": "off", "why": ""}
    try:
        with closing(SpoolFile(path)) as file:
            file.scrub()
    except SpoolError as error:
        return {"state": "not_rewritten", "why": f"{error}; erase again"}
    return {"state": "rewritten", "why": ""}


def _clean_journal(folder: Path | None, call_ids: Collection[str], numbers: Iterable[str]) -> dict[str, str]:
    """Take the events of these calls and of these numbers out of the receiver's journal on this machine."""
    if folder is None or not folder.exists():
        return {"state": "off", "why": ""}

    def is_theirs(item: Incoming) -> bool:
        return item.call_id in call_ids or _mentions(item.record.encode(), numbers)

    try:
        erase_events(folder, is_theirs)
    except OSError as error:
        return {"state": "not_rewritten", "why": f"{folder}: {error.strerror}; erase again"}
    return {"state": "rewritten", "why": ""}


def _mentions(body: bytes, numbers: Iterable[str]) -> bool:
    return any(mentions_number(body, number) for number in numbers)


async def _erase(session: Session, call_ids: list[str], by: Action) -> dict[str, Any]:
    """Erase calls batch by batch; each is gone whole before the next."""
    found: list[Holding] = []
    counts = {"calls": 0, "cancelled": 0, "dead_letters": 0}
    with progress(len(call_ids), "erasing") as advance:
        for start in range(0, len(call_ids), BATCH):
            batch = call_ids[start : start + BATCH]
            for stored in await session.ledger.load(batch):
                records = stored.deliveries.values()
                counts["cancelled"] += sum(one.state not in FINAL and one.state != State.IN_FLIGHT for one in records)
                counts["dead_letters"] += sum(one.state is State.DEAD for one in records) + (stored.state == "no_start")
                found += holdings(session, stored)
            gone = await admin.erase_calls(session.ledger, batch, remember_s=session.settings.calls.remember_s, by=by)
            counts["calls"] += sum(gone)
            advance(len(batch))
    return {**counts, "vendors_hold": [holding.shape() for holding in found]}


def _print(done: dict[str, Any]) -> None:
    click.echo(
        f"{counted(done['calls'], 'call')} erased, with {counted(done['dead_letters'], 'dead letter')}; "
        f"{counted(done['cancelled'], 'delivery', 'deliveries')} cancelled; "
        f"{counted(done['quarantined'], *_BODIES)} and {counted(done['memories'], 'remembered customer')} removed"
    )
    columns = ("destination", "vendor", "call_id", "action", "holds", "remote_id")
    rows = [[holding[name] for name in columns] for holding in done["vendors_hold"]]
    print_table(columns, rows, empty="No vendor holds anything of it that we sent.")
    if done["suppressed"]:
        say("The number stays on the list of suppressed ones; switchboard suppress remove takes it off.")
    if done["spooled_events"] or done["spooled_bodies"]:
        bodies = counted(done["spooled_bodies"], "unreadable body", "unreadable bodies")
        say(f"In this machine's spool: {counted(done['spooled_events'], 'event')}, {bodies}. Drain it and erase again.")
    for name, file in done["files"].items():
        if file["state"] == "not_rewritten":
            say(f"{_FILES[name]} may still hold what was erased: {file['why']}.")
