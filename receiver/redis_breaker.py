"""The gate to Redis: open while it takes writes, shut from its first refusal until a probe succeeds."""

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
    """Say whether an error means that Redis takes no write at all, rather than not this one."""
    return isinstance(error, _REFUSING) or (isinstance(error, RedisError) and _REFUSALS.search(str(error)) is not None)


class Gate:
    """What this process last saw of Redis; the inbox shuts it, the drainer opens it again."""

    def __init__(self) -> None:
        self.is_open = True
        self._was_shut = asyncio.Event()

    def shut(self, error: BaseException) -> None:
        """Stop writing to Redis: it refused, or did not answer in time."""
        if self.is_open:
            self.is_open = False
            log.warning("redis.refused", error=type(error).__name__)
        self._was_shut.set()

    def open(self) -> None:
        """Let writes through again."""
        if not self.is_open:
            self.is_open = True
            log.info("redis.recovered")
        self._was_shut.clear()

    async def wait_shut(self, timeout_s: float) -> None:
        """Wait until the gate is shut, at most ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._was_shut.wait()
        except TimeoutError:
            return
