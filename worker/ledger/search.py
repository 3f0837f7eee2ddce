"""Finds calls by caller, service, result, destination, reason and time without looking at all of them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from schemas.delacon.events import merge
from worker.ledger.keys import (
    CALL_KEY,
    CALLS_KEY,
    CHUNKS_KEY,
    FACETS_KEY,
    FILLED_KEY,
    FILLING_KEY,
    NO_START_KEY,
    WAITS_KEY,
)
from worker.ledger.ledger import Ledger
from worker.ledger.records import About, StoredCall

PAGE = 200
LEAST_DIGITS = 3
WAITING = 500  # calls not yet planned that are looked at beside the index, of each list
FILL = 500  # old calls written into the index in one step
FILLING_MS = 1_500
NOT_MARKED = frozenset({"interrupted", "replayed", "redelivered", "reconciled"})
"""Reasons of what is put back: they last until the next attempt, and the index does not have them."""
_ALL = "0"
_MOST = {"s": 500, "d": 1000, "r": 200}  # as in index.lua


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """What the index knows of a call; ``None`` is any. The caller checks each call that it finds."""

    callers: tuple[str, ...] | None = None
    """Digits of which one is the whole number; the index has the last eight of them."""
    caller_end: str = ""
    """The last digits of the caller, at least three; the index has eight."""
    service: str | None = None
    result: str | None = None
    """A letter of ``records.RESULT_LETTERS``."""
    destination: str | None = None
    ended: str = ""
    """``S`` or ``C``: a delivery (to the destination) was skipped or cancelled."""
    reason: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def narrow(self) -> bool:
        """Return whether they ask for more than a time: all calls of a time are found by their receipt."""
        return replace(self, since_ms=None, until_ms=None) != Facets()


async def is_filled(ledger: Ledger) -> bool:
    """Return whether the index knows every call: those of versions without one are written into it by and by."""
    return await ledger.redis.get(FILLED_KEY) == _ALL


async def search(
    ledger: Ledger,
    wanted: Facets,
    *,
    oldest_first: bool = False,
    after: str | None = None,
    page: int = PAGE,
    planned_only: bool = False,
) -> AsyncIterator[list[str]]:
    """Return the ids of calls that may match, in pages, by when they were planned; those not yet planned first.

    ``after``: the id with which an earlier search ended; this one goes on behind it.
    """
    waiting = [] if planned_only else await _unplanned(ledger, wanted)
    if after is not None:
        waiting = waiting[waiting.index(after) + 1 :] if after in waiting else []
    if waiting and not oldest_first:
        yield waiting
    async for some in _planned(ledger, wanted, oldest_first=oldest_first, after=after, page=page):
        yield some
    if waiting and oldest_first:
        yield waiting


async def _unplanned(ledger: Ledger, wanted: Facets) -> list[str]:
    """Return the newest of the calls that no plan has written into the index yet."""
    if wanted.destination or wanted.reason is not None or wanted.ended:
        return []
    async with ledger.redis.pipeline(transaction=False) as pipe:
        pipe.zrange(WAITS_KEY, 0, WAITING - 1, desc=True)
        pipe.zrange(NO_START_KEY, 0, WAITING - 1, desc=True)
        lists = await pipe.execute()
    ids = list(dict.fromkeys(call_id for found in lists for call_id in found))
    async with ledger.redis.pipeline(transaction=False) as pipe:
        for call_id in ids:
            pipe.hexists(CALL_KEY + call_id, "ix")
        known = await pipe.execute()
    return await _newest_first(ledger, [one for one, indexed in zip(ids, known, strict=True) if not indexed], wanted)


async def _newest_first(ledger: Ledger, ids: Sequence[str], wanted: Facets) -> list[str]:
    """Sort ids by the calls' first receipt, and leave out those of another time."""
    received: Any = await ledger.redis.zmscore(CALLS_KEY, list(ids)) if ids else []
    since, until = wanted.since_ms or 0, wanted.until_ms
    timed = [
        (ms, call_id)
        for call_id, ms in zip(ids, received, strict=True)
        if ms is not None and ms >= since and (until is None or ms <= until)
    ]
    return [call_id for _, call_id in sorted(timed, reverse=True)]


