"""The import: takes events that never came by webhook into the ledger, and returns of each whether it was new."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from hashlib import blake2b

from schemas.delacon.call_keys import adds_nothing
from schemas.delacon.events import Event, StoredEvent, merge
from worker.ledger.ledger import Ledger
from worker.ledger.queries import look_up
from worker.ledger.records import Accepted, Incoming
from worker.ledger.sender_mark import unmarked

_WHOLE_ENDS = frozenset("ec")


class Fate(StrEnum):
    """What the import did with an event."""

    NEW = "new"
    KNOWN = "known"
    """The ledger has all of it already, be it from other events."""
    FAILED = "failed"
    """Redis would not store this one, or its call has no room for it and it is in quarantine."""


_FATES_OF = {
    Accepted.NEW: Fate.NEW,
    Accepted.WAITS: Fate.NEW,
    Accepted.SAME: Fate.KNOWN,
    Accepted.REMEMBERED: Fate.KNOWN,
    Accepted.QUARANTINED: Fate.FAILED,
    Accepted.FOREIGN: Fate.FAILED,
    Accepted.FAILED: Fate.FAILED,
}


class Importer:
    """Takes events in the order of their file; ``now_us`` gives epoch microseconds.

    ``dry_run``: says what would be new and stores nothing.
    Nobody is woken: the clock of any worker finds the calls within two seconds, and an import may run without one.
    """

    def __init__(
        self, ledger: Ledger, *, default_region: str, now_us: Callable[[], int], dry_run: bool = False
    ) -> None:
        self._ledger = ledger
        self._default_region = default_region
        self._now_us = now_us
        self._dry_run = dry_run
        self._last_us = 0
        self._seen: set[bytes] = set()

    async def take(self, events: Sequence[Event]) -> list[Fate]:
        """Take some hundred events at most; safe to repeat. Raises ``redis.RedisError``: then all or none are in."""
        known = await look_up(self._ledger, [event.call_id for event in events])
        held = {call_id: list(call.events) for call_id, call in known.calls.items()}
        fates: list[Fate] = [Fate.KNOWN] * len(events)
        incoming: list[Incoming] = []
        places: list[int] = []
        for place, event in enumerate(events):
            already = held.setdefault(event.call_id, [])
            if event.call_id in known.remembered or self._was_seen(event) or self._adds_nothing(event, already):
                continue
            # The later received wins where two events differ, so the order of the file is the order of receipt.
            self._last_us = max(self._now_us(), self._last_us + 1)
            already.append(StoredEvent(self._last_us, event.kind, event.values))
            incoming.append(Incoming(event.call_id, self._last_us, event.record()))
            places.append(place)
            fates[place] = Fate.NEW
        if incoming and not self._dry_run:
            for place, answer in zip(places, await self._ledger.accept(incoming), strict=True):
                fates[place] = _FATES_OF[answer]
        return fates

    def _was_seen(self, event: Event) -> bool:
        """Return whether a dry run, which leaves no trace in the ledger, had this event before; 80 bytes an event."""
        if not self._dry_run:
            return False
        digest = blake2b(f"{event.call_id} {event.record()}".encode(), digest_size=16).digest()
        seen = digest in self._seen
        self._seen.add(digest)
        return seen

    def _adds_nothing(self, event: Event, held: Sequence[StoredEvent]) -> bool:
        """Return whether the call as it stands has every value of the event, and the sides that it stands for.

        So a report of a whole day, most of whose calls came by webhook in two parts, makes no revision of those.
        """
        if not held:
            return False
        merged = merge(event.call_id, held, default_region=self._default_region)
        sides = {
            "s": merged.arrivals.has_start,
            "p": merged.arrivals.has_end,
            "q": merged.arrivals.has_start and merged.arrivals.has_end,
            "e": not _WHOLE_ENDS.isdisjoint(one.kind for one in held),
            "c": merged.arrivals.whole,
        }
        raw = merged.call.raw
        return sides[event.kind] and all(
            raw.get(key) == text
            or (key in raw and adds_nothing(key, text, raw[key], default_region=self._default_region))
            for key, text in event.values.items()
        )


async def take_journaled(ledger: Ledger, items: Sequence[Incoming], *, dry_run: bool = False) -> list[Fate]:
    """Take events of a journal that the ledger lacks, each as it came; safe to repeat. Raises ``redis.RedisError``."""
    known = await look_up(ledger, [item.call_id for item in items])
    held = {call_id: {text.split(" ", 1)[-1] for text in call.texts} for call_id, call in known.calls.items()}
    fates = [Fate.KNOWN] * len(items)
    places = [
        place
        for place, item in enumerate(items)
        if item.call_id not in known.remembered and unmarked(item.record) not in held.get(item.call_id, ())
    ]
    if dry_run:
        return [Fate.NEW if place in set(places) else Fate.KNOWN for place in range(len(items))]
    if places:
        lacking = [items[place] for place in places]
        await ledger.scripts.run("expect", *dict.fromkeys(item.call_id for item in lacking))
        for place, answer in zip(places, await ledger.accept(lacking), strict=True):
            fates[place] = _FATES_OF[answer]
    return fates
