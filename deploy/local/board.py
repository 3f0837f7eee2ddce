"""The board: every sample call at every destination, as the ledger has it and as the stand-ins have it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from schemas.call import Call
from schemas.delacon.events import merge
from schemas.delivery import FINAL, State
from schemas.destination import Destination
from worker.ledger import queries
from worker.ledger.ledger import Ledger
from worker.ledger.overview import DestinationStatus
from worker.ledger.records import DeliveryRecord, StoredCall

NOT_ROUTED = "-"
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One call at one destination."""

    outcome: str
    """Such as ``delivered``, ``skipped: no_caller``, ``withdrawn``, ``retrying``; ``-`` when no route leads there."""
    final: bool
    notes: tuple[str, ...] = ()
    """What the ledger noted beside it, such as a text that was cut."""
    since_ms: int = 0
    """When it got this outcome."""
    record: DeliveryRecord | None = None
    """The delivery that the outcome is of."""


def cell_of(stored: StoredCall, destination: str, *, status: DestinationStatus | None, now_ms: int) -> Cell:
    """Sum up a call's deliveries to a destination; ``status`` tells whether it is held."""
    actions = {action: record for (name, action), record in stored.deliveries.items() if name == destination}
    create = actions.get("create")
    if create is None:
        waits = stored.state in {"waiting", "no_start"} or destination in stored.routes
        return Cell(outcome="waiting" if waits else NOT_ROUTED, final=not waits)
    open_ones = [record for record in actions.values() if record.state not in FINAL]
    if open_ones:
        return Cell(outcome=_under_way(open_ones[0], status, now_ms), final=False, record=open_ones[0])
    dead = [record for record in actions.values() if record.state is State.DEAD]
    cancel = actions.get("cancel")
    telling = dead[0] if dead else cancel or create
    notes = tuple(dict.fromkeys(note for record in actions.values() for note in record.history.notes))
    outcome = _fate(telling)
    return Cell(outcome=outcome, final=True, notes=notes, since_ms=telling.at_ms, record=telling)


def _fate(record: DeliveryRecord) -> str:
    """Return how a delivery ended."""
    if record.state is State.CANCELLED or (record.key.action == "cancel" and record.state is State.DELIVERED):
        return WITHDRAWN
    if record.state is State.DELIVERED:
        return "delivered"
    prefix = "" if record.key.action == "create" else f"{record.key.action} "
    return f"{prefix}{record.state.value}: {record.reason}"


def _under_way(record: DeliveryRecord, status: DestinationStatus | None, now_ms: int) -> str:
    """Return where an unfinished delivery stands."""
    if record.state is State.IN_FLIGHT:
        return "in_flight"
    if status is not None and not status.served:
        why = "paused" if status.paused else status.blocked or "circuit_open"
        return f"held: {why}"
    if record.state is State.RETRYING:
        wait_s = max(record.at_ms - now_ms, 0) / 1000
        return f"retrying: {record.reason}, in {wait_s:.0f} s"
    return record.state.value


