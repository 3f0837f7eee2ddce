"""The JSON shapes in which calls and deliveries are shown, and the state they are shown in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from deploy.cli.output import print_table
from deploy.cli.session import Session
from deploy.cli.values import iso
from schemas.delacon.events import Merged, merge
from schemas.delivery import FINAL, State
from tasks.vendors.registry import VENDORS
from worker.ledger.do_not_call import is_held
from worker.ledger.history import Attempt
from worker.ledger.overview import DestinationStatus
from worker.ledger.queries import DeadLetter
from worker.ledger.records import DeliveryRecord, StoredCall

KINDS = {"s": "start", "e": "end", "p": "end", "c": "start and end", "q": "start and end"}
NO_DESTINATION = "no_destination"
_LONG_NUMBER = re.compile(r"\d{5,}")
_CAUSE_WORDS = 200  # characters of the vendor's words that make a cause
CHANGED_SINCE = "the call has changed since; the vendor takes no updates"


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates that hold deliveries, by destination."""

    session: Session
    statuses: Mapping[str, DestinationStatus]

    @classmethod
    async def read(cls, session: Session) -> "Gates":
        """Read the gates from the ledger."""
        overview = await session.ledger.overview(session.settings.destinations)
        return cls(session, {status.name: status for status in overview.destinations})

    def shut(self, destination: str) -> str:
        """Return why a destination's deliveries are held; empty when they are not."""
        if destination not in self.session.settings.destinations:
            return NO_DESTINATION
        status = self.statuses.get(destination)
        return status.shut_by if status else ""

    def state_of(self, record: DeliveryRecord) -> tuple[str, str]:
        """Return a delivery's state and reason as they are shown: what waits for its destination is ``held``."""
        if record.state in {State.QUEUED, State.RETRYING} and (why := self.shut(record.key.destination)):
            return State.HELD.value, why
        if is_held(record):
            return State.HELD.value, record.reason
        return record.state.value, record.reason


def merged(session: Session, stored: StoredCall) -> Merged:
    """Merge a stored call as the workers do."""
    made = merge(stored.call_id, stored.events, default_region=session.settings.calls.default_region)
    return made if stored.first_call is None else replace(made, call=replace(made.call, first_call=stored.first_call))


def in_order(stored: StoredCall, session: Session) -> list[DeliveryRecord]:
    """Return a call's deliveries in the order of the configuration, each create before what follows it."""
    places = {name: place for place, name in enumerate(session.settings.destinations)}
    return sorted(
        stored.deliveries.values(),
        key=lambda record: (
            places.get(record.key.destination, len(places)), record.key.destination, record.key.action != "create",
            len(record.key.action), record.key.action,
        ),
    )  # fmt: skip


def call_shape(stored: StoredCall, gates: Gates) -> dict[str, Any]:
    """Return a call whole, as contract section 8 has it."""
    whole = merged(gates.session, stored)
    return {
        "call": whole.call.canonical(),
        "state": stored.state,
        "revision": max(stored.arrivals.revision, stored.revision),
        "routes": list(stored.routes),
        "events": [
            {"received_at": iso(event.received_us / 1000), "kind": KINDS[event.kind], "values": dict(event.values)}
            for event in sorted(stored.listed, key=lambda event: event.received_us)
        ],
        "deliveries": [_delivery_of_call(record, gates, stored) for record in in_order(stored, gates.session)],
    }


def call_line(stored: StoredCall, gates: Gates) -> dict[str, Any]:
    """Return a call as one line of a listing."""
    call = merged(gates.session, stored).call
    return {
        "call_id": stored.call_id,
        "state": stored.state,
        "started_at": call.text("started_at"),
        "caller": call.caller,
        "service_name": call.service_name,
        "result": call.result,
        "duration": call.duration,
        "revision": stored.revision or 1,
        "deliveries": [
            {"destination": record.key.destination, "action": record.key.action, "state": gates.state_of(record)[0]}
            for record in in_order(stored, gates.session)
        ],
    }


