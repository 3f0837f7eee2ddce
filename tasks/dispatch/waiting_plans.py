"""Plans that are made and not yet written, by the destinations that they need a slot at."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from time import monotonic

from worker.ledger.records import Plan, Slots, StoredCall

Made = tuple[StoredCall, Plan]

LEAST_TOGETHER = 16
"""As many slots to wait for while a group has so many plans: one script for one slot costs as much as for sixteen."""
LONGEST_PAUSE_S = 0.03
"""So long a group waits for a slot at a destination that has none while others of it have. Then it is left out until
it has one again, and what it would have been handed becomes due.

Of a flood to destinations of one pace so nothing becomes due; a claim and a message cost more than the wait.
"""


@dataclass(slots=True)
class _Group:
    """Plans for the same destinations, the oldest first."""

    destinations: tuple[str, ...]
    plans: dict[str, tuple[float, Made]]
    taken_at: float = 0.0


class WaitingPlans:
    """Plans of one process until a destination of theirs has room there, in the order in which they came.

    ``slots`` gives those of a destination; ``None``: nothing is handed over there, so nobody waits for it.
    Calls for one set of destinations wait for each other, and for no other: where one hangs, the rest go on.
    ``clock`` gives monotonic seconds.
    """

    def __init__(self, slots: Callable[[str], Slots | None], *, clock: Callable[[], float] = monotonic) -> None:
        self._slots = slots
        self._clock = clock
        self._groups: dict[tuple[str, ...], _Group] = {}
        self._group_of: dict[str, _Group] = {}
        self._starved: dict[str, float] = {}
        """Since when a destination has had no slot while others had some."""

    def __len__(self) -> int:
        return len(self._group_of)

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._group_of

    def moving(self, *, within_s: float) -> int:
        """Count the plans of groups of which some were taken so lately: those that hang are left out."""
        since = self._clock() - within_s
        return sum(len(group.plans) for group in self._groups.values() if group.taken_at >= since)

    def add(self, made: Iterable[Made]) -> None:
        """Let plans wait; one of a call that waits already takes the place of the one before."""
        now = self._clock()
        for call, plan in made:
            if plan.call_id in self:
                self._remove(plan.call_id)
            names = tuple(sorted({one.destination for one in plan.deliveries if one.action == "create"}))
            group = self._groups.get(names)
            if group is None:
                group = self._groups[names] = _Group(names, {})
            group.plans[plan.call_id] = (now, (call, plan))
            self._group_of[plan.call_id] = group

    def clear(self) -> None:
        """Drop all of them; the ledger still knows what is due."""
        self._groups.clear()
        self._group_of.clear()

    def take(self, most: int, *, patience_s: float, longest_s: float, kept: int) -> list[Made]:
        """Take what has room, each group in its turn.

        Without room is taken what is more than ``kept``, what waited for ``longest_s``, and of a group of which nothing
        was taken for ``patience_s`` what waited as long.
        """
        now = self._clock()
        taken: list[Made] = []
        slots: dict[str, Slots | None] = {}
        for group in sorted(self._groups.values(), key=lambda group: group.taken_at):
            for name in group.destinations:
                if name not in slots:
                    slots[name] = self._slots(name)
            left = most - len(taken)
            before = now - (longest_s if now - group.taken_at < patience_s else patience_s)
            count = max(self._with_room(group, slots, now), len(self) - kept, self._overdue(group, before, left))
            for call_id in list(islice(group.plans, min(count, left))):
                taken.append(self._remove(call_id))
                group.taken_at = now
                for name in group.destinations:
                    there = slots[name]
                    if there is not None and there.free > 0:
                        slots[name] = Slots(there.free - 1, there.all)
            if len(taken) >= most:
                break
        for group in [group for group in self._groups.values() if not group.plans]:
            del self._groups[group.destinations]
        return taken

    def _with_room(self, group: _Group, slots: Mapping[str, Slots | None], now: float) -> int:
        """Say for how many of a group there is room at all of its destinations, but for those that are left out."""
        there = {name: one for name in group.destinations if (one := slots[name]) is not None}
        if len(there) < len(group.destinations) or not there:
            return len(group.plans)
        any_free = any(one.free > 0 for one in there.values())
        for name, one in there.items():
            if one.free > 0:
                self._starved.pop(name, None)
            elif any_free:
                self._starved.setdefault(name, now)
        awaited = [one for name, one in there.items() if now - self._starved.get(name, now) < LONGEST_PAUSE_S]
        room = max(0, min((one.free for one in awaited), default=0))
        wanted = min(LEAST_TOGETHER, len(group.plans), *(max(1, one.all // 2) for one in awaited))
        return room if room >= wanted or now - group.taken_at >= LONGEST_PAUSE_S else 0

    @staticmethod
    def _overdue(group: _Group, before: float, most: int) -> int:
        """Say how many of a group came by then."""
        count = 0
        for since, _ in group.plans.values():
            if since > before or count >= most:
                break
            count += 1
        return count

    def _remove(self, call_id: str) -> Made:
        return self._group_of.pop(call_id).plans.pop(call_id)[1]
