"""Keeps the ledger's epoch outside of Redis, and notices a Redis that was emptied, replaced or put back."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import orjson
import structlog
from redis import RedisError

from worker.ledger.ledger import Ledger
from worker.ledger.schema import Schema, begin, fault_of, note, read_schema

log = structlog.get_logger(__name__)

EVERY_S = 2.0
WITHIN_S = 1.0
FILE = "epoch.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was last seen of the ledger."""

    epoch: str
    format: int
    beat_ms: int
    """When somebody had last looked, by Redis' clock."""

    def dump(self) -> bytes:
        """Write it as JSON."""
        return orjson.dumps({"epoch": self.epoch, "format": self.format, "beat_ms": self.beat_ms})

    @classmethod
    def load(cls, text: bytes) -> "Seen | None":
        """Read it; ``None`` where it cannot be."""
        with suppress(ValueError, KeyError, TypeError):
            values = orjson.loads(text)
            return cls(epoch=values["epoch"], format=values["format"], beat_ms=values["beat_ms"])
        return None


class EpochStore(Protocol):
    """Where the epoch is kept outside of Redis."""

    async def recall(self) -> Seen | None:
        """Return what was kept; ``None`` where nothing was."""
        ...

    async def keep(self, seen: Seen) -> None:
        """Keep it."""
        ...


class FileKeeper:
    """A small file, in JOURNAL_DIR or beside the spool."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def recall(self) -> Seen | None:
        """Return what was kept; ``None`` where nothing was."""
        try:
            return Seen.load(await asyncio.to_thread(self.path.read_bytes))
        except OSError:
            return None

    async def keep(self, seen: Seen) -> None:
        """Keep it; a full disk is told by whatever else writes there."""
        with suppress(OSError):
            await asyncio.to_thread(self._write, seen.dump())

    def _write(self, text: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        beside.write_bytes(text)
        beside.replace(self.path)


def keeper_of(journal_dir: Path | None, spool_path: Path | None) -> FileKeeper | None:
    """Return the place for the epoch: the journal's folder, else beside the spool; ``None`` where there is neither."""
    if journal_dir is not None:
        return FileKeeper(journal_dir / FILE)
    return None if spool_path is None else FileKeeper(spool_path.with_name(f"{spool_path.name}.{FILE}"))


class LedgerWatch:
    """Looks every two seconds while Redis answers; what it notices stands in the ledger until it is dealt with."""

    def __init__(
        self, ledger: Ledger, keeper: EpochStore | None, *, bar: Callable[[bool], None] = lambda _: None
    ) -> None:
        self._ledger = ledger
        self._keeper = keeper
        self._bar = bar
        self._barred = False
        self._seen: Seen | None = None
        self._recalled = False
        self.schema: Schema | None = None
        """As last read; ``None`` before the first look."""

    @property
    def parts(self) -> dict[str, Any]:
        """Return what ``/readyz`` tells of the ledger: only what is wrong with it."""
        if self.schema is None:
            return {}
        if self.schema.fault:
            state = "restoring" if self.schema.restoring else "unknown_format"
            return {"ledger": {"state": state, "format": self.schema.format}}
        changed = self.schema.changed
        return {} if changed is None else {"ledger": {"state": changed["what"], **changed}}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(WITHIN_S):
                    await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Look once; raises ``redis.RedisError``."""
        if not self._recalled and self._keeper is not None:
            self._seen = await self._keeper.recall()
        self._recalled = True
        fault = await fault_of(self._ledger.redis)
        if bool(fault) is not self._barred:
            self._barred = bool(fault)
            self._bar(self._barred)
            log.error("ledger.barred", fault=fault) if fault else log.warning("ledger.unbarred")
        if fault:
            self.schema = await read_schema(self._ledger.redis)
            return
        seen = self._seen
        before_ms, schema = await begin(self._ledger, format_known=seen.format if seen else None, beats=True)
        changed = _change(seen, before_ms, schema)
        if changed is not None:
            log.error("ledger.changed", **changed)
            if schema.changed is None:
                await note(self._ledger, changed=changed)
                schema = replace(schema, changed=changed)
        self.schema = schema
        now = Seen(epoch=schema.epoch, format=schema.format, beat_ms=schema.beat_ms)
        if self._keeper is not None:
            await self._keeper.keep(now)
        self._seen = now


def _change(seen: Seen | None, before_ms: int, schema: Schema) -> dict[str, Any] | None:
    """Return what happened to the ledger since it was last seen; ``None``: nothing."""
    if seen is None:
        return None
    if seen.epoch != schema.epoch:
        if schema.restored and seen.epoch in schema.restored.get("instead_of", ()):
            return None  # on purpose, and told by whoever did it
        return {"what": "emptied", "last_seen_ms": seen.beat_ms, "noticed_ms": schema.beat_ms}
    if before_ms < seen.beat_ms:
        return {
            "what": "put_back", "to_ms": before_ms, "last_seen_ms": seen.beat_ms, "noticed_ms": schema.beat_ms,
        }  # fmt: skip
    return None
