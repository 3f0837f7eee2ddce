"""Keeps bodies that hold no event: in the ledger's quarantine, or in the spool while Redis is away."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from receiver.redis_breaker import RedisBreaker, refuses_writes
from receiver.spool.file import Body

log = structlog.get_logger(__name__)

# Together less than the 2 s that an answer may take.
WRITE_BUDGET_S = 1.2
SPOOL_BUDGET_S = 0.6
# Bodies that wait for their write; a flood beyond it is answered alike but not kept, and counted in the log.
MAX_WAITING = 64
# Writes at a time: the connections it may take from the pool.
WRITERS = 4


class BodyLedger(Protocol):
    """What quarantine needs of the ledger."""

    async def quarantine(self, body: bytes, *, reason: str, path_kind: str, received_us: int) -> str:
        """Keep a body; raises ``redis.RedisError``."""
        ...


class BodySpool(Protocol):
    """What quarantine needs of the spool."""

    async def keep(self, body: Body) -> bool:
        """Keep a body; ``False`` when full. Raises ``SpoolError``."""
        ...


class Quarantine:
    """Keeps what it can and never fails: the sender is told that the body is unusable either way."""

    def __init__(
        self, *, ledger: BodyLedger, spool: BodySpool | None, breaker: RedisBreaker, receipt_us: Callable[[], int]
    ) -> None:
        self._ledger = ledger
        self._spool = spool
        self._breaker = breaker
        self._receipt_us = receipt_us
        self._waiting = 0
        self._writers = asyncio.Semaphore(WRITERS)

    async def keep(self, body: bytes, *, reason: str, path_kind: str) -> bool:
        """Keep a body with the reason why it is unusable; return whether it is kept."""
        if self._waiting >= MAX_WAITING:
            log.warning("quarantine.dropped", reason=reason)
            return False
        kept = Body(self._receipt_us(), path_kind, reason, body)
        self._waiting += 1
        try:
            return await self._in_ledger(kept) or await self._in_spool(kept)
        finally:
            self._waiting -= 1

    async def _in_ledger(self, body: Body) -> bool:
        if not self._breaker.is_closed:
            return False
        try:
            async with asyncio.timeout(WRITE_BUDGET_S), self._writers:
                await self._ledger.quarantine(
                    body.body, reason=body.reason, path_kind=body.path_kind, received_us=body.received_us
                )
        except Exception as error:  # noqa: BLE001  then the spool may take it
            if refuses_writes(error):
                self._breaker.trip(error)
            log.warning("quarantine.failed", error=type(error).__name__)
            return False
        return True

    async def _in_spool(self, body: Body) -> bool:
        if self._spool is None:
            return False
        try:
            async with asyncio.timeout(SPOOL_BUDGET_S):
                return await self._spool.keep(body)
        except Exception as error:  # noqa: BLE001  the answer is 400 whether it is kept or not
            log.warning("quarantine.failed", error=type(error).__name__)
            return False
