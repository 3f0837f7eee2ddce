"""A destination's run: claims as slots come free, and keeps the attempts going side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog
from redis import RedisError

from schemas.delivery import DeliveryKey
from schemas.destination import Destination
from worker.ledger.claims import Claimed
from worker.ledger.ledger import Ledger

log = structlog.get_logger(__name__)

CLAIM_LIMIT = 64  # deliveries a claim: one round trip, and few enough that Redis stays responsive
STARTS_A_PASS = 8
"""Attempts started in one pass of the loop. A whole claim at once keeps the loop for 20 ms, and whoever else shares it,
a destination with one call to deliver, waits that long at each of its steps."""

RECORD_S = 2.0  # for what was cut to be recorded, though Redis is away: 22 s + 2 s are within the 25 s that we promise


class Pump:
    """Delivers what is due at one destination; at most one run at a time in a process.

    ``deliver`` takes claimed deliveries through their attempts, one call each; it must not raise.
    ``in_lines``: deliveries of one caller stand in line, so the end of one may make the next one due.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        ledger: Ledger,
        deliver: Callable[[Claimed], Awaitable[None]],
        lease_ms: int,
        in_lines: bool = False,
    ) -> None:
        self.destination = destination
        self._ledger = ledger
        self._deliver = deliver
        self._lease_ms = lease_ms
        self._in_lines = in_lines
        self._handed: list[DeliveryKey] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._more = False
        self._woken = False
        self._not_before = 0.0
        self._cut_until: float | None = None
        self._running = False
        self._stopping = False

    async def run(self, keys: Sequence[DeliveryKey] = ()) -> None:
        """Deliver ``keys`` and whatever else is due until nothing is left; a run under way takes the keys over."""
        self._handed = [*self._handed, *keys][-CLAIM_LIMIT:]
        self._more = self._woken = True
        self._changed.set()
        if self._running:
            return
        self._running = True
        try:
            await self._run()
        finally:
            self._running = False

    def stop(self) -> None:
        """Claim nothing more; the run ends when its attempts have."""
        self._stopping = True
        self._changed.set()

    def cut(self) -> None:
        """Cancel the attempts under way; each records that its outcome is unknown.

        The run ends 2 s later at the latest: what could not be recorded is as after a kill, and tried again after its
        lease.
        """
        self._cut_until = asyncio.get_running_loop().time() + RECORD_S
        self._changed.set()
        for task in self._under_way:
            task.cancel()

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        while not self._stopping:
            self._changed.clear()
            free = self.destination.concurrency - len(self._under_way)
            pause_s = self._not_before - clock()
            if self._more and free > 0 and pause_s <= 0:
                self._more = False
                await self._claim(min(free, CLAIM_LIMIT))
                continue
            if not self._more and not self._under_way:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause_s if self._more and free > 0 else None)
        await self._end()

    async def _end(self) -> None:
        """Wait for the attempts under way; once they are cut, not for long."""
        clock = asyncio.get_running_loop().time
        while self._under_way:
            self._changed.clear()
            left_s = None if self._cut_until is None else self._cut_until - clock()
            try:
                await asyncio.wait_for(self._changed.wait(), left_s)
            except TimeoutError:
                log.warning("delivery.unrecorded", destination=self.destination.name, count=len(self._under_way))
                return

    async def _claim(self, want: int) -> None:
        """Claim and start attempts; note whether there is more to claim, and from when the rate allows it."""
        keys, self._handed = self._handed, []
        first, self._woken = self._woken, False
        rate = self.destination.rate_per_s
        try:
            claim = await self._ledger.claim(
                self.destination.name, want=want, lease_ms=self._lease_ms, rate_per_s=rate, keys=keys, first=first
            )
        except RedisError as error:
            # What is due stays due: the clock sends the next wake-up when Redis is back.
            log.warning("ledger.unavailable", destination=self.destination.name, error=type(error).__name__)
            return
        await self._begin(claim.items)
        if claim.verdict == "limited":
            self._not_before = asyncio.get_running_loop().time() + max(claim.wait_ms, 1) / 1000
        if claim.verdict == "limited" or len(claim.items) >= want or (claim.items and rate is not None):
            self._more = True

    async def _begin(self, items: Sequence[Claimed]) -> None:
        for number, item in enumerate(items, 1):
            if self._cut_until is not None:
                return  # as after a kill: tried again after its lease
            task = asyncio.ensure_future(self._deliver(item))
            self._under_way.add(task)
            task.add_done_callback(self._done)
            if number % STARTS_A_PASS == 0:
                await asyncio.sleep(0)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._more = self._more or self._in_lines
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("delivery.failed", destination=self.destination.name, exc_info=error)