def delivery_line(record: DeliveryRecord, gates: Gates) -> dict[str, Any]:
    """Return a delivery as one line of a listing; of the three moments the one that applies."""
    state, reason = gates.state_of(record)
    at = iso(record.at_ms)
    return {
        "key": str(record.key),
        "call_id": record.key.call_id,
        "destination": record.key.destination,
        "vendor": gates.session.vendor_of(record.key.destination),
        "action": record.key.action,
        "state": state,
        "reason": reason,
        "attempts": record.number,
        "due_at": at if record.state in {State.QUEUED, State.RETRYING} else None,
        "lease_until": at if record.state is State.IN_FLIGHT else None,
        "ended_at": at if record.state in FINAL else None,
    }


def dead_line(letter: DeadLetter, session: Session) -> dict[str, Any]:
    """Return a dead letter as one line of a listing."""
    return {
        "key": str(letter.key),
        "call_id": letter.key.call_id,
        "destination": letter.key.destination,
        "vendor": session.vendor_of(letter.key.destination),
        "action": letter.key.action,
        "reason": letter.reason,
        "words": letter.words,
        "died_at": iso(letter.died_ms),
        "attempts": letter.record.number if letter.record else 0,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The cause of dead letters: those of one cause are mended, and replayed, together."""

    destination: str
    reason: str
    words: str
    """The vendor's words without what differs from call to call."""

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> "Cause":
        """Return the cause of a dead letter's line."""
        words = _LONG_NUMBER.sub("#", " ".join(line["words"].split())[:_CAUSE_WORDS])
        return cls(destination=line["destination"], reason=line["reason"], words=words)

    @property
    def digest(self) -> str:
        """Return a short name of it, in which nothing that a vendor wrote can be read."""
        text = f"{self.destination}\0{self.reason}\0{self.words}"
        return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()

    def which(self) -> str:
        """Return it as the audit keeps it."""
        words = f" words={self.words}" if self.words else ""
        return f"destination={self.destination} reason={self.reason}{words}"


class Causes:
    """Groups the lines of dead letters by their cause; of each destination the newest must come first."""

    def __init__(self) -> None:
        self._groups: dict[Cause, dict[str, Any]] = {}

    def add(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """Count a line in; return its group."""
        cause = Cause.of(line)
        group = self._groups.setdefault(
            cause,
            {
                "destination": cause.destination, "vendor": line["vendor"], "reason": cause.reason,
                "words": cause.words, "cause": cause.digest, "count": 0, "oldest": line["died_at"],
                "newest": line["died_at"],
                "example": line["key"],
            },
        )  # fmt: skip
        group["count"] += 1
        group["oldest"] = line["died_at"]
        return group

    def groups(self) -> list[dict[str, Any]]:
        """Return the groups, the largest first."""
        return sorted(self._groups.values(), key=lambda group: -int(group["count"]))


def attempt_shape(attempt: Attempt) -> dict[str, Any]:
    """Return one attempt."""
    return {
        "number": attempt.number,
        "time": iso(attempt.at_ms),
        "milliseconds": attempt.elapsed_ms,
        "status": attempt.status,
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "reply": attempt.reply,
    }


def print_attempts(attempts: Sequence[Mapping[str, Any]]) -> None:
    """Print attempts as a table."""
    columns = ("number", "time", "milliseconds", "status", "outcome", "reason", "reply")
    if attempts:
        print_table(columns, [[attempt[name] for name in columns] for attempt in attempts], empty="")


def _cause(record: DeliveryRecord, stored: StoredCall) -> list[str]:
    """Name the answered call because of which a lead was cancelled or withdrawn."""
    by = stored.answered_by.get(record.key.destination)
    named = record.key.action == "cancel" or record.state is State.CANCELLED
    return [f"the caller got through in call {by}"] if by and named else []


def _delivery_of_call(record: DeliveryRecord, gates: Gates, stored: StoredCall) -> dict[str, Any]:
    state, reason = gates.state_of(record)
    vendor = VENDORS.get(gates.session.vendor_of(record.key.destination) or "")
    outdated = record.state is State.DELIVERED and 0 < record.history.sent_version < stored.version
    notes = [*_cause(record, stored), *record.history.notes]
    if outdated and vendor and not vendor.updates:
        notes.append(CHANGED_SINCE)
    return {
        "destination": record.key.destination,
        "vendor": gates.session.vendor_of(record.key.destination),
        "action": record.key.action,
        "state": state,
        "reason": reason,
        "notes": notes,
        "attempts": [attempt_shape(attempt) for attempt in record.history.attempts],
    }
