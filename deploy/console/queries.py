"""The queries behind the pages and the API; each answer is a JSON value."""

from collections.abc import AsyncIterator
from typing import Any

from deploy.cli.audit import audit_line
from deploy.cli.rendering import Causes, Gates, call_line, call_shape, dead_line, delivery_line, in_order
from deploy.cli.session import Session
from deploy.console.access import Visitor
from deploy.console.call_finder import PAGE, CallFinder, CallQuery
from deploy.console.masking import masked_call, masked_line
from worker.ledger import queries
from worker.ledger.audit import audited
from worker.ledger.overview import Overview
from worker.ledger.records import StoredCall

AUDIT_PAGE = 100
AUDIT_LOOKED_AT = 200
"""Newest records of the audit that are searched for a call."""
REFUSALS_LOOKED_AT = 20
MOST_LOOKED_AT = 2_000
"""Dead letters looked at for one page."""


class Queries:
    """Reads for one visitor: only calls of the user's destinations, masked for viewers."""

    def __init__(self, session: Session, visitor: Visitor) -> None:
        self._session = session
        self._visitor = visitor

    async def calls(self, wanted: CallQuery) -> dict[str, Any]:
        """Return a page of calls, the newest first, and where to go on; ``older`` is ``None`` at the end."""
        ledger, gates = self._session.ledger, await Gates.read(self._session)
        region = self._session.settings.calls.default_region
        if wanted.text and (one := await queries.load_one(ledger, wanted.text)):
            return {"calls": [self._line(call_line(one, gates))] if self._sees(one) else [], "older": None}
        finder = CallFinder(ledger, wanted, part=self._visitor.may_act, default_region=region)
        found: list[dict[str, Any]] = []
        async for stored, cursor in finder.calls():
            if self._sees(stored):
                line = call_line(stored, gates)
                if finder.fits(line, stored):
                    found.append(self._line(line))
            if finder.is_over(len(found)):
                return {"calls": found, "older": cursor}
        return {"calls": found, "older": None}

    async def call(self, call_id: str) -> dict[str, Any] | None:
        """Return a call whole; ``None`` when there is none that the visitor may see."""
        stored = await queries.load_one(self._session.ledger, call_id)
        if stored is None or not self._sees(stored):
            return None
        shape = call_shape(stored, await Gates.read(self._session))
        if self._visitor.user.destinations is not None:
            shape["deliveries"] = [d for d in shape["deliveries"] if self._visitor.user.sees(d["destination"])]
        return shape if self._visitor.may_act else masked_call(shape)

    async def story(self, call_id: str) -> tuple[dict[str, Any], dict[str, str], list[dict[str, Any]]] | None:
        """Return a call whole, what was last sent of it by the deliveries' keys, and what operators did with it."""
        shape = await self.call(call_id)
        stored = await queries.load_one(self._session.ledger, call_id) if shape else None
        if shape is None or stored is None:
            return None
        sent = {
            str(record.key): record.history.payload
            for record in stored.deliveries.values()
            if record.history.payload and self._visitor.may_act and self._visitor.user.sees(record.key.destination)
        }
        doings: list[dict[str, Any]] = []
        if self._visitor.user.destinations is None:
            since_ms = min((event.received_us // 1000 for event in stored.listed), default=None)
            records = audited(self._session.ledger, since_ms=since_ms)
            looked_at = 0
            async for record in records:
                looked_at += 1
                if call_id in record.which:
                    doings.append(audit_line(record))
                if looked_at == AUDIT_LOOKED_AT:
                    break
        return shape, sent, doings

    async def destinations(self, overview: Overview | None = None) -> list[dict[str, Any]]:
        """Return every destination that the visitor sees, with its queue and what holds it."""
        if overview is None:
            overview = await self._session.ledger.overview(self._session.settings.destinations)
        in_flight = [record.key.destination for record in await queries.in_flight(self._session.ledger)]
        return [
            {
                "destination": status.name,
                "vendor": self._session.vendor_of(status.name),
                "state": _state_of(status.shut_by, paused=status.paused, blocked=status.blocked),
                "reason": status.shut_by,
                "queued": status.queued,
                "due": status.due,
                "in_flight": in_flight.count(status.name),
                "dead": status.dead,
                "oldest_due_seconds": status.overdue_s,
                "next_probe_ms": int(probe) if (probe := status.gate.get("probe_at", "")).isdigit() else None,
            }
            for status in overview.destinations
            if self._visitor.user.sees(status.name)
        ]

    async def last_refusal(self, name: str) -> dict[str, Any] | None:
        """Return what a vendor said last to a delivery that still waits: the words, the HTTP status, when, which call.

        It looks at the calls that have waited longest; ``None`` when none of them was tried.
        """
        tried = []
        async for ids in queries.calls_with_open_work(self._session.ledger, [name]):
            for stored in await self._session.ledger.load(ids[:REFUSALS_LOOKED_AT]):
                tried += [
                    (attempts[-1], stored.call_id)
                    for (destination, _), record in stored.deliveries.items()
                    if destination == name and (attempts := record.history.attempts)
                ]
            break
        if not tried:
            return None
        attempt, call_id = max(tried, key=lambda one: one[0].at_ms)
        return {"words": attempt.reply, "status": attempt.status, "at_ms": attempt.at_ms, "call_id": call_id}

    async def dead(self, *, most: int = MOST_LOOKED_AT) -> tuple[list[dict[str, Any]], bool]:
        """Return the dead letters in groups of one cause, and whether all were looked at.

        ``letters`` of a group are its newest.
        """
        causes, looked_at = Causes(), 0
        async for line in self.dead_lines():
            looked_at += 1
            if looked_at > most:
                return causes.groups(), False
            group = causes.add(line)
            letters = group.setdefault("letters", [])
            if len(letters) < PAGE:
                letters.append({name: line[name] for name in ("key", "call_id", "died_at")})
        return causes.groups(), True

    async def dead_lines(self, destination: str = "", reason: str = "") -> AsyncIterator[dict[str, Any]]:
        """Return the dead letters, of each destination the newest first."""
        names = [*self._session.settings.destinations, *await queries.known_destinations(self._session.ledger)]
        seen = [name for name in dict.fromkeys(names) if self._visitor.user.sees(name) and destination in {"", name}]
        if self._visitor.user.destinations is None and destination in {"", queries.CALLS}:
            seen.append(queries.CALLS)
        async for letter in queries.dead_letters(self._session.ledger, seen):
            if reason in {"", letter.reason}:
                line = dead_line(letter, self._session)
                yield line if self._visitor.may_act else masked_line(line)

    async def deliveries(self, wanted: CallQuery, *, state: str = "") -> dict[str, Any]:
        """Return the deliveries of the newest calls that are wanted, and where to go on."""
        gates, region = await Gates.read(self._session), self._session.settings.calls.default_region
        finder = CallFinder(self._session.ledger, wanted, part=self._visitor.may_act, default_region=region)
        found: list[dict[str, Any]] = []
        async for stored, cursor in finder.calls():
            if self._sees(stored) and finder.fits(call_line(stored, gates), stored):
                lines = [delivery_line(record, gates) for record in in_order(stored, self._session)]
                found += [
                    line
                    for line in lines
                    if self._visitor.user.sees(line["destination"])
                    and wanted.destination in {"", line["destination"]}
                    and state in {"", line["state"]}
                ]
            if finder.is_over(len(found)):
                return {"deliveries": found, "older": cursor}
        return {"deliveries": found, "older": None}

    async def audit(self, *, who: str = "", until_ms: int | None = None) -> dict[str, Any]:
        """Return what was changed, the newest first, and from when to go on."""
        found: list[dict[str, Any]] = []
        async for record in audited(self._session.ledger, until_ms=until_ms, who=who or None):
            if len(found) == AUDIT_PAGE:
                return {"audit": found, "older_ms": record.at_ms}
            found.append(audit_line(record))
        return {"audit": found, "older_ms": None}

    def _line(self, line: dict[str, Any]) -> dict[str, Any]:
        if self._visitor.user.destinations is not None:
            line["deliveries"] = [d for d in line["deliveries"] if self._visitor.user.sees(d["destination"])]
        return line if self._visitor.may_act else masked_line(line)

    def _sees(self, stored: StoredCall) -> bool:
        """Return whether a call goes to a destination of the visitor's."""
        if self._visitor.user.destinations is None:
            return True
        named = {*stored.routes, *(destination for destination, _ in stored.deliveries)}
        return any(self._visitor.user.sees(name) for name in named)


def _state_of(shut_by: str, *, paused: bool, blocked: str) -> str:
    """Return ``ok``, ``paused``, ``blocked`` or ``circuit open`` (house words)."""
    if paused:
        return "paused"
    if blocked:
        return "blocked"
    return "circuit open" if shut_by else "ok"