def totals(cells: Mapping[tuple[str, str], Cell]) -> dict[str, int]:
    """Count the outcomes, but for those that no route leads to; the most frequent first."""
    counts: dict[str, int] = {}
    for cell in cells.values():
        if cell.outcome != NOT_ROUTED:
            counts[cell.outcome] = counts.get(cell.outcome, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


_LOOK = aiohttp.ClientTimeout(total=5)

Records = Mapping[str, Sequence[Mapping[str, Any]]]


async def records_of(url: str, session: aiohttp.ClientSession) -> Records:
    """Read every record of the stand-ins by vendor; empty when they do not answer, as while they start again."""
    try:
        async with session.get(f"{url}/control/records", timeout=_LOOK) as reply:
            found: Records = await reply.json()
            return found
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return {}


def count_landed(call: Call, destination: Destination, records: Records) -> int:
    """Count the records that a call has at a destination's stand-in: 1 when it landed once.

    Callers are recognised by their digits whatever the form, and a withdrawn lead does not count.
    """
    kept = records.get(destination.vendor, ())
    match destination.vendor:
        case "captorra":
            account = str(destination.options.captorra_id)
            return sum(record["id"] == call.call_id and record["account"] == account for record in kept)
        case "comunik8":
            type_ = destination.options.type
            leads = [record for record in kept if record["account"] == type_ and record["state"] != "cancelled"]
            return sum(_is_caller(call, record["values"].get("mobile")) for record in leads)
        case _:
            return sum(_is_caller(call, record["values"].get("phone")) for record in kept)


def _is_caller(call: Call, number: object) -> bool:
    """Return whether a number in any form is the caller's: its digits without trunk zeros end E.164's."""
    digits = "".join(filter(str.isdigit, str(number))).lstrip("0")
    return bool(digits and call.caller_digits and call.caller_digits.endswith(digits))


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One look at everything; rows and columns in the order of the sample and of the configuration."""

    calls: Mapping[str, Call | None]
    """By id; ``None``: the ledger does not have it yet."""
    destinations: Sequence[str]
    cells: Mapping[tuple[str, str], Cell]
    """By call id and destination."""
    problems: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """What is wrong with final cells, in words."""
    earlier: int = 0
    """How many delivered cells are older than this stack and unknown to its stand-ins."""

    @property
    def settled(self) -> bool:
        """Return whether nothing is under way any more."""
        return all(call is not None for call in self.calls.values()) and all(cell.final for cell in self.cells.values())

    @property
    def landed(self) -> bool:
        """Return whether all has landed that should, and nothing else."""
        return self.settled and not self.problems

    def unfinished(self) -> list[str]:
        """Return where every cell stands that is not final."""
        missing = [f"{call_id}: not in the ledger" for call_id, call in self.calls.items() if call is None]
        return missing + [f"{key[0]} at {key[1]}: {cell.outcome}" for key, cell in self.cells.items() if not cell.final]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values, without what belongs to the caller."""
        calls = [
            {
                "call_id": call_id,
                "result": call.result if call else None,
                "deliveries": [self._cell_as_json(call_id, name) for name in self._routed(call_id)],
            }
            for call_id, call in self.calls.items()
        ]
        return {"landed": self.landed, "counts": totals(self.cells), "calls": calls}

    def _routed(self, call_id: str) -> list[str]:
        return [name for name in self.destinations if self.cells[call_id, name].outcome != NOT_ROUTED]

    def _cell_as_json(self, call_id: str, name: str) -> dict[str, Any]:
        cell = self.cells[call_id, name]
        return {
            "destination": name,
            "outcome": cell.outcome,
            "final": cell.final,
            "attempts": cell.record.number if cell.record else 0,
            "notes": list(cell.notes),
            "problem": self.problems.get((call_id, name), ""),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookout:
    """Looks at the ledger and at the stand-ins.

    ``since_ms`` is when the stack started: what a Redis of the user's own had before may have landed elsewhere.
    """

    ledger: Ledger
    session: aiohttp.ClientSession
    standins_url: str
    destinations: Mapping[str, Destination]
    default_region: str
    call_ids: Sequence[str]
    expected: Mapping[str, Mapping[str, str]]
    since_ms: int

    async def look(self) -> Board:
        """Look once; raises ``redis.RedisError``."""
        overview = await self.ledger.overview(self.destinations)
        status = {one.name: one for one in overview.destinations}
        stored = {call.call_id: call for call in await self.ledger.load(self.call_ids)}
        calls: dict[str, Call | None] = dict.fromkeys(self.call_ids)
        cells = {}
        for call_id in self.call_ids:
            for name in self.destinations:
                cells[call_id, name] = Cell(outcome="waiting", final=False)
                if call_id in stored:
                    found = stored[call_id]
                    calls[call_id] = merge(call_id, found.events, default_region=self.default_region).call
                    cells[call_id, name] = cell_of(found, name, status=status.get(name), now_ms=overview.now_ms)
        problems, earlier = self._problems(calls, cells, await records_of(self.standins_url, self.session))
        return Board(
            calls=calls, destinations=tuple(self.destinations), cells=cells, problems=problems, earlier=earlier
        )

    def _problems(
        self, calls: Mapping[str, Call | None], cells: Mapping[tuple[str, str], Cell], records: Records
    ) -> tuple[dict[tuple[str, str], str], int]:
        """Return what is wrong with final cells, and how many cannot be told because they are older than the stack."""
        problems, earlier = {}, 0
        for (call_id, name), cell in cells.items():
            call = calls[call_id]
            if call is None or not cell.final:
                continue
            expected = self.expected.get(call_id, {}).get(name, NOT_ROUTED)
            if call_id in self.expected and cell.outcome != expected:
                problems[call_id, name] = f"{cell.outcome}, where the sample expects {expected}"
            elif word := _against(cell, count_landed(call, self.destinations[name], records)):
                if cell.since_ms < self.since_ms:
                    earlier += 1
                else:
                    problems[call_id, name] = word
        return problems, earlier


def _against(cell: Cell, landed: int) -> str:
    """Compare the ledger's outcome with the number of records at the stand-in; return what does not match."""
    match cell.outcome:
        case "delivered" if landed == 0:
            return "delivered, but its stand-in has no record of it"
        case "delivered" if landed > 1:
            return f"delivered, but its stand-in has {landed} records of it"
        case outcome if outcome == WITHDRAWN and landed:
            return "withdrawn, but its stand-in still has it"
    return ""


class Arrivals:
    """Looks at the newest calls again and again and returns each outcome once.

    ``since_ms`` is when the stack started; ``known`` are calls that are told of otherwise. Of a flood only the newest
    page is looked at.
    """

    def __init__(self, ledger: Ledger, *, destinations: Iterable[str], since_ms: int, known: Collection[str]) -> None:
        self._ledger = ledger
        self._destinations = list(destinations)
        self._since_ms = since_ms
        self._known = frozenset(known)
        self._told: dict[str, None] = {}

    async def news(self) -> list[str]:
        """Return what was not told yet; raises ``redis.RedisError``."""
        newest: list[str] = []
        async for page in queries.call_ids(self._ledger, since_ms=self._since_ms):
            newest = [call_id for call_id in page if call_id not in self._known]
            break
        overview = await self._ledger.overview(self._destinations)
        status = {one.name: one for one in overview.destinations}
        lines = []
        for stored in reversed(await self._ledger.load(newest)):
            if stored.planned_version < stored.version:
                continue  # nobody has looked at it yet
            if stored.state == "waiting":
                lines.append(f"{stored.call_id}  received, waits for its other event")
            elif stored.state in {"unrouted", "no_start"}:
                lines.append(f"{stored.call_id}  {stored.state}")
            for name in self._destinations:
                cell = cell_of(stored, name, status=status.get(name), now_ms=overview.now_ms)
                if cell.final and cell.outcome != NOT_ROUTED:
                    lines.append(f"{stored.call_id}  {name}  {cell.outcome}")
        fresh = [line for line in lines if line not in self._told]
        self._told = dict.fromkeys([*self._told, *fresh])
        while len(self._told) > 10 * queries.PAGE:
            del self._told[next(iter(self._told))]
        return fresh
