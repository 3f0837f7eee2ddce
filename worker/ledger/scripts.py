"""Loads the Lua scripts and runs them; every script begins with the same prelude."""

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError


@cache
def source(name: str) -> str:
    """Read a script; its first line may name the parts that it needs beside the prelude: ``--@ index figures``."""
    folder = files("worker.ledger") / "lua"
    script = (folder / f"{name}.lua").read_text()
    first, _, _ = script.partition("\n")
    parts = ["prelude", *first.removeprefix("--@").split()] if first.startswith("--@") else ["prelude"]
    return "".join((folder / f"{part}.lua").read_text() for part in parts) + script


class Scripts:
    """Runs the ledger's scripts on one Redis; their first argument is the time.

    ``clock_ms`` is for tests: without it a script asks Redis, so that all machines share one clock.
    """

    def __init__(self, redis: Redis, *, clock_ms: Callable[[], int] | None = None) -> None:
        self.redis = redis
        self._clock_ms = clock_ms
        self._loaded: dict[str, AsyncScript] = {}

    async def run(self, name: str, *args: str | float) -> Any:
        """Run a script; raises ``redis.RedisError``."""
        script = self._loaded.get(name)
        if script is None:
            script = self._loaded[name] = self.redis.register_script(source(name))
        now = "" if self._clock_ms is None else self._clock_ms()
        try:
            return await script(args=(now, *args))
        except NoScriptError:  # loaded at a server that was the primary no longer, and then asked of the new one
            return await script(args=(now, *args))

    async def now_ms(self) -> int:
        """Return the ledger's time."""
        if self._clock_ms is not None:
            return self._clock_ms()
        seconds, micros = await self.redis.time()
        return int(seconds) * 1000 + int(micros) // 1000
