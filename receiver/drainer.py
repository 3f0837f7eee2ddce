"""The drainer: opens the gate again when Redis is back, and moves what was spooled into the ledger, in order."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from receiver.gate import Gate, refuses_writes
from receiver.spool import Spool
from receiver.spool_file import SpoolError, SpoolStatus
from worker.ledger.records import Accepted, Incoming
from worker.ledger.sender_mark import sender_of

log = structlog.get_logger(__name__)

BATCH = 256
WRITE_TIMEOUT_S = 5.0
PING_TIMEOUT_S = 1.0
# What the ledger refuses alone, while it takes the others, is tried again after this long, for as long as it takes.
POSTPONE_S = 60.0


class Ledger(Protocol):
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


async def drain(
    spool: Spool,
    *,
    ledger: Ledger,
    now_us: Callable[[], int],
    moved: Callable[[Sequence[str]], None] = lambda _: None,
    foreign: Callable[[str, str], None] = lambda _sender, _call_id: None,
) -> int:
    """Move everything that is spooled into the ledger, oldest first; give the number of events moved.

    Hold ``spool.drain_lock()`` meanwhile. A kill between the two writes moves a batch twice, and the ledger knows
    it the second time. ``moved`` gets the call ids of each batch, ``foreign`` the sender and the call of each event
    that its sender does not speak for. Raises ``DrainStopped`` and ``SpoolError``.
    """
    count = 0
    while batch := await spool.batch(BATCH, now_us=now_us()):
        outcomes = await _accept([spooled.item for spooled in batch], ledger=ledger)
        pairs = list(zip(batch, outcomes, strict=True))
        done = [spooled.seq for spooled, outcome in pairs if outcome is not Accepted.FAILED]
        postponed = [spooled.seq for spooled, outcome in pairs if outcome is Accepted.FAILED]
        until_us = now_us() + int(POSTPONE_S * 1e6)
        for spooled, outcome in pairs:
            if outcome is Accepted.FOREIGN:
                foreign(sender_of(spooled.item.record), spooled.item.call_id)
        moved([spooled.item.call_id for spooled, outcome in pairs if outcome in {Accepted.NEW, Accepted.SAME}])
        await spool.settle(done=done, postponed=postponed, until_us=until_us)
        count += len(done)
        if postponed:
            log.error("spool.postponed", events=len(postponed))
    while bodies := await spool.bodies(BATCH):
        for _, body in bodies:
            await _quarantine(body.body, ledger=ledger, fields=(body.reason, body.path_kind, body.received_us))
        await spool.drop_bodies([seq for seq, _ in bodies])
    if count:
        await spool.shrink()
        log.info("spool.drained", events=count)
    return count


async def _accept(items: Sequence[Incoming], *, ledger: Ledger) -> list[Accepted]:
    """Accept a batch; when Redis takes writes but not this one, one by one, so that an item holds up no other."""
    try:
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            return await ledger.accept(items)
    except Exception as error:
        if refuses_writes(error):
            raise DrainStopped from error
        if len(items) == 1:
            return [Accepted.FAILED]
    return [outcome for item in items for outcome in await _accept([item], ledger=ledger)]


async def _quarantine(body: bytes, *, ledger: Ledger, fields: tuple[str, str, int]) -> None:
    reason, path_kind, received_us = fields
    try:
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            await ledger.quarantine(body, reason=reason, path_kind=path_kind, received_us=received_us)
    except Exception as error:
        raise DrainStopped from error


class Drainer:
    """Looks after the gate and the spool for as long as the receiver lives.

    While the gate is shut: a PING every ``probe_every_s``; when it is answered, draining is the proof that Redis
    takes writes, and where there is nothing to drain the next group is. ``depth`` is told how many events are spooled.
    """

    def __init__(  # noqa: PLR0913  each is a seam of its own
        self,
        *,
        spool: Spool | None,
        ledger: Ledger,
        gate: Gate,
        wake: Callable[[Sequence[str]], None],
        depth: Callable[[SpoolStatus], None],
        now_us: Callable[[], int],
        foreign: Callable[[str, str], None] = lambda _sender, _call_id: None,
        probe_every_s: float = 0.5,
        look_every_s: float = 2.0,
    ) -> None:
        self._spool = spool
        self._ledger = ledger
        self._gate = gate
        self._wake = wake
        self._depth = depth
        self._now_us = now_us
        self._foreign = foreign
        self._probe_every_s = probe_every_s
        self._look_every_s = look_every_s

    async def run(self) -> None:
        """Look after both until cancelled."""
        while True:
            try:
                await self._turn()
            except (DrainStopped, SpoolError) as error:
                log.warning("spool.stuck", error=type(error.__cause__ or error).__name__)
            except Exception:
                log.exception("drainer.failed")
            if self._gate.is_open:
                await self._gate.wait_shut(self._look_every_s)
            await asyncio.sleep(self._probe_every_s)

    async def _turn(self) -> None:
        if not self._gate.is_open and not await self._answers():
            await self._tell_depth()
            return
        if self._spool is not None:
            try:
                status = await self._tell_depth()
                if status is not None and (status.events or status.bodies):
                    await self._drain(self._spool)
            except SpoolError:
                if await self._answers():
                    self._gate.open()  # for there is nothing else
                raise
        self._gate.open()

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                await self._ledger.ping()
        except Exception:  # noqa: BLE001  whatever it was, it is no sign of life
            return False
        return True

    async def _drain(self, spool: Spool) -> None:
        with spool.drain_lock() as mine:
            if not mine:
                return
            try:
                await drain(spool, ledger=self._ledger, now_us=self._now_us, moved=self._moved, foreign=self._foreign)
            except DrainStopped as stopped:
                self._gate.shut(stopped.__cause__ or stopped)
                raise
            finally:
                await self._tell_depth()

    def _moved(self, call_ids: Sequence[str]) -> None:
        # Redis takes writes: new events need not wait for the rest of the spool.
        self._gate.open()
        self._wake(call_ids)

    async def _tell_depth(self) -> SpoolStatus | None:
        if self._spool is None:
            return None
        status = await self._spool.status()
        self._depth(status)
        return status
