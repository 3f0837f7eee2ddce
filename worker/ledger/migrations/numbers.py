"""To format 2: what versions until November 2026 (d2e3d6e) kept under misread numbers goes under the right ones.

Those versions read some numbers wrong (``schemas.phones.phone.old_reading``), and kept under them what is remembered of
a caller, its part in the missed-call follow-up, the line of its deliveries, and its place among the suppressed. Calls
themselves keep the events as they came, so they say which number was misread, and as what.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from worker.config.settings import Settings
from worker.ledger.keys import CALLS_KEY, DESTINATIONS_KEY, SUPPRESSED_KEY
from worker.ledger.ledger import Ledger
from worker.ledger.records import StoredCall, merged

TO = 2
TITLE = "numbers that were misread until November 2026: what is kept under them goes under the right ones"
SLICE = 200  # calls


@dataclass(frozen=True, slots=True)
class _Misread:
    """A caller as it was read once and as it is now, both E.164."""

    old: str
    new: str


async def step(ledger: Ledger, settings: Settings, cursor: str, *, apply: bool) -> tuple[int, int, str]:
    """Look at the next slice of calls, the oldest first (see ``Migration``)."""
    score, offset = _place(cursor)
    found: Any = await ledger.redis.zrangebyscore(CALLS_KEY, score, "+inf", start=offset, num=SLICE, withscores=True)
    stored = await ledger.load([call_id for call_id, _ in found])
    misread = _misread(stored, settings.calls.default_region)
    count = 0
    if misread:
        count += await _regroup(ledger, stored, misread, apply=apply)
        count += await _move(ledger, set(misread.values()), apply=apply)
    if len(found) < SLICE:
        return len(found), count, ""
    last = found[-1][1]
    beyond = sum(1 for _, other in found if other == last) + (offset if last == score else 0)
    return len(found), count, f"{int(last)} {beyond}"


def _place(cursor: str) -> tuple[int, int]:
    score, _, offset = cursor.partition(" ")
    return int(score or 0), int(offset or 0)


def _misread(stored: Iterable[StoredCall], default_region: str) -> Mapping[str, _Misread]:
    """Return of each call whose caller was misread how."""
    found = {}
    for one in stored:
        if one.unreadable:
            continue  # of a later version, which reads numbers as this one does
        call = merged(one.call_id, (*one.texts, *one.folded), default_region).call
        if call.caller is not None and call.old_caller is not None and call.old_caller != call.caller:
            found[one.call_id] = _Misread(call.old_caller, call.caller)
    return found


async def _regroup(
    ledger: Ledger, stored: Iterable[StoredCall], misread: Mapping[str, _Misread], *, apply: bool
) -> int:
    args = []
    for one in stored:
        if (who := misread.get(one.call_id)) is None:
            continue
        for destination, action in one.deliveries:
            args += [one.call_id, destination, action, who.old[1:], who.new[1:]]
    return int(await ledger.scripts.run("regroup", int(apply), *args)) if args else 0


async def _move(ledger: Ledger, callers: Iterable[_Misread], *, apply: bool) -> int:
    names: Any = await ledger.redis.smembers(DESTINATIONS_KEY)
    args: list[str] = []
    for who in callers:
        for name in names:
            args += [name, who.old[1:], who.new[1:], who.old, who.new]
    moved = int(await ledger.scripts.run("renumber", int(apply), *args)) if args else 0
    for who in callers:
        if await ledger.redis.sismember(SUPPRESSED_KEY, who.old) and not await ledger.redis.sismember(
            SUPPRESSED_KEY, who.new
        ):
            moved += 1
            if apply:
                await ledger.redis.sadd(SUPPRESSED_KEY, who.new)
    return moved
