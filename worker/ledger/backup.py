"""Backs the ledger up while the system runs, and puts a backup back into an empty Redis of any version.

A backup is logical: each call with its places as at one moment, then everything else; so it does not depend on how a
server writes its own files. What is of the moment alone (wake-ups, sign-ins, rates) is left out.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.client import NEVER_DECODE
from redis.exceptions import NoScriptError

from schemas.callcap.requests import NumberOutcome, RequestState
from worker.ledger import do_not_call
from worker.ledger.archive import ArchiveReader, ArchiveWriter
from worker.ledger.invariants import KEYS_A_SLICE, scan
from worker.ledger.keys import (
    ALERT_DUE_KEY,
    ALERT_HEAD_KEY,
    ALERT_LINE_KEY,
    ALERTS_KEY,
    ALERTS_SENT_KEY,
    BITS_KEY,
    CALL_KEY,
    CALLS_KEY,
    CHUNK_KEY,
    CHUNKS_KEY,
    DEAD_KEY,
    DIGITS_KEY,
    DUE_KEY,
    EVERY,
    FACETS_KEY,
    FILLED_KEY,
    FILLING_KEY,
    FORMS_KEY,
    GONE_KEY,
    HEARD_KEY,
    HOLDERS_KEY,
    INDEXED_KEY,
    LEASES_KEY,
    NO_START_KEY,
    PARKED_KEY,
    PATIENCE_KEY,
    PROBE_KEY,
    RATE_KEY,
    RECEIVERS_KEY,
    REPORTED_KEY,
    RESCUE_KEY,
    RESCUING_KEY,
    SCHEMA_KEY,
    SESSION_KEY,
    SHELF_KEY,
    SHELF_WHY_KEY,
    SIGN_INS_KEY,
    SWEEP_KEY,
    TICK_KEY,
    TRACE_KEY,
    UNROUTED_KEY,
    WAITS_KEY,
    WAKE_CALLS_KEY,
    WAKE_KEY,
    WORKERS_KEY,
    WRONG_KEY,
)
from worker.ledger.ledger import Ledger
from worker.ledger.scripts import source

SLICE_BYTES = 384 * 1024  # of values in one script, some 8 ms of Redis
LANES = 2  # scripts at a time: while one's answer is taken, Redis has the next
PART = 500  # values of a big collection in one script

_REBUILT = (
    CALLS_KEY, WAITS_KEY, LEASES_KEY, NO_START_KEY, UNROUTED_KEY, DUE_KEY, DEAD_KEY, HOLDERS_KEY, PARKED_KEY,
)  # fmt: skip
_INDEX = (INDEXED_KEY, BITS_KEY, DIGITS_KEY, CHUNK_KEY, CHUNKS_KEY, GONE_KEY, FILLED_KEY, FILLING_KEY)
"""A worker fills it again by itself."""
_OF_THE_MOMENT = (
    WAKE_KEY, WAKE_CALLS_KEY, RATE_KEY, WORKERS_KEY, SIGN_INS_KEY, SWEEP_KEY, RESCUE_KEY, RESCUING_KEY, PROBE_KEY,
    SHELF_KEY, SHELF_WHY_KEY, SCHEMA_KEY, SESSION_KEY, WRONG_KEY, TRACE_KEY, RECEIVERS_KEY, REPORTED_KEY, TICK_KEY,
    PATIENCE_KEY,
)  # fmt: skip
_SAID_WITHOUT_CALLS = (
    *_OF_THE_MOMENT, *_INDEX, HEARD_KEY, FORMS_KEY, ALERTS_KEY, ALERT_DUE_KEY, ALERTS_SENT_KEY, ALERT_LINE_KEY,
    ALERT_HEAD_KEY,
)  # fmt: skip
"""What receivers, workers and consoles write beside a ledger that holds no call."""
_LEFT_OUT = (*_REBUILT, *_INDEX, *_OF_THE_MOMENT)

UNKNOWABLE = (
    "what came in after the backup: `switchboard import --journal` takes it from JOURNAL_DIR",
    "what was delivered after the backup: it is tried again; a vendor that knows no duplicates is asked first",
    "what operators did after the backup: pauses, suppressed numbers, dropped dead letters, erased persons",
    "whether requests about Callcap's numbers that were open have been sent: they are `unknown`, and not sent again",
)
"""What a restored ledger cannot know, and what becomes of it."""
UNCOUNTED = (
    "what `report` had counted before: a merge leaves it out, because the ledger counts anew; all calls are there"
)
"""What a merge leaves out beside that."""


@dataclass(slots=True)
class Copied:
    """How much was copied."""

    calls: int = 0
    kept: int = 0
    """Calls that were there already, and stay as they are."""
    others: int = 0
    doubtful: int = 0
    """Deliveries that were not final, so may have been made since."""


async def back_up(ledger: Ledger, writer: ArchiveWriter, *, advance: Callable[[int], None] = lambda _: None) -> int:
    """Write all of a ledger; return how many calls. Raises ``redis.RedisError`` and ``OSError``.

    The calls go before the rest: what is remembered of callers is then never older than what their calls say.
    """
    source = _Source(ledger.redis)
    try:
        return await _copy_all(ledger, source, writer, advance)
    finally:
        await source.written()


async def _copy_all(ledger: Ledger, source: "_Source", writer: ArchiveWriter, advance: Callable[[int], None]) -> int:
    calls = 0
    slices, turn = scan(ledger, f"{CALL_KEY}*", KEYS_A_SLICE), asyncio.Lock()

    async def copy_calls() -> None:
        nonlocal calls
        while True:
            async with turn:
                keys = await anext(slices, None)
            if keys is None:
                return
            await source.copy(keys, writer)
            calls += len(keys)
            advance(len(keys))

    lanes = [asyncio.create_task(copy_calls()) for _ in range(LANES)]
    try:
        await asyncio.gather(*lanes)
    finally:
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
    async for keys in scan(ledger, EVERY, KEYS_A_SLICE):
        await source.copy([key for key in keys if not key.startswith((CALL_KEY, *_LEFT_OUT))], writer)
    await source.copy([FACETS_KEY], writer)  # once more: a name that came meanwhile stands in figures already
    return calls


class _Source:
    def __init__(self, redis: Redis) -> None:
        self._scripts = RawScripts(redis)
        self._writing: asyncio.Future[None] | None = None
        self._turn = asyncio.Lock()

    async def copy(self, keys: list[str], writer: ArchiveWriter) -> None:
        """Copy keys; what was read is compressed and written while Redis reads on."""
        while keys:
            looked, big, block = await self._scripts.run("dump", SLICE_BYTES, *keys)
            keys = keys[looked:]
            await self._write(writer, block)
            for key in big:
                cursor = b"0"
                while True:
                    cursor, block = await self._scripts.run("dump_part", key, cursor, PART)
                    await self._write(writer, block)
                    if cursor == b"0":
                        break

    async def _write(self, writer: ArchiveWriter, block: bytes) -> None:
        async with self._turn:
            await self.written()
            self._writing = asyncio.ensure_future(asyncio.to_thread(writer.add, block))

    async def written(self) -> None:
        """Wait until all that was read is written; raises ``OSError``."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing


