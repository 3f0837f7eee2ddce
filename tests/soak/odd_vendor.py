"""The bench's vendor stand-in, which answers the first request of each hundredth call by a row of the table of replies.

``python -m tests.soak.odd_vendor`` prints the port that it listens on. ``GET /control`` gives ``asked``: how often each
vendor was asked for each call, by ``VENDOR NUMBER``, but for those that it was asked for once, which are only counted.
"""

import asyncio
from collections import Counter
from typing import Any

import uvloop

from tests.bench.vendor import NUMBER, Connection, Vendors, name_of, serve
from tests.worker.http.reply_rows import Row
from tests.worker.http.reply_table import ROWS

EVERY = 100
OF_THE_DESTINATION = "held"
"""What would hold back a whole destination is no outcome of one call."""

PLAYED = [row for row in ROWS if not row.outcome.startswith(OF_THE_DESTINATION)]


def row_of(number: int) -> Row | None:
    """Return the row that call ``number`` meets first; ``None``: it meets the ordinary answer."""
    turn, place = divmod(number, EVERY)
    return PLAYED[turn % len(PLAYED)] if place == EVERY // 2 else None


class OddVendors(Vendors):
    """What came, by vendor and call."""

    def reset(self, orders: dict[str, Any]) -> None:
        """Forget what came and take new orders."""
        super().reset(orders)
        self.asked: Counter[tuple[bytes, int]] = Counter()

    def report(self) -> dict[str, Any]:
        """Add how often each vendor was asked for each call, where that is not once."""
        more = {f"{name.decode()} {number}": times for (name, number), times in self.asked.items() if times != 1}
        return super().report() | {"deliveries": len(self.asked), "asked": more}


class OddConnection(Connection):
    """One client, some of whose requests meet an odd reply."""

    def __init__(self, vendors: OddVendors) -> None:
        super().__init__(vendors)
        self._odd = vendors
        self._playing: asyncio.Task[None] | None = None

    def take(self, request: bytes, body_at: int) -> None:
        """Answer by the row of a call that is asked for the first time, else as ever."""
        found = NUMBER.search(request, body_at)
        if found:
            key = (name_of(request), int(found[1]))
            self._odd.asked[key] += 1
            row = row_of(key[1])
            if row is not None and self._odd.asked[key] == 1:
                self._playing = asyncio.ensure_future(self._play(row))
                return
        super().take(request, body_at)

    async def _play(self, row: Row) -> None:
        """Write the pieces a moment apart; what is stray comes with the last one, before the next request can."""
        *first, last = row.pieces
        for piece in (*first, last + row.stray):
            if self.transport.is_closing():
                return
            self.transport.write(piece)
            await asyncio.sleep(0)
        if row.closes:
            self.transport.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        everything = OddVendors()
        runner.run(serve(lambda: OddConnection(everything)))
