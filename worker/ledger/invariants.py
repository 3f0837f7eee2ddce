"""The ledger's invariants: each call and delivery is where something looks at it, and no entry lacks its record."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from worker.ledger.keys import (
    CALL_KEY,
    CALLS_KEY,
    DEAD_KEY,
    DESTINATIONS_KEY,
    DUE_KEY,
    FOLLOW_KEY,
    HOLDERS_KEY,
    LEASES_KEY,
    MEMORY_KEY,
    NO_START_KEY,
    PARKED_KEY,
    REMEMBERED_KEY,
    SHELF_KEY,
    UNROUTED_KEY,
    WAITS_KEY,
)
from worker.ledger.ledger import Ledger

CALLS_A_SLICE = 200  # some 5 ms of Redis
KEYS_A_SLICE = 1000
KEPT = 1000  # faults told one by one; the others are counted

FAULTS = {
    "set_aside": "cannot be read by this version; it is kept, and tried again by itself",
    "unreadable": "cannot be read by this version",
    "not_a_call": "is no call, but stands in the place of one",
    "without_events": "is a call without any event",
    "event_missing": "lacks one of its events",
    "call_not_listed": "is a call that stands in no list of calls",
    "waits_nowhere": "has events that no plan has seen, and waits nowhere",
    "unrouted_but_not_listed": "matches no route, and is not among those that match none",
    "destination_not_listed": "is of a destination that is not among the known ones",
    "due_nowhere": "is open, and nobody would look at it",
    "leased_nowhere": "is under way, and nobody would end its lease",
    "waits_for_what_is_final": "waits for a create that is final",
    "dead_but_not_listed": "is dead, and not among the dead letters",
    "listed_but_not_dead": "is not dead, and stands among the dead letters",
    "open_miscounted": "has a wrong count of open deliveries",
    "place_without_record": "is a place of something that is not there",
    "lease_without_claim": "is the lease of something that nobody has claimed",
    "listed_but_not_unrouted": "stands among those without a route, and has one",
    "listed_but_not_without_start": "stands among those without a start, and has one",
    "line_held_by_nobody": "has a line of deliveries whose holder is not under way",
    "line_without_holder": "has a line of deliveries of which none is next",
    "body_without_place": "is a quarantined body without a place",
    "bytes_miscounted": "is a wrong count of bytes",
    "kept_for_good": "is remembered for good, though its life is limited",
}
"""What a fault means, after the key."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it should be."""

    key: str
    fault: str
    fixed: bool

    @property
    def is_shelved(self) -> bool:
        """Return whether it is no fault of the ledger: a record of another version, kept for that."""
        return self.fault == "set_aside"


@dataclass(slots=True)
class Checked:
    """What a check found: the first faults, and how many there are of each."""

    calls: int = 0
    faults: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    fixed: int = 0

    @property
    def wrong(self) -> int:
        """Return how many faults there are; a record that is set aside is not one."""
        return self.counts.total() - self.counts["set_aside"]

    @property
    def unfixed(self) -> int:
        """Return how many of them still are."""
        return self.wrong - self.fixed

    def add(self, fault: Fault) -> None:
        """Count a fault."""
        self.counts[fault.fault] += 1
        self.fixed += fault.fixed
        if len(self.faults) < KEPT:
            self.faults.append(fault)


async def check(
    ledger: Ledger, *, fix: bool, memory_s: float, advance: Callable[[int], None] = lambda _: None
) -> Checked:
    """Check everything in slices while the system runs, and mend with ``fix`` what can be; raises ``redis.RedisError``.

    ``memory_s``: how long a memory that has no end is kept from now on. ``advance`` is told of calls looked at.
    """
    run = _Run(ledger, fix=fix, memory_ms=round(memory_s * 1000))
    async for keys in scan(ledger, f"{CALL_KEY}*", CALLS_A_SLICE):
        ids = [key[len(CALL_KEY) :] for key in keys]
        await run.tell("check_calls", *ids)
        run.checked.calls += len(ids)
        advance(len(ids))
    for name in (CALLS_KEY, WAITS_KEY, LEASES_KEY, NO_START_KEY, UNROUTED_KEY, SHELF_KEY):
        await run.places(name)
    for prefix in (DUE_KEY, DEAD_KEY):
        async for keys in scan(ledger, f"{prefix}*", KEYS_A_SLICE):
            for key in keys:
                await run.places(key, key[len(prefix) :])
    await run.lines()
    await run.lives()
    await run.tell("check_quarantine")
    return run.checked


async def scan(ledger: Ledger, pattern: str, count: int) -> AsyncIterator[list[str]]:
    """Return the keys that match, in slices of ``count`` at most; one may come twice while keys come and go."""
    cursor: Any = 0
    while True:
        found: Any = await ledger.redis.scan(cursor, match=pattern, count=KEYS_A_SLICE)
        cursor, keys = found
        for start in range(0, len(keys), count):
            yield keys[start : start + count]
        if not int(cursor):
            return


class _Run:
    def __init__(self, ledger: Ledger, *, fix: bool, memory_ms: int) -> None:
        self.checked = Checked()
        self._ledger = ledger
        self._fix = int(fix)
        self._memory_ms = memory_ms

    async def tell(self, script: str, *args: str) -> None:
        for key, fault, fixed in orjson.loads(await self._ledger.scripts.run(script, self._fix, *args)):
            self.checked.add(Fault(key, fault, fixed))

    async def places(self, name: str, destination: str = "") -> None:
        cursor: Any = 0
        while True:
            found: Any = await self._ledger.redis.zscan(name, cursor, count=KEYS_A_SLICE)
            cursor, members = found
            if members:
                await self.tell("check_places", name, destination, *(member for member, _ in members))
            if not int(cursor):
                return

    async def lines(self) -> None:
        """Check the lines of callers; those that have a holder, and those that have only a line."""
        names: Any = await self._ledger.redis.smembers(DESTINATIONS_KEY)
        for name in names:
            cursor: Any = 0
            while True:
                cursor, held = await self._ledger.redis.hscan(HOLDERS_KEY + name, cursor, count=KEYS_A_SLICE)
                if held:
                    await self.tell("check_groups", name, *held)
                if not int(cursor):
                    break
            prefix = f"{PARKED_KEY}{name}:"
            async for keys in scan(self._ledger, f"{prefix}*", CALLS_A_SLICE):
                await self.tell("check_groups", name, *(key[len(prefix) :] for key in keys))

    async def lives(self) -> None:
        """Check that whatever is remembered for a while is forgotten once."""
        for kind in (MEMORY_KEY, FOLLOW_KEY, REMEMBERED_KEY):
            async for keys in scan(self._ledger, f"{kind}*", KEYS_A_SLICE):
                found = await self._ledger.scripts.run("check_lives", self._fix, self._memory_ms, *keys)
                for _ in range(found):
                    self.checked.add(Fault(kind, "kept_for_good", bool(self._fix)))
