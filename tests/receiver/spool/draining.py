"""A drainer at work."""

import asyncio
from contextlib import asynccontextmanager

from receiver.spool.drainer import Drainer
from worker.ledger.records import Incoming


def event(n: int) -> Incoming:
    """Make an event whose receipt is its number."""
    return Incoming(str(n), n, f"s{n}")


@asynccontextmanager
async def looking_after(ledger, breaker, spool, *, woken=None, depths=None):
    """Run a drainer that looks often."""
    drainer = Drainer(
        spool=spool, ledger=ledger, breaker=breaker, wake=(woken if woken is not None else []).extend,
        depth=(depths if depths is not None else []).append, now_us=lambda: 0, probe_every_s=0.01, look_every_s=0.05,
    )  # fmt: skip
    task = asyncio.create_task(drainer.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
