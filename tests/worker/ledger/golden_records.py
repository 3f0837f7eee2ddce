"""The golden records: what a ledger of each format holds, as Redis held it; they are kept for good."""

from pathlib import Path
from typing import Any

import orjson
from redis.asyncio import Redis

from worker.ledger.keys import MEMORY_KEY

FOLDER = Path(__file__).parent / "golden"
FORMATS = (1, 2)
"""1 was written by d2e3d6e, 2 by the version that began to number formats."""


async def load_golden(redis: Redis, number: int) -> None:
    """Write the golden records of a format into an empty Redis."""
    found: dict[str, dict[str, Any]] = orjson.loads((FOLDER / f"format_{number}.json").read_bytes())
    for key, held in found.items():
        value = held["value"]
        match held["type"]:
            case "hash":
                await redis.hset(key, mapping=value)
            case "zset":
                await redis.zadd(key, dict(value))
            case "set":
                await redis.sadd(key, *value)
            case "list":
                await redis.rpush(key, *value)
            case _:
                await redis.set(key, value)
        if held["expires"]:
            await redis.expire(key, 3600)


async def contents(redis: Redis, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return all that the ledger holds, by key; whether a key expires stands beside its value."""
    found: dict[str, Any] = {}
    names: Any = await redis.keys("sb:*")
    for key in sorted(names):
        if key.startswith(without):
            continue
        value: Any
        match await redis.type(key):
            case "hash":
                value = await redis.hgetall(key)
            case "zset":
                value = sorted(await redis.zrange(key, 0, -1, withscores=True))
            case "set":
                value = sorted(await redis.smembers(key))
            case "list":
                value = await redis.lrange(key, 0, -1)
            case _:
                value = await redis.get(key)
                if key.startswith(MEMORY_KEY):
                    value = orjson.loads(value)  # Lua writes the keys of an object in any order
        found[key] = (value, await redis.pttl(key) > 0)
    return found
