"""Rewrites Redis' own files, which hold removed data until then."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

LOOK_EVERY_S = 0.2
WITHIN_S = 60.0  # some GB; beyond, Redis goes on by itself
_BUSY = ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "rdb_bgsave_in_progress")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of one file."""

    state: str
    """``rewritten``; ``off``: Redis keeps no such file; ``not_rewritten``."""
    why: str = ""
    """Why not, and what to do."""


_STATUS = {"BGREWRITEAOF": "aof_last_bgrewrite_status", "BGSAVE": "rdb_last_bgsave_status"}


async def rewrite_files(redis: Redis, *, within_s: float = WITHIN_S) -> dict[str, Rewritten]:
    """Write the append-only file (``aof``) and the snapshot (``rdb``) anew, and wait until both are.

    Raises ``redis.RedisError`` when Redis does not answer at all. A rewrite that was under way already may have begun
    before the removal, so another follows it.
    """
    try:
        has_aof = bool(int((await redis.info("persistence"))["aof_enabled"]))
    except (ResponseError, KeyError):
        no_info = Rewritten("not_rewritten", "this user may not run INFO; as another, run BGREWRITEAOF and BGSAVE")
        return {"aof": no_info, "rdb": no_info}
    return {
        "aof": await _rewrite(redis, "BGREWRITEAOF", within_s) if has_aof else Rewritten("off"),
        "rdb": await _rewrite(redis, "BGSAVE", within_s) if await _has_snapshots(redis) else Rewritten("off"),
    }


async def _has_snapshots(redis: Redis) -> bool:
    """Return whether Redis writes snapshots by itself; where it may not say, it is taken to."""
    try:
        return bool((await redis.config_get("save")).get("save", "unknown"))
    except ResponseError:
        return True


async def _rewrite(redis: Redis, command: str, within_s: float) -> Rewritten:
    try:
        async with asyncio.timeout(within_s):
            await _until_idle(redis)
            await (redis.bgrewriteaof() if command == "BGREWRITEAOF" else redis.bgsave())
            about = await _until_idle(redis)
    except TimeoutError:
        return Rewritten(
            "not_rewritten", f"not done within {within_s:g} s; INFO persistence says when {command} has ended"
        )
    except NoPermissionError:
        return Rewritten("not_rewritten", f"this user may not run {command}; run it as another")
    except ResponseError as error:
        return Rewritten("not_rewritten", f"{command}: {error}; run it again")
    if about[_STATUS[command]] != "ok":
        return Rewritten("not_rewritten", f"{command} failed; the log of Redis says why")
    return Rewritten("rewritten")


async def _until_idle(redis: Redis, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> dict[str, Any]:
    while True:
        about: dict[str, Any] = await redis.info("persistence")
        if not any(int(about.get(name, 0)) for name in _BUSY):
            return about
        await sleep(LOOK_EVERY_S)
