"""The breaker before Redis: closed while Redis takes writes, tripped from its first refusal until a probe succeeds."""

import asyncio
import re

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

log = structlog.get_logger(__name__)

# OSError holds TimeoutError as well.
_REFUSING = (OSError, RedisConnectionError, RedisTimeoutError, ReadOnlyError, OutOfMemoryError, NoPermissionError)
# What Redis answers, also from within a script, when it takes no write at all for now.
_REFUSALS = re.compile(
    r"\b(OOM|READONLY|MISCONF|LOADING|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|BUSY|NOAUTH|NOPERM|WRONGPASS)\b"
)


def refuses_writes(error: BaseException) -> bool:
    """Return whether an error means that Redis takes no write at all, rather than not this one."""
    return isinstance(error, _REFUSING) or (isinstance(error, RedisError) and _REFUSALS.search(str(error)) is not None)


class RedisBreaker:
    """What this process last saw of Redis; the inbox trips it, the drainer resets it."""

    def __init__(self) -> None:
        self.is_closed = True
        self.is_barred = False
        """This version may not write to the ledger that stands there; nothing resets the breaker meanwhile."""
        self._tripped = asyncio.Event()

    def trip(self, error: BaseException) -> None:
        """Stop writing to Redis: it refused, or did not answer in time."""
        if self.is_closed:
            self.is_closed = False
            log.warning("redis.refused", error=type(error).__name__)
        self._tripped.set()

    def bar(self, barred: bool) -> None:  # noqa: FBT001  the one thing to say
        """Write nothing to this ledger from now on, or let the drainer try again."""
        self.is_barred = barred
        if barred:
            self.is_closed = False
            self._tripped.set()

    def reset(self) -> None:
        """Let writes through again; not while it is barred."""
        if self.is_barred:
            return
        if not self.is_closed:
            self.is_closed = True
            log.info("redis.recovered")
        self._tripped.clear()

    async def wait_tripped(self, timeout_s: float) -> None:
        """Wait until it trips, at most ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._tripped.wait()
        except TimeoutError:
            return