async def _planned(
    ledger: Ledger, wanted: Facets, *, oldest_first: bool, after: str | None, page: int
) -> AsyncIterator[list[str]]:
    facets = await _bit_names(ledger, wanted)
    if facets is None:
        return
    asked: dict[str, Any] = {"facets": facets}
    if wanted.callers is not None or wanted.caller_end:
        asked |= {"numbers": wanted.callers or [wanted.caller_end], "whole": wanted.callers is not None}
    chunks = await _chunks(ledger, wanted, oldest_first=oldest_first)
    place: str | int = ""
    indexed: Any = await ledger.redis.hget(CALL_KEY + after, "ix") if after is not None else None
    if indexed and (last := indexed.split("|"))[0] in chunks:
        chunks, place = chunks[chunks.index(last[0]) :], int(last[1]) + (1 if oldest_first else -1)
    since = "" if wanted.since_ms is None else wanted.since_ms
    until = "" if wanted.until_ms is None else wanted.until_ms
    while chunks:
        chunk, place, *ids = await ledger.scripts.run(
            "find", page, int(oldest_first), since, until, orjson.dumps(asked).decode(), place, *chunks
        )
        if ids:
            yield ids
        if chunk == "":
            return
        chunks = chunks[chunks.index(chunk) :]


async def _bit_names(ledger: Ledger, wanted: Facets) -> list[str] | None:
    """Return the bitmaps in which a call must have its bit; ``None`` when no call can."""
    asked = [
        (kind, value)
        for kind, value in (("s", wanted.service), ("d", wanted.destination), ("r", wanted.reason))
        if value is not None and value not in NOT_MARKED
    ]
    names = [] if wanted.result is None else [f"c{wanted.result}"]
    if wanted.ended:
        names.append(f"e{wanted.ended}")
    if not asked:
        return names
    fields = [f"{kind}:{value[:64]}" for kind, value in asked]
    numbers: Any = await ledger.redis.hmget(FACETS_KEY, [*fields, *(f"#{kind}" for kind, _ in asked)])
    for place, (kind, _) in enumerate(asked):
        number, most = numbers[place], int(numbers[len(asked) + place] or 0)
        if number is None and most < _MOST[kind]:
            return None
        names.append(f"{kind}{number or 0}")
        if kind == "d" and wanted.ended:
            names.append(f"d{number or 0}{wanted.ended}")
    return names


async def _chunks(ledger: Ledger, wanted: Facets, *, oldest_first: bool) -> list[str]:
    """Return the chunks in which calls of the time may stand: a call is planned after it was received, never before."""
    found: Any = await ledger.redis.zrange(CHUNKS_KEY, 0, -1, withscores=True)
    named = sorted(((int(name), began) for name, began in found), reverse=True)
    kept, ended = [], None
    for number, began in named:
        if wanted.since_ms is None or ended is None or ended >= wanted.since_ms or number < 0:
            kept.append(str(number))
        ended = began
    return kept[::-1] if oldest_first else kept


async def fill(ledger: Ledger, *, default_region: str) -> int:
    """Write some calls of versions without an index into it, the newest first; return how many calls it looked at."""
    filled = await ledger.redis.get(FILLED_KEY)
    if filled == _ALL or not await ledger.redis.set(FILLING_KEY, "1", nx=True, px=FILLING_MS):
        return 0
    newest = await ledger.now_ms() if filled is None else int(filled)
    ids, oldest_ms = await _next_to_fill(ledger, newest)
    if ids:
        listed = []
        for stored in await ledger.load(reversed(ids)):
            about = _about(stored, default_region)
            listed.append([stored.call_id, about.service_id, about.result, about.caller_digits])
        await ledger.scripts.run("fill_index", oldest_ms, orjson.dumps(listed).decode())
    if oldest_ms == 0:
        await ledger.redis.set(FILLED_KEY, _ALL)
    await ledger.redis.delete(FILLING_KEY)
    return len(ids)


def _about(stored: StoredCall, default_region: str) -> About:
    return About.of(merge(stored.call_id, stored.events, default_region=default_region).call)


async def _next_to_fill(ledger: Ledger, newest: int) -> tuple[list[str], int]:
    """Return the ids of the next calls, and the receipt from which on the next step goes on; 0 at the end."""
    most = FILL
    while True:
        page: Any = await ledger.redis.zrange(
            CALLS_KEY, newest, "-inf", desc=True, byscore=True, offset=0, num=most, withscores=True
        )
        if len(page) < most:
            return [call_id for call_id, _ in page], 0
        oldest = int(page[-1][1])
        whole = [call_id for call_id, ms in page if int(ms) > oldest]
        if whole:  # those of the oldest millisecond may go on beyond the page
            return whole, oldest
        most *= 4
