"""The drainer: resets the breaker when Redis is back, and moves what was spooled into the ledger, in order."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from redis.exceptions import TimeoutError as RedisTimeoutError

from receiver.redis_breaker import RedisBreaker, refuses_writes
from receiver.spool.file import Spooled, SpoolError, SpoolStatus
from receiver.spool.spool import Spool
from worker.ledger.records import Accepted, Incoming
from worker.ledger.scripts import NotConfirmedError
from worker.ledger.sender_mark import sender_of

log = structlog.get_logger(__name__)

BATCH = 256
BATCH_CHARS = 1024 * 1024  # some 10 ms of Redis
WRITE_TIMEOUT_S = 5.0
PING_TIMEOUT_S = 1.0
# What the ledger does not take alone, while it takes the others, is set aside and tried again after this long, for as
# long as it takes.
POSTPONE_S = 60.0
UNCONFIRMED_S = 3.0  # what the ledger has, and too few of its replicas, is handed in again after this long


class DrainLedger(Protocol):
    """What draining needs of the ledger; every method raises ``redis.RedisError``."""

    async def ping(self) -> None:
        """Ask Redis for a sign of life."""
        ...

    async def accept(self, items: Sequence[Incoming]) -> list[Accepted]:
        """Store events, one answer an item."""
        ...

    async def quarantine(self, body: bytes, *, reason: str, path_kind: str, received_us: int) -> str:
        """Keep an unusable body."""
        ...


class DrainStopped(Exception):
    """Raised when the ledger does not take any more; what is left stays in the spool."""


@dataclass(slots=True)
class Pace:
    """How many events a batch holds: half as many after one that the ledger did not take in its time.

    It outlives a drain that was stopped, so that the next one goes on from there.
    """

    size: int = BATCH
    late: int | None = None
    """The event that alone was not taken in its time; the second time it is set aside."""

    def goes_on(self, batch: Sequence[Spooled], *, is_late: bool) -> bool:
        """Return whether to try again after a batch that the ledger refused; if not, its only event is at fault."""
        if len(batch) > 1:
            self.size = len(batch) // 2
            return True
        if is_late and self.late != batch[0].seq:
            self.late = batch[0].seq
            return True
        self.size, self.late = BATCH, None
        return False


async def drain(
    spool: Spool,
    *,
    ledger: DrainLedger,
    now_us: Callable[[], int],
    moved: Callable[[Sequence[str]], None] = lambda _: None,
    foreign: Callable[[str, str], None] = lambda _sender, _call_id: None,
    pace: Pace | None = None,
    write_s: float = WRITE_TIMEOUT_S,
) -> int:
    """Move everything that is spooled into the ledger, oldest first; return the number of events moved.

    Hold ``spool.drain_lock()`` meanwhile. A kill between the two writes moves a batch twice, and the ledger knows
    it the second time. ``moved`` gets the call ids of each batch, ``foreign`` the sender and the call of each event
    that its sender does not speak for. An event that does not fit is set aside, and holds up no other.
    Raises ``DrainStopped`` and ``SpoolError``.
    """
    count = 0
    pace = pace or Pace()
    while batch := _fitting(await spool.batch(pace.size, now_us=now_us())):
        try:
            async with asyncio.timeout(write_s):
                outcomes = await ledger.accept([spooled.item for spooled in batch])
        except NotConfirmedError as error:
            moved([one.item.call_id for one, answer in zip(batch, error.answer, strict=True) if answer is Accepted.NEW])
            await _keep(spool, batch, now_us=now_us())
            continue
        except Exception as error:
            is_late = isinstance(error, TimeoutError | RedisTimeoutError)
            if not is_late and refuses_writes(error):
                raise DrainStopped from error
            if pace.goes_on(batch, is_late=is_late):
                if is_late and not await answers(ledger):
                    raise DrainStopped from error
                continue
            await _set_aside(spool, batch, now_us=now_us(), error=error)
            continue
        pace.size = min(BATCH, pace.size + 1)
        pairs = list(zip(batch, outcomes, strict=True))
        done = [spooled.seq for spooled, outcome in pairs if outcome is not Accepted.FAILED]
        for spooled, outcome in pairs:
            if outcome is Accepted.FOREIGN:
                foreign(sender_of(spooled.item.record), spooled.item.call_id)
        moved([spooled.item.call_id for spooled, outcome in pairs if outcome in {Accepted.NEW, Accepted.SAME}])
        await spool.settle(done=done)
        count += len(done)
        if failed := [spooled for spooled, outcome in pairs if outcome is Accepted.FAILED]:
            await _set_aside(spool, failed, now_us=now_us())
    kept = await _drain_bodies(spool, ledger=ledger)
    if count or kept:
        await spool.shrink()
        log.info("spool.drained", events=count, bodies=kept)
    return count


async def _drain_bodies(spool: Spool, *, ledger: DrainLedger) -> int:
    kept = 0
    while bodies := await spool.bodies(BATCH):
        for _, body in bodies:
            await _quarantine(body.body, ledger=ledger, fields=(body.reason, body.path_kind, body.received_us))
        await spool.drop_bodies([seq for seq, _ in bodies])
        kept += len(bodies)
    return kept


def _fitting(batch: Sequence[Spooled]) -> Sequence[Spooled]:
    """Return as many of the first events as Redis writes in one step, at least one."""
    size = 0
    for place, spooled in enumerate(batch):
        size += len(spooled.item.record)
        if place and size > BATCH_CHARS:
            return batch[:place]
    return batch


async def _keep(spool: Spool, events: Sequence[Spooled], *, now_us: int) -> None:
    """Keep events that Redis has and too few replicas have; they are handed in again after the others."""
    until_us = now_us + int(UNCONFIRMED_S * 1e6)
    await spool.settle(done=(), postponed=[spooled.seq for spooled in events], until_us=until_us)


async def _set_aside(spool: Spool, events: Sequence[Spooled], *, now_us: int, error: Exception | None = None) -> None:
    until_us = now_us + int(POSTPONE_S * 1e6)
    await spool.settle(done=(), postponed=[spooled.seq for spooled in events], until_us=until_us)
    log.error("spool.set_aside", events=len(events), error=type(error).__name__ if error else None)


async def answers(ledger: DrainLedger) -> bool:
    """Return whether Redis answers."""
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            await ledger.ping()
    except Exception:  # noqa: BLE001  whatever it was, it is no sign of life
        return False
    return True


async def _quarantine(body: bytes, *, ledger: DrainLedger, fields: tuple[str, str, int]) -> None:
    reason, path_kind, received_us = fields
    try:
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            await ledger.quarantine(body, reason=reason, path_kind=path_kind, received_us=received_us)
    except Exception as error:
        raise DrainStopped from error


class Drainer:
    """Looks after the breaker and the spool for as long as the receiver lives.

    While the breaker is tripped: a PING every ``probe_every_s``; when it is answered, draining is the proof that Redis
    takes writes, and where there is nothing to drain the next group is. ``depth`` is told how many events are spooled.
    """

    def __init__(  # noqa: PLR0913  each is a seam of its own
        self,
        *,
        spool: Spool | None,
        ledger: DrainLedger,
        breaker: RedisBreaker,
        wake: Callable[[Sequence[str]], None],
        depth: Callable[[SpoolStatus], None],
        now_us: Callable[[], int],
        foreign: Callable[[str, str], None] = lambda _sender, _call_id: None,
        probe_every_s: float = 0.5,
        look_every_s: float = 2.0,
    ) -> None:
        self._spool = spool
        self._ledger = ledger
        self._breaker = breaker
        self._wake = wake
        self._depth = depth
        self._now_us = now_us
        self._foreign = foreign
        self._probe_every_s = probe_every_s
        self._look_every_s = look_every_s
        self._pace = Pace()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                await self._turn()
            except (DrainStopped, SpoolError) as error:
                log.warning("spool.stuck", error=type(error.__cause__ or error).__name__)
            except Exception:
                log.exception("drainer.failed")
            if self._breaker.is_closed:
                await self._breaker.wait_tripped(self._look_every_s)
            await asyncio.sleep(self._probe_every_s)

    async def _turn(self) -> None:
        if self._breaker.is_barred or (not self._breaker.is_closed and not await answers(self._ledger)):
            await self._tell_depth()
            return
        if self._spool is not None:
            try:
                status = await self._tell_depth()
                if status is not None and (status.events or status.bodies):
                    await self._drain(self._spool)
            except SpoolError:
                if await answers(self._ledger):
                    self._breaker.reset()  # for there is nothing else
                raise
        self._breaker.reset()

    async def _drain(self, spool: Spool) -> None:
        with spool.drain_lock() as mine:
            if not mine:
                return
            try:
                await drain(
                    spool, ledger=self._ledger, now_us=self._now_us, moved=self._moved, foreign=self._foreign,
                    pace=self._pace,
                )  # fmt: skip
            except DrainStopped as stopped:
                self._breaker.trip(stopped.__cause__ or stopped)
                raise
            finally:
                await self._tell_depth()

    def _moved(self, call_ids: Sequence[str]) -> None:
        # Redis takes writes: new events need not wait for the rest of the spool.
        self._breaker.reset()
        self._wake(call_ids)
        if self._breaker.is_barred:
            raise DrainStopped  # and what is left stays in the spool

    async def _tell_depth(self) -> SpoolStatus | None:
        if self._spool is None:
            return None
        status = await self._spool.status()
        self._depth(status)
        return status
