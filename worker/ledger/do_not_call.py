"""The do-not-call list: loaded beside the one in use, then put into its place at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import uuid4

from schemas.delivery import State
from worker.ledger.audit import Action, dumped
from worker.ledger.keys import LIST_KEY
from worker.ledger.ledger import Ledger
from worker.ledger.records import DeliveryRecord

BATCH = 2_000  # numbers a script: some 6 ms of Redis
KEEP_MS = 6 * 3_600_000  # a list that is loaded and never used, because its command was killed, is gone after this
SLICE = 500  # deliveries a script
NO_FRESH_LIST = "no_fresh_list"
"""Why a lead is held whose destination asks for a newer list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedList:
    """The list in use."""

    count: int
    loaded_ms: int
    """0: it is not whole, because its backup was taken while it was replaced; load it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """What loading a list did."""

    count: int
    before: int
    """How many numbers the list before had."""


def is_held(record: DeliveryRecord) -> bool:
    """Say whether a delivery waits for a list."""
    return record.reason == NO_FRESH_LIST and record.state in {State.QUEUED, State.RETRYING}


def fault_of(listed: LoadedList | None, *, age_s: float, now_ms: int) -> str:
    """Say in words why leads of a destination that asks for a list of this age are held; empty when they are not."""
    if listed is None:
        return "no do-not-call list is loaded"
    if not listed.loaded_ms:
        return "the do-not-call list is not whole since a restore"
    days = (now_ms - listed.loaded_ms) / 86_400_000
    return "" if days * 86_400 <= age_s else f"the do-not-call list was loaded {days:.0f} days ago"


async def loaded_list(ledger: Ledger) -> LoadedList | None:
    """Return what list is in use; ``None``: none was ever loaded."""
    found: Any = await ledger.redis.hgetall(LIST_KEY)
    return LoadedList(count=int(found["count"]), loaded_ms=int(found["at"])) if found else None


async def load(ledger: Ledger, numbers: Iterable[str], *, by: Action | None = None) -> Replaced | None:
    """Load a list of numbers (E.164) and use it from one lead to the next; ``None``: it was lost while it was loaded.

    The one in use stays until then; a list that is cut off in the middle changes nothing.
    """
    generation, count = uuid4().hex[:12], 0
    numbers = iter(numbers)
    while batch := [number.removeprefix("+") for number in islice(numbers, BATCH)]:
        count += int(await ledger.scripts.run("list_add", generation, KEEP_MS, *batch))
    used, before = await ledger.scripts.run("list_use", dumped(by), generation, count)
    return Replaced(count=count, before=before) if used == 1 else None


async def check(ledger: Ledger) -> bool:
    """Say whether the list in use is whole; one that is not counts as never loaded from now on."""
    return bool(await ledger.scripts.run("list_check") == 1)


async def release(ledger: Ledger, destinations: Sequence[str]) -> int:
    """Make the leads due that waited for a list; return how many. What is missed comes by itself, later."""
    count = 0
    for name in destinations:
        passed = 0
        while True:
            looked, released = await ledger.scripts.run("list_release", name, NO_FRESH_LIST, passed, SLICE)
            count += released
            passed += looked - released
            if looked < SLICE:
                break
    return count
