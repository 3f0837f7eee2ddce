"""Tells of calls that come in while the stack stays up: what was received, and what became of it."""

from collections.abc import Collection, Iterable

from deploy.local.landing import NOT_ROUTED, cell_of
from worker.ledger import queries
from worker.ledger.ledger import Ledger


class Arrivals:
    """Looks at the newest calls again and again and tells each fate once.

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
        """Give what was not told yet; raises ``redis.RedisError``."""
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
