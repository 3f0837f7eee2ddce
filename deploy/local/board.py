"""The board: every sample call at every destination, as the ledger has it and as the stand-ins have it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from deploy.local.landing import NOT_ROUTED, WITHDRAWN, Cell, cell_of, totals
from deploy.local.witness import Records, count_landed, records_of
from schemas.call import Call
from schemas.delacon.events import merge
from schemas.destination import Destination
from worker.ledger.ledger import Ledger


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
        """Say whether nothing is under way any more."""
        return all(call is not None for call in self.calls.values()) and all(cell.final for cell in self.cells.values())

    @property
    def landed(self) -> bool:
        """Say whether all has landed that should, and nothing else."""
        return self.settled and not self.problems

    def unfinished(self) -> list[str]:
        """Say of every cell that is not final where it stands."""
        missing = [f"{call_id}: not in the ledger" for call_id, call in self.calls.items() if call is None]
        return missing + [f"{key[0]} at {key[1]}: {cell.outcome}" for key, cell in self.cells.items() if not cell.final]

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON values, without what belongs to the caller."""
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
        """Give what is wrong with final cells, and how many cannot be told because they are older than the stack."""
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
    """Set the ledger's word against the number of records at the stand-in; gives what does not fit."""
    match cell.outcome:
        case "delivered" if landed == 0:
            return "delivered, but its stand-in has no record of it"
        case "delivered" if landed > 1:
            return f"delivered, but its stand-in has {landed} records of it"
        case outcome if outcome == WITHDRAWN and landed:
            return "withdrawn, but its stand-in still has it"
    return ""
