"""The inbox: collects events while a write is under way and stores them as one group."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

import structlog

from receiver.redis_breaker import RedisBreaker
from worker.ledger.records import Accepted, Incoming
from worker.ledger.scripts import NotConfirmedError

log = structlog.get_logger(__name__)

# The answer is due 2 s after the request whatever Redis does (issue 3): a write gets 1.2 s, and an event that waited
# for the write before its own gets what is left of 1.5 s, which leaves half a second for the spool's disk.
WRITE_BUDGET_S = 1.2
REDIS_BUDGET_S = 1.5
LEAST_BUDGET_S = 0.2
ANSWER_BUDGET_S = 1.9
MAX_GROUP_CHARS = 512 * 1024  # some 5 ms of Redis, whatever a sender posts


class EventOutcome(Enum):
    """What the inbox did with an event."""

    STORED = "stored"
    SAME = "same"
    REMEMBERED = "remembered"
    SPOOLED = "spooled"
    QUARANTINED = "quarantined"
    """Its call has no room for it; it is kept for a human to look at."""
    KEPT = "kept"
    """In a spool whose disk dies with the process: it is delivered later, but not acknowledged."""
    FOREIGN = "foreign"
    """In quarantine: its sender does not speak for the call."""
    REFUSED = "refused"
    """Nowhere: the sender must try again."""


class EventLedger(Protocol):
    """What the inbox needs of the ledger."""

    async def accept(self, items: Sequence[Incoming]) -> list[Accepted]:
        """Store events, one answer an item; raises ``redis.RedisError``, as ``NotConfirmedError`` when it has them."""
        ...


class EventSpool(Protocol):
    """What the inbox needs of the spool."""

    @property
    def volatile(self) -> bool:
        """Return whether its disk dies with the process, so that what stands only there must not be acknowledged."""
        ...

    async def put(self, items: Sequence[Incoming]) -> None:
        """Store events durably; raises ``SpoolError`` when none of them is."""
        ...


class InboxFull(Exception):
    """Raised when the inbox holds as many events as memory allows, or is closed."""


@dataclass(slots=True)
class _Waiting:
    item: Incoming
    since: float
    answer: asyncio.Future[EventOutcome] = field(repr=False)


_OUTCOMES = {
    Accepted.NEW: EventOutcome.STORED,
    Accepted.WAITS: EventOutcome.STORED,
    Accepted.SAME: EventOutcome.SAME,
    Accepted.REMEMBERED: EventOutcome.REMEMBERED,
    Accepted.QUARANTINED: EventOutcome.QUARANTINED,
    Accepted.FOREIGN: EventOutcome.FOREIGN,
}


class Inbox:
    """Group commit before the answer.

    ``spool``: where a group goes that Redis does not take; without one its events are refused.
    ``wake`` is told the ids of calls that are to be looked at, after the answers; it must neither block nor raise.
    ``journal`` is handed every event that was acknowledged as new, or kept; it must neither block nor raise.
    ``now_us`` is the wall clock in microseconds.
    """

    def __init__(  # noqa: PLR0913  collaborators and bounds, by keyword
        self,
        *,
        ledger: EventLedger,
        spool: EventSpool | None,
        breaker: RedisBreaker,
        wake: Callable[[Sequence[str]], None],
        now_us: Callable[[], int],
        journal: Callable[[Sequence[Incoming]], None] = lambda _: None,
        max_group: int = 512,
        max_waiting: int = 4096,
        max_waiting_chars: int = 32 * 1024 * 1024,
    ) -> None:
        self._ledger = ledger
        self._spool = spool
        self._breaker = breaker
        self._wake = wake
        self._now_us = now_us
        self._journal = journal
        self._max_group = max_group
        self._max_waiting = max_waiting
        self._room = max_waiting_chars
        self._last_us = 0
        self._waiting: list[_Waiting] = []
        self._nudge: asyncio.Future[None] | None = None
        self._closed = False

    def receipt_us(self) -> int:
        """Return the time of a receipt: the wall clock, but never twice the same and never backwards."""
        self._last_us = max(self._last_us + 1, self._now_us())
        return self._last_us

    def put(self, call_id: str, record: str) -> asyncio.Future[EventOutcome]:
        """Hand in an event; the future tells what became of it. Raises ``InboxFull``."""
        if self._closed or len(self._waiting) >= self._max_waiting or self._room < len(record):
            raise InboxFull
        loop = asyncio.get_running_loop()
        waiting = _Waiting(Incoming(call_id, self.receipt_us(), record), loop.time(), loop.create_future())
        self._room -= len(record)
        self._waiting.append(waiting)
        if self._nudge is not None and not self._nudge.done():
            self._nudge.set_result(None)
        return waiting.answer

    async def run(self) -> None:
        """Store groups, one after the other, until closed and empty."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._waiting:
                if self._closed:
                    return
                self._nudge = loop.create_future()
                await self._nudge
                self._nudge = None
            group = self._next_group()
            try:
                await self._store(group)
            except Exception:
                log.exception("inbox.failed", events=len(group))
            finally:
                for waiting in group:
                    self._room += len(waiting.item.record)
                    _answer(waiting, EventOutcome.REFUSED)

    def _next_group(self) -> list[_Waiting]:
        """Take the events that waited longest, at most a group; large ones only as many as Redis writes in one step."""
        group = self._waiting[: self._max_group]
        del self._waiting[: self._max_group]
        if sum(len(waiting.item.record) for waiting in group) <= MAX_GROUP_CHARS:
            return group
        # The small ones first, so that a flood of large ones delays nobody else; the oldest goes in any case.
        oldest, *others = group
        others.sort(key=lambda waiting: len(waiting.item.record))
        size, count = len(oldest.item.record), 0
        while count < len(others) and (size := size + len(others[count].item.record)) <= MAX_GROUP_CHARS:
            count += 1
        self._waiting[:0] = sorted(others[count:], key=lambda waiting: waiting.item.received_us)
        return [oldest, *others[:count]]

    def close(self) -> None:
        """Refuse further events; ``run`` ends when it has stored those that wait."""
        self._closed = True
        if self._nudge is not None and not self._nudge.done():
            self._nudge.set_result(None)

    async def _store(self, group: Sequence[_Waiting]) -> None:
        if not group:
            return
        try:
            accepted = await self._write(group) if self._breaker.is_closed else None
        except NotConfirmedError as error:
            await self._keep_unconfirmed(group, error.answer)
            return
        if accepted is None:
            await self._put_aside(group)
            return
        new: list[Incoming] = []
        to_wake: list[str] = []
        failed: list[_Waiting] = []
        for waiting, outcome in zip(group, accepted, strict=True):
            if outcome is Accepted.FAILED:
                failed.append(waiting)
                continue
            _answer(waiting, _OUTCOMES[outcome])
            if outcome is Accepted.NEW:
                to_wake.append(waiting.item.call_id)
                new.append(waiting.item)
            elif outcome is Accepted.WAITS:
                new.append(waiting.item)
        if to_wake:
            self._wake(to_wake)
        if new:
            self._journal(new)
        if failed:
            log.error("ledger.failed", events=len(failed))
            await self._put_aside(failed)

    async def _write(self, group: Sequence[_Waiting]) -> Sequence[Accepted] | None:
        """Write a group to Redis; ``None``, and a tripped breaker, when it did not take it in time."""
        waited = asyncio.get_running_loop().time() - group[0].since
        budget = max(LEAST_BUDGET_S, min(WRITE_BUDGET_S, REDIS_BUDGET_S - waited))
        try:
            async with asyncio.timeout(budget):
                return await self._ledger.accept([waiting.item for waiting in group])
        except NotConfirmedError:
            raise
        except Exception as error:  # noqa: BLE001  whatever it was, the events must reach the spool
            self._breaker.trip(error)
            return None

    async def _keep_unconfirmed(self, group: Sequence[_Waiting], accepted: Sequence[Accepted]) -> None:
        """Put events that Redis has and too few replicas have into the spool as well; the ledger knows them again."""
        for waiting, outcome in zip(group, accepted, strict=True):
            if outcome is Accepted.FOREIGN:  # refused: it may be lost
                _answer(waiting, EventOutcome.FOREIGN)
        await self._put_aside([waiting for waiting in group if not waiting.answer.done()])
        if new := [w.item.call_id for w, outcome in zip(group, accepted, strict=True) if outcome is Accepted.NEW]:
            self._wake(new)

    async def _put_aside(self, group: Sequence[_Waiting]) -> None:
        """Store in the spool what Redis did not take, and answer accordingly."""
        if self._spool is None or not group:
            return
        left = ANSWER_BUDGET_S - (asyncio.get_running_loop().time() - group[0].since)
        try:
            # A write that is only late may still reach the disk; its event was answered "not stored", and is no harm.
            async with asyncio.timeout(max(LEAST_BUDGET_S, left)):
                await self._spool.put([waiting.item for waiting in group])
        except Exception as error:  # noqa: BLE001  a full disk, a slow one: never a false acknowledgement
            log.error("spool.refused", error=type(error).__name__, events=len(group))  # noqa: TRY400
            return
        for waiting in group:
            _answer(waiting, EventOutcome.KEPT if self._spool.volatile else EventOutcome.SPOOLED)
        self._journal([waiting.item for waiting in group])


def _answer(waiting: _Waiting, outcome: EventOutcome) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(outcome)
