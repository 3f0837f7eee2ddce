"""Loads the Lua scripts and runs them; every script begins with the same prelude."""

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError, RedisError, ResponseError

from worker.ledger.keys import PROBE_KEY
from worker.primary import standing

_DEFINED = re.compile(r"^local (?:function )?(\w+(?:, \w+)*)", re.MULTILINE)
_ASIDE = re.compile(r"--.*$|'[^']*'", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_]\w*")


@cache
def source(name: str) -> str:
    """Read a script; its first line may name the parts that it needs beside the prelude: ``--@ index figures``."""
    script = shared(name)
    first, _, _ = script.partition("\n")
    parts = ["prelude", *first.removeprefix("--@").split()] if first.startswith("--@") else ["prelude"]
    return needed(shared(*parts), script) + script


def shared(*parts: str) -> str:
    """Read files of Lua, one behind the other."""
    folder = files("worker.ledger") / "lua"
    return "\n".join((folder / f"{part}.lua").read_text() for part in parts)


def needed(parts: str, script: str) -> str:
    """Return those blocks of the shared parts that a script uses, itself or by one another.

    Redis runs all of a script's text each time, so that what is defined in vain costs every call: some 0.2 us each.
    A block begins with ``local`` at the begin of a line, and defines what stands behind it.
    """
    blocks = [
        (block, {name for names in _DEFINED.findall(block) for name in names.split(", ")})
        for block in re.split(r"^(?=local )", parts, flags=re.MULTILINE)
    ]
    used = _names(script)
    kept: set[int] = set()
    while found := {at for at, (_, names) in enumerate(blocks) if at not in kept and names & used}:
        kept |= found
        used |= {name for at in found for name in _names(blocks[at][0])}
    return "".join(blocks[at][0] for at in sorted(kept))


def _names(code: str) -> set[str]:
    """Return the names in code, its comments and texts aside."""
    return set(_NAME.findall(_ASIDE.sub("", code)))


class NotConfirmedError(RedisError):
    """Raised when too few replicas had a write in time. The primary has it: ``answer`` is what it answered."""

    def __init__(self, answer: Any) -> None:
        super().__init__("written, but not confirmed by as many replicas as REDIS_MIN_REPLICAS asks for")
        self.answer = answer


def is_of_a_key(error: Exception) -> bool:
    """Return whether an error of Redis is of the keys that were asked for: one has another type than ours have.

    It stays so however often the same is asked, unlike what a full, busy or loading server answers.
    """
    return isinstance(error, ResponseError) and "WRONGTYPE" in str(error)


class Scripts:
    """Runs the ledger's scripts on one Redis; their first argument is the time.

    ``clock_ms`` is for tests: without it a script asks Redis, so that all machines share one clock.
    ``min_replicas``: so many must have what ``run_confirmed`` wrote.
    """

    def __init__(self, redis: Redis, *, clock_ms: Callable[[], int] | None = None, min_replicas: int = 0) -> None:
        self.redis = redis
        self.min_replicas = min_replicas
        self._clock_ms = clock_ms
        self._loaded: dict[str, AsyncScript] = {}
        self._sent: set[str] = set()

    async def run(self, name: str, *args: str | float) -> Any:
        """Run a script; raises ``redis.RedisError``."""
        script = self._script(name)
        now = "" if self._clock_ms is None else self._clock_ms()
        try:
            return await script(args=(now, *args))
        except NoScriptError:  # loaded at a server that was the primary no longer, and then asked of the new one
            return await script(args=(now, *args))

    async def run_confirmed(self, name: str, *args: str | float, within_ms: int) -> tuple[Any, bool]:
        """Run a script; return whether enough replicas have what it wrote, or found written. One round trip.

        WAIT answers for its connection's last write, so a write of nothing comes before it: a script that found a
        duplicate wrote none, and its first copy may be another connection's. While the Sentinels change the primary,
        nothing is confirmed: the replica that says so may not be the one that is promoted. Raises ``redis.RedisError``.
        """
        if not self.min_replicas:
            return await self.run(name, *args), True
        script = self._script(name)
        if name not in self._sent:  # or WAIT would wait twice: once for the write of a script that is not there
            await self.redis.script_load(script.script)
            self._sent.add(name)
        now = "" if self._clock_ms is None else self._clock_ms()
        stood = standing()
        for _ in range(2):
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.evalsha(script.sha, 0, now, *args)
                pipe.set(PROBE_KEY, "1", px=1000)
                pipe.wait(self.min_replicas, within_ms)
                answer, probe, replicas = await pipe.execute(raise_on_error=False)
            if not isinstance(answer, NoScriptError):
                break
            await self.redis.script_load(script.script)  # a promoted replica lacks what was only loaded
        for one in (answer, probe, replicas):
            if isinstance(one, Exception):
                raise one
        return answer, replicas >= self.min_replicas and stood is not None and stood == standing()

    def _script(self, name: str) -> AsyncScript:
        script = self._loaded.get(name)
        if script is None:
            script = self._loaded[name] = self.redis.register_script(source(name))
        return script

    async def now_ms(self) -> int:
        """Return the ledger's time."""
        return self.read_time((0, 0) if self._clock_ms is not None else await self.redis.time())

    def read_time(self, told: tuple[Any, Any]) -> int:
        """Turn what Redis' TIME told into the ledger's time."""
        if self._clock_ms is not None:
            return self._clock_ms()
        seconds, micros = told
        return int(seconds) * 1000 + int(micros) // 1000