async def put_back(
    ledger: Ledger,
    reader: ArchiveReader,
    *,
    memory_s: float,
    merging: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> Copied:
    """Write all of a backup into a ledger; what stands there already stays. May be cut off, and done again.

    ``merging``: the ledger has gone on by itself, so its own figures stand, and those of the backup are left out.

    Raises ``redis.RedisError``, and ``BadArchiveError`` where the file is damaged: what came before is in then.
    """
    scripts = RawScripts(ledger.redis)
    outcome = NumberOutcome(state=RequestState.UNKNOWN, reason="restored").dump()
    copied = Copied()
    blocks = reader.blocks()
    while (block := await asyncio.to_thread(next, blocks, None)) is not None:
        found = await scripts.run("restore", round(memory_s * 1000), outcome, int(merging), block)
        copied.calls += found[0]
        copied.kept += found[1]
        copied.others += found[2]
        copied.doubtful += found[3]
        advance(len(block))
    await ledger.redis.delete(FILLED_KEY)
    await do_not_call.check(ledger)
    return copied


async def is_empty(ledger: Ledger) -> bool:
    """Return whether there is no ledger yet; what processes say of themselves does not count."""
    async for keys in scan(ledger, EVERY, KEYS_A_SLICE):
        if any(not key.startswith(_SAID_WITHOUT_CALLS) for key in keys):
            return False
    return True


class RawScripts:
    """Runs the ledger's scripts on bytes: MessagePack is no text."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._digests: dict[str, str] = {}

    async def run(self, name: str, *args: str | bytes | float) -> Any:
        """Run a script; raises ``redis.RedisError``."""
        with suppress(KeyError, NoScriptError):
            return await self._call(self._digests[name], *args)
        self._digests[name] = str(await self._redis.script_load(source(name)))
        return await self._call(self._digests[name], *args)

    async def _call(self, digest: str, *args: str | bytes | float) -> Any:
        return await self._redis.execute_command(  # type: ignore[no-untyped-call]
            "EVALSHA", digest, 0, "", *args, **{NEVER_DECODE: True}
        )
