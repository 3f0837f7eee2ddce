"""Writes finishes in groups: those that come during one write go into the next."""

import asyncio
from collections import deque

import structlog
from redis import RedisError

from worker.ledger.ledger import Ledger
from worker.ledger.records import Finish, Finished
from worker.ledger.scripts import NotConfirmedError, is_of_a_key

log = structlog.get_logger(__name__)

RETRY_S = 0.5  # between tries while Redis is away; the vendor has answered, so the verdict is worth the wait
BATCH = 128  # ends a write
GATHER_S = 0.002
"""How long an end waits for others while attempts are under way: those of one call come together, and are one write."""

UNCONFIRMED = 10_000  # ends kept until a replica has them: some 10 MB


class FinishWriter:
    """The one writer of finishes in a process.

    A write that fails is tried again until it succeeds: a verdict that is lost would send its delivery twice.
    What waits is bounded by the attempts under way, for a slot is free only when its finish is written. Ends that the
    primary has, and too few of its replicas, hold up nobody: they are kept and written again until both have them, for
    a new primary would know nothing of them. A second write of the same end changes nothing.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[tuple[Finish, asyncio.Future[Finished]]] = []
        self._writer: asyncio.Task[None] | None = None
        self.attempts = 0
        """Attempts under way, whose ends will be written: whoever makes one counts it."""
        self._unconfirmed: deque[Finish] = deque(maxlen=UNCONFIRMED)
        self._confirming: asyncio.Task[None] | None = None

    async def write(self, end: Finish) -> Finished:
        """Write one finish; return whether it was applied."""
        future: asyncio.Future[Finished] = asyncio.get_running_loop().create_future()
        self._waiting.append((end, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        return await future

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                if len(self._waiting) < min(self.attempts, BATCH):
                    await asyncio.sleep(GATHER_S)
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                answers = await self._persist([end for end, _ in batch])
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
        finally:
            self._writer = None

    async def _persist(self, ends: list[Finish]) -> list[Finished]:
        while True:
            try:
                return await self._ledger.finish(ends)
            except NotConfirmedError as error:
                answers: list[Finished] = error.answer
                self._unconfirmed += [end for end, answer in zip(ends, answers, strict=True) if answer.applied]
                if self._confirming is None:
                    self._confirming = asyncio.create_task(self._confirm())
                return answers
            except Exception as error:
                if isinstance(error, RedisError) and not is_of_a_key(error):
                    log.warning("ledger.unavailable", ends=len(ends), error=type(error).__name__)
                    await asyncio.sleep(RETRY_S)
                    continue
                if len(ends) > 1:
                    return [answer for end in ends for answer in await self._persist([end])]
                # A bug of ours, or a key of a foreign type: `ledger check` finds the delivery, and all others go on.
                log.exception("delivery.finish_failed", delivery_id=str(ends[0].key))
                return [Finished(applied=False, gate_event="", verdict=ends[0].verdict)]

    async def _confirm(self) -> None:
        """Write unconfirmed finishes again, the oldest first, until all are confirmed."""
        log.warning("ledger.unconfirmed", ends=len(self._unconfirmed))
        try:
            while self._unconfirmed:
                batch = [self._unconfirmed.popleft() for _ in range(min(BATCH, len(self._unconfirmed)))]
                try:
                    await self._ledger.finish(batch)
                except RedisError:
                    self._unconfirmed.extendleft(reversed(batch))
                    await asyncio.sleep(RETRY_S)
        finally:
            self._confirming = None
