"""A destination's run: claims as slots come free, takes what planning hands over, and keeps the attempts going."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import structlog
from redis import RedisError

from schemas.delivery import DeliveryKey
from schemas.destination import Destination
from tasks.delivery.backlog_throttle import ALONE, BacklogThrottle
from worker.ledger.ledger import CLAIM_CONFIRM_MS, Ledger
from worker.ledger.records import Claimed, Finish, Room, Slots, Verdict
from worker.ledger.scripts import NotConfirmedError

log = structlog.get_logger(__name__)

CLAIM_LIMIT = ALONE.claimed  # deliveries a claim: one round trip, and few enough that Redis stays responsive
UNCONFIRMED_MS = 2000  # until a claim is tried again that too few replicas had
RECORD_S = 2.0  # for what was cut to be recorded, though Redis is away: 22 s + 2 s are within the 25 s that we promise


class Pump:
    """Delivers what is due at one destination; at most one run at a time in a process.

    ``deliver`` takes claimed deliveries through their attempts, one call each, and says whether the end made another
    delivery due; it must not raise.
    ``throttle`` is shared by the process's pumps.
    ``confirms``: a claim whose replicas do not have it is given back, for to send twice is not harmless.
    ``linger_s``: how long a run that has nothing left stays, so that this process may hand it more.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        ledger: Ledger,
        deliver: Callable[[Claimed], Awaitable[bool]],
        lease_ms: int,
        throttle: BacklogThrottle | None = None,
        confirms: bool = False,
        linger_s: float = 0.0,
    ) -> None:
        self.destination = destination
        self._ledger = ledger
        self._deliver = deliver
        self._lease_ms = lease_ms
        self._margin_s = lease_ms / 1000 - destination.timeout_s
        self._confirms = confirms
        self._confirm_ms = min(CLAIM_CONFIRM_MS, round(self._margin_s * 500)) if confirms else 0
        self._throttle = throttle or BacklogThrottle()
        self._linger_s = linger_s
        self._handed: list[DeliveryKey] = []
        self._under_way: set[asyncio.Task[bool]] = set()
        self._changed = asyncio.Event()
        self._promised = 0
        """Slots kept for a claim or a plan under way, and for what these took and is not begun yet."""
        self._fresh = 0
        """How many of those that are kept or under way came by planning."""
        self._beginning: set[asyncio.Task[None]] = set()
        self._own_run: asyncio.Task[None] | None = None
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
        await self._run_once()

    def wake(self, keys: Sequence[DeliveryKey] = ()) -> None:
        """Do the same beside whoever asks, who does not wait for its end."""
        self._woken = True
        self._take(keys)
        self._ensure_run()

    async def _run_once(self) -> None:
        if self._running:
            return
        self._running = True
        try:
            await self._run()
        finally:
            self._running = False

    @property
    def free(self) -> int:
        """How many slots are neither taken nor promised."""
        return self.destination.concurrency - len(self._under_way) - self._promised - len(self._handed)

    @property
    def slots(self) -> Slots | None:
        """The slots for planning; ``None`` while it may hand nothing over: a rate is kept by claims alone."""
        if self._stopping or self.destination.rate_per_s is not None:
            return None
        return Slots(self.free, self.destination.concurrency)

    def hand(self, keys: Sequence[DeliveryKey], *, start: bool = False) -> bool:
        """Hand keys to a run that has room for them; ``False``: somebody has to be woken for them.

        ``start``: begin a run where there is none.
        """
        if self._stopping or self.free < len(keys) or not (self._running or start):
            return False
        self._take(keys)
        self._ensure_run()
        return True

    def keep(self, want: int) -> Room | None:
        """Keep up to ``want`` slots for what a plan hands over; each room is to be given back by ``adopt``.

        Of deliveries by planning at most half the slots are under way while older ones are due.
        """
        slots = min(want, self.free, self._throttle.pace(self.destination.name).claimed)
        if slots <= 0 or self.slots is None:
            return None
        beside_older = min(slots, max(0, self.destination.concurrency // 2 - self._fresh))
        self._promised += slots
        self._fresh += slots
        return Room(slots, beside_older, self._lease_ms, self._confirms, monotonic() + self._margin_s)

    def adopt(self, room: Room, items: Sequence[Claimed], *, confirmed: bool, beside_older: bool) -> None:
        """Begin what a plan handed over for ``room``, and give the rest of it back."""
        unused = room.slots - len(items)
        self._promised -= unused
        self._fresh -= unused
        if not items:
            self._note_change()
            return
        if not beside_older:
            self._throttle.claimed(self.destination.name, left=0, behind_s=0)
        begin = self._begin(items, until=room.until, fresh=True) if confirmed else self._refuse(items)
        task = asyncio.ensure_future(begin)
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    def _ensure_run(self) -> None:
        """Run without a message, for there is something to claim."""
        if not self._running and (self._own_run is None or self._own_run.done()):
            self._own_run = asyncio.ensure_future(self._run_once())
            self._own_run.add_done_callback(self._tell_fault)

    async def ended(self) -> None:
        """Wait until what runs here without a message has ended: a run of its own, and what planning handed over."""
        while (run := self._own_run) is not None and not run.done():
            await asyncio.wait([run])
        await self._end()

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
            free = self.destination.concurrency - len(self._under_way) - self._promised
            pause_s = self._not_before - clock()
            if self._more and free > 0 and pause_s <= 0:
                self._more = False
                await self._claim(min(free, self._throttle.pace(self.destination.name).claimed))
                continue
            if self._more or self._busy:
                await self._change(within_s=pause_s if self._more and free > 0 else None)
            elif not await self._change(within_s=self._linger_s) and not self._busy:
                return
        await self._end()

    @property
    def _busy(self) -> bool:
        return bool(self._under_way) or self._promised > 0

    async def _change(self, *, within_s: float | None) -> bool:
        """Wait until something has changed; ``False``: nothing did in time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), within_s)
        return self._changed.is_set()

    async def _end(self) -> None:
        """Wait for the attempts under way; once they are cut, not for long."""
        clock = asyncio.get_running_loop().time
        while self._busy:
            if self._cut_until is not None and clock() >= self._cut_until:
                log.warning("delivery.unrecorded", destination=self.destination.name, count=len(self._under_way))
                return
            # Two may wait here, a run and whoever waits for its end: that one of them cleared it says nothing.
            self._changed.clear()
            await self._change(within_s=None if self._cut_until is None else self._cut_until - clock())

    async def _claim(self, want: int) -> None:
        """Claim and start attempts; note whether there is more to claim, and from when the rate allows it."""
        self._promised += want
        taken: Sequence[Claimed] = ()
        until = monotonic() + self._margin_s
        try:
            taken = await self._claim_some(want)
        finally:
            self._promised -= want - len(taken)
        await self._begin(taken, until=until)

    async def _claim_some(self, want: int) -> Sequence[Claimed]:
        keys, self._handed = self._handed, []
        clear_wakeup, self._woken = self._woken, False
        rate = self.destination.rate_per_s
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
            await self._give_back(error.answer.items)
            return ()
        except RedisError as error:
            # What is due stays due: the clock sends the next wake-up when Redis is back.
            log.warning("ledger.unavailable", destination=self.destination.name, error=type(error).__name__)
            return ()
        if claim.items:
            self._throttle.claimed(self.destination.name, left=claim.left, behind_s=claim.behind_ms / 1000)
        if claim.verdict == "limited":
            self._not_before = asyncio.get_running_loop().time() + max(claim.wait_ms, 1) / 1000
        if claim.verdict == "limited" or len(claim.items) >= want or (claim.items and rate is not None):
            self._more = True
        return claim.items

    async def _refuse(self, items: Sequence[Claimed]) -> None:
        """Give back what a plan handed over, and its slots."""
        try:
            await self._give_back(items)
        finally:
            self._promised -= len(items)
            self._fresh -= len(items)
            self._note_change()

    async def _give_back(self, items: Sequence[Claimed]) -> None:
        """Release claims as if they had not been; what cannot be released comes back after its lease."""
        log.warning("ledger.unconfirmed", destination=self.destination.name, count=len(items))
        ends = [
            Finish(
                key=claimed.key, fence=claimed.fence, lease_end_ms=claimed.lease_end_ms,
                verdict=Verdict.UNCLAIM, reason=claimed.reason, effect="skip",
                delay_ms=UNCONFIRMED_MS, history=claimed.history,
            )
            for claimed in items
        ]  # fmt: skip
        with suppress(RedisError):
            await self._ledger.finish(ends)

    async def _begin(self, items: Sequence[Claimed], *, until: float, fresh: bool = False) -> None:
        """Start attempts, a few in each pass of the loop; after ``until`` none, for it could outlive its lease."""
        a_pass = self._throttle.pace(self.destination.name).started
        left = len(items)
        done = self._fresh_done if fresh else self._done
        create_task = asyncio.get_running_loop().create_task
        try:
            for item in items:
                if self._cut_until is not None or monotonic() > until:
                    log.warning("delivery.not_begun", destination=self.destination.name, count=left)
                    return  # as after a kill: tried again after its lease
                task = create_task(self._attempt(item, until))
                self._under_way.add(task)
                self._promised -= 1
                left -= 1
                task.add_done_callback(done)
                if left % a_pass == 0:
                    await self._throttle.step(self.destination.name)
        finally:
            if left:
                self._promised -= left
                self._fresh -= left if fresh else 0
                self._note_change()

    async def _attempt(self, item: Claimed, until: float) -> bool:
        """Deliver, unless the process stood still since the attempt was to begin."""
        if monotonic() > until:
            log.warning("delivery.not_begun", destination=self.destination.name, count=1)
            return False
        return await self._deliver(item)

    def _fresh_done(self, task: asyncio.Task[bool]) -> None:
        self._fresh -= 1
        self._done(task)

    def _done(self, task: asyncio.Task[bool]) -> None:
        self._under_way.discard(task)
        self._tell_fault(task)
        if not task.cancelled() and task.exception() is None and task.result():
            self._more = True
            if not self._stopping:
                self._ensure_run()
        self._note_change()

    def _tell_fault(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("delivery.failed", destination=self.destination.name, exc_info=error)

    def _note_change(self) -> None:
        """Wake the run where there is something for it to do: not for each slot that comes free while nothing waits."""
        if self._more or self._stopping or not self._busy:
            self._changed.set()
