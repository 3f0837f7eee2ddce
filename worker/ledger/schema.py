"""The ledger's format and epoch: whether a process knows this ledger, and whether it is the one of before."""

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from redis import RedisError
from redis.asyncio import Redis

from worker.broker import open_redis
from worker.build import LEDGER_FORMAT
from worker.errors import SettingsError
from worker.ledger.keys import CALLS_KEY, DESTINATIONS_KEY, SCHEMA_KEY
from worker.ledger.ledger import Ledger

START_S = 1.0  # a Redis that hangs keeps no process from starting

FIRST_FORMAT = 1
"""That of versions that wrote no number (0.1.0 until November 2026)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The ledger's own description: its format, its epoch, and what is being done to it."""

    format: int
    epoch: str
    """Made once, when the ledger began; empty where no process that knows of epochs has looked at it."""
    since_ms: int = 0
    """When that was."""
    beat_ms: int = 0
    """When a receiver last looked; 0: never."""
    restoring: bool = False
    """A backup is being put back, or the one who did that was cut off."""
    restored: Mapping[str, Any] | None = None
    """Of which backup it was made: when it was taken, when it was put back, and what cannot be known."""
    changed: Mapping[str, Any] | None = None
    """What a receiver noticed: the ledger was emptied, replaced, or an older state put back."""
    migrating: int = 0
    """The format to which a migration was begun; 0: none."""
    cursor: str = ""
    """How far that migration has come."""

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> "Schema":
        """Read the hash; fields of a later version are passed over."""
        return cls(
            format=int(fields.get("format", FIRST_FORMAT)),
            epoch=fields.get("epoch", ""),
            since_ms=int(fields.get("since", 0)),
            beat_ms=int(fields.get("beat", 0)),
            restoring="restoring" in fields,
            restored=_read(fields.get("restored")),
            changed=_read(fields.get("changed")),
            migrating=int(fields.get("migrating", 0)),
            cursor=fields.get("cursor", ""),
        )

    @property
    def fault(self) -> str:
        """Return why this version cannot work with the ledger, and what to do; empty where it can."""
        if self.restoring:
            return "a restore is under way, or was cut off: wait, or run the same `switchboard ledger restore` again"
        if abs(self.format - LEDGER_FORMAT) <= 1:
            return ""
        if self.format > LEDGER_FORMAT:
            return (
                f"the ledger has format {self.format}, and this version knows {LEDGER_FORMAT - 1} to"
                f" {LEDGER_FORMAT + 1}: run the version that wrote it, or a later one"
            )
        return (
            f"the ledger has format {self.format}, and this version knows {LEDGER_FORMAT - 1} to {LEDGER_FORMAT + 1}:"
            f" run `switchboard ledger migrate --apply` of the version before this one first"
        )


async def read_schema(redis: Redis) -> Schema:
    """Read what the ledger says of itself; raises ``redis.RedisError``.

    Of one that says nothing the format is 1 where calls were planned, else the one that is written now, as in
    ``schema.lua``: a new ledger, at which no receiver has looked yet, has nothing to migrate.
    """
    fields: Any = await redis.hgetall(SCHEMA_KEY)
    if "format" not in fields and not await redis.exists(CALLS_KEY, DESTINATIONS_KEY):
        fields = {**fields, "format": LEDGER_FORMAT}
    return Schema.parse(fields)


async def fault_of(redis: Redis) -> str:
    """Return why this version may not work with the ledger now, empty where it may; raises ``redis.RedisError``.

    One command; for processes that run. A ledger that says nothing is none of another format.
    """
    found: Any = await redis.hmget(SCHEMA_KEY, ["format", "restoring"])
    number, restoring = found
    return Schema(format=int(number or LEDGER_FORMAT), epoch="", restoring=restoring is not None).fault


async def require_known_format(redis: Redis) -> None:
    """Raise ``SettingsError`` where this version does not know the ledger's format; raises ``redis.RedisError``."""
    if fault := (await read_schema(redis)).fault:
        raise SettingsError([f"ledger: {fault}"])


def refuse_unknown_format(redis_url: str) -> None:
    """Raise ``SettingsError`` where this version does not know the ledger's format.

    A Redis that does not answer now is no reason not to start: whoever runs waits for it, and looks again.
    """

    async def look() -> None:
        async with open_redis(redis_url, timeout_s=START_S) as redis:
            await require_known_format(redis)

    with suppress(RedisError, OSError):
        asyncio.run(look())


async def begin(ledger: Ledger, *, format_known: int | None = None, beats: bool = False) -> tuple[int, Schema]:
    """Make an epoch for a ledger that has none; return the beat of before, and the ledger's description.

    ``format_known``: of the ledger that stood here before, where the caller knows it. ``beats``: note the look.
    """
    before, flat = await ledger.scripts.run(
        "schema", secrets.token_hex(8), "" if format_known is None else format_known, LEDGER_FORMAT, int(beats)
    )
    return int(before), Schema.parse(dict(zip(flat[::2], flat[1::2], strict=True)))


async def note(ledger: Ledger, **fields: Any) -> None:
    """Write fields of what the ledger says of itself; ``None`` takes one off."""
    async with ledger.redis.pipeline(transaction=True) as pipe:
        for name, value in fields.items():
            if value is None:
                pipe.hdel(SCHEMA_KEY, name)
            else:
                pipe.hset(SCHEMA_KEY, name, orjson.dumps(value).decode() if isinstance(value, dict) else str(value))
        await pipe.execute()


def changed_in_words(changed: Mapping[str, Any]) -> str:
    """Return in words what a receiver noticed of a ledger, and what to do."""
    last = at_time(changed["last_seen_ms"])
    noticed = at_time(changed["noticed_ms"])
    what = (
        f"Redis was emptied or replaced between {last} and {noticed}"
        if changed["what"] == "emptied"
        else f"Redis went back to its state of {at_time(changed['to_ms'])}; it was last seen {last}"
    )
    return (
        f"{what}. Restore a backup (switchboard ledger restore) and take the rest from the journal "
        "(switchboard import --journal); switchboard ledger check --fix ends this message."
    )


def at_time(ms: int) -> str | None:
    """Return epoch milliseconds as ISO 8601; ``None`` for 0."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds") if ms else None


def _read(text: str | None) -> Mapping[str, Any] | None:
    return orjson.loads(text) if text else None
