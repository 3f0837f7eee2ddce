"""A destination's run: claims as slots come free, and keeps the attempts going side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic

import structlog
from redis import RedisError

from schemas.delivery import DeliveryKey
from schemas.destination import Destination
from tasks.delivery.backlog_throttle import ALONE, BacklogThrottle
from worker.ledger.ledger import CLAIM_CONFIRM_MS, Ledger
from worker.ledger.records import Claim, Claimed, Finish, Verdict
from worker.ledger.scripts import NotConfirmedError

log = structlog.get_logger(__name__)

CLAIM_LIMIT = ALONE.claimed  # deliveries a claim: one round trip, and few enough that Redis stays responsive
UNCONFIRMED_MS = 2000  # until a claim is tried again that too few replicas had
RECORD_S = 2.0  # for what was cut to be recorded, though Redis is away: 22 s + 2 s are within the 25 s that we promise


class Pump:
    """Delivers what is due at one destination; at most one run at a time in a process.

    ``deliver`` takes claimed deliveries through their attempts, one call each; it must not raise.
    ``throttle`` is shared by the process's pumps.
    ``serialize_by_caller``: deliveries of one caller run one at a time, so the end of one may make the next one due.
    ``confirms``: a claim whose replicas do not have it is given back, for to send twice is not harmless.
    ``linger_s``: how long a run that has nothing left stays, so that this process may hand it more.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        ledger: Ledger,
        deliver: Callable[[Claimed], Awaitable[None]],
        lease_ms: int,
        throttle: BacklogThrottle | None = None,
        serialize_by_caller: bool = False,
        confirms: bool = False,
        linger_s: float = 0.0,
    ) -> None:
        self.destination = destination
        self._ledger = ledger
        self._deliver = deliver
        self._lease_ms = lease_ms
        self._margin_s = lease_ms / 1000 - destination.timeout_s
        self._confirm_ms = min(CLAIM_CONFIRM_MS, round(self._margin_s * 500)) if confirms else 0
        self._throttle = throttle or BacklogThrottle()
        self._serialize_by_caller = serialize_by_caller
        self._linger_s = linger_s
        self._handed: list[DeliveryKey] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._claiming = 0
        self._more = False
        self._woken = False
        self._not_before = 0.0
        self._cut_until: float | None = None
        self._running = False
        self._stopping = False

    async def run(self, keys: Sequence[DeliveryKey] = ()) -> None:
        """Deliver ``keys`` and whatever else is due until nothing is left; a run under way takes the keys over."""
        self._woken = True
        self._take(keys)
        if self._running:
            return
        self._running = True
        try:
            await self._run()
        finally:
            self._running = False
            self._claiming = 0

    def hand(self, keys: Sequence[DeliveryKey]) -> bool:
        """Hand keys to a run under way that has room for them; ``False``: somebody has to be woken for them."""
        room = self.destination.concurrency - len(self._under_way) - len(self._handed) - self._claiming
        if not self._running or self._stopping or room < len(keys):
            return False
        self._take(keys)
        return True

    def stop(self) -> None:
        """Claim nothing more; the run ends when its attempts have."""
        self._stopping = True
        self._changed.set()

    def resume(self) -> None:
        """Claim again, from the next run on."""
        self._stopping = False

    def cut(self) -> None:
        """Cancel the attempts under way; each records that its outcome is unknown.

        The run ends 2 s later at the latest: what could not be recorded is as after a kill, and tried again after its
        lease.
        """
        self._cut_until = asyncio.get_running_loop().time() + RECORD_S
        self._changed.set()
        for task in self._under_way:
            task.cancel()

    def _take(self, keys: Sequence[DeliveryKey]) -> None:
        self._handed = [*self._handed, *keys][-CLAIM_LIMIT:]
        self._more = True
        self._changed.set()

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        while not self._stopping:
            self._changed.clear()
            free = self.destination.concurrency - len(self._under_way)
            pause_s = self._not_before - clock()
            if self._more and free > 0 and pause_s <= 0:
                self._more = False
                self._claiming = min(free, self._throttle.pace(self.destination.name).claimed)
                await self._claim(self._claiming)
                self._claiming = 0
                continue
            if self._more or self._under_way:
                await self._change(within_s=pause_s if self._more and free > 0 else None)
            elif not await self._change(within_s=self._linger_s):
                return
        await self._end()

    async def _change(self, *, within_s: float | None) -> bool:
        """Wait until something has changed; ``False``: nothing did in time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), within_s)
        return self._changed.is_set()

    async def _end(self) -> None:
        """Wait for the attempts under way; once they are cut, not for long."""
        clock = asyncio.get_running_loop().time
        while self._under_way:
            self._changed.clear()
            if not await self._change(within_s=None if self._cut_until is None else self._cut_until - clock()):
                log.warning("delivery.unrecorded", destination=self.destination.name, count=len(self._under_way))
                return

    async def _claim(self, want: int) -> None:
        """Claim and start attempts; note whether there is more to claim, and from when the rate allows it."""
        keys, self._handed = self._handed, []
        clear_wakeup, self._woken = self._woken, False
        rate = self.destination.rate_per_s
        until = monotonic() + self._margin_s
        try:
            claim = await self._ledger.claim(
                self.destination.name,
                want=want,
                lease_ms=self._lease_ms,
                rate_per_s=rate,
                keys=keys,
                clear_wakeup=clear_wakeup,
                confirm_ms=self._confirm_ms,
            )
        except NotConfirmedError as error:
            await self._give_back(error.answer)
            return
        except RedisError as error:
            # What is due stays due: the clock sends the next wake-up when Redis is back.
            log.warning("ledger.unavailable", destination=self.destination.name, error=type(error).__name__)
            return
        if claim.items:
            self._throttle.claimed(self.destination.name, left=claim.left, behind_s=claim.behind_ms / 1000)
        await self._begin(claim.items, until=until)
        if claim.verdict == "limited":
            self._not_before = asyncio.get_running_loop().time() + max(claim.wait_ms, 1) / 1000
        if claim.verdict == "limited" or len(claim.items) >= want or (claim.items and rate is not None):
            self._more = True

    async def _give_back(self, claim: Claim) -> None:
        """Release claims as if they had not been; what cannot be released comes back after its lease."""
        log.warning("ledger.unconfirmed", destination=self.destination.name, count=len(claim.items))
        ends = [
            Finish(
                key=claimed.key, fence=claimed.fence, verdict=Verdict.UNCLAIM, reason=claimed.reason, effect="skip",
                delay_ms=UNCONFIRMED_MS, history=claimed.history,
            )
            for claimed in claim.items
        ]  # fmt: skip
        with suppress(RedisError):
            await self._ledger.finish(ends)

    async def _begin(self, items: Sequence[Claimed], *, until: float) -> None:
        """Start attempts, a few in each pass of the loop; after ``until`` none, for it could outlive its lease."""
        self._claiming = len(items)
        a_pass = self._throttle.pace(self.destination.name).started
        for item in items:
            if self._cut_until is not None or monotonic() > until:
                log.warning("delivery.not_begun", destination=self.destination.name, count=self._claiming)
                return  # as after a kill: tried again after its lease
            task = asyncio.ensure_future(self._deliver(item))
            self._under_way.add(task)
            self._claiming -= 1
            task.add_done_callback(self._done)
            if self._claiming % a_pass == 0:
                await self._throttle.step(self.destination.name)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._more = self._more or self._serialize_by_caller
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("delivery.failed", destination=self.destination.name, exc_info=error)
