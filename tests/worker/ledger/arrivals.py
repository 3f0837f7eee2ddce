"""The state machine's ground: calls that arrive and are planned, and what holds after every step."""

import asyncio
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.ledgers import NOON, Driver, open_driver
from tests.worker.ledger.model import Model
from tests.worker.ledger.seen import check, look
from worker.ledger.records import Claimed, FollowUp, NewDelivery

SLOTS = ("c1", "c2", "c:3", "c4")
"""Places for calls: a call that was removed is followed by a new one with a new id."""

GROUPS = {"c1": "g1", "c2": "g1", "c:3": "g1", "c4": ""}
WINDOW_S = 60
SLOT, DESTINATION = st.sampled_from(SLOTS), st.sampled_from(["crm", "kap", "kap"])


class Arrivals(RuleBasedStateMachine):
    """A ledger and its model, and the calls that arrive in both."""

    url: str | None = None

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.opened = open_driver(self.url)
        self.driver: Driver = self.run(self.opened.__aenter__())
        self.run(self.driver.redis.flushall())
        self.model = Model()
        self.names = {slot: f"{slot}~0" for slot in SLOTS}
        self.hands: list[Claimed] = []
        """Every claim that a worker got and has not forgotten, ended and late ones too."""

    def run(self, work: Any) -> Any:
        """Run a coroutine."""
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        """Close what was opened."""
        self.run(self.opened.__aexit__(None, None, None))
        self.loop.close()

    @initialize()
    def begin(self) -> None:
        """Begin with two calls of one caller, so that short runs meet each other."""
        for slot in SLOTS:
            self.accept(slot, 0, removed=False)
            if slot != "c4":
                self.plan_creates(slot, both=True, stale=False)

    @rule(slot=SLOT, event=st.integers(0, 3), removed=st.booleans())
    def accept(self, slot: str, event: int, removed: bool) -> None:
        """Let an event come, new or again."""
        call_id = min(self.model.remembered, default="") if removed else ""
        call_id = call_id or self.names[slot]
        record = f's{{"a":"{event}"}}'
        expected = self.model.accept(call_id, record)

        assert expected == str(self.run(self.driver.accept(call_id, record)))

    def plan(self, call_id: str, *deliveries: NewDelivery, stale: bool = False, **changes: Any) -> bool:
        """Apply a plan, in the ledger and, when it is of the call's version, in the model."""
        call = self.model.calls.get(call_id)
        version = len(call.events) if call else 1
        planned = self.run(self.driver.plan(call_id, *deliveries, version=version - 1 if stale else version, **changes))
        assert (call is not None and not stale) == planned.applied
        if call is None or stale:
            if call is not None:
                call.planned = False  # looked at again at once
            return False
        call.planned, call.state = True, changes.get("state", "r")
        for new in deliveries:
            key = (call_id, new.destination, new.action)
            self.model.make(key, group=new.group, after_create=new.after == "create")
        return True

    @rule(slot=SLOT, both=st.booleans(), stale=st.booleans())
    def plan_creates(self, slot: str, both: bool, stale: bool) -> None:
        """Route a call, perhaps from an older version of it."""
        kap = NewDelivery(destination="kap", action="create", group=GROUPS[slot])
        creates = (NewDelivery(destination="crm", action="create"), kap) if both else (kap,)
        self.plan(self.names[slot], *creates, stale=stale)

    @rule(slot=SLOT, number=st.integers(1, 3))
    def plan_update(self, slot: str, number: int) -> None:
        """Make an update, which waits for its create."""
        self.plan(
            self.names[slot],
            NewDelivery(destination="kap", action=f"update-{number}", group=GROUPS[slot], after="create"),
        )

    @rule(slot=SLOT)
    def plan_to_wait(self, slot: str) -> None:
        """Find that a call has to wait."""
        self.plan(self.names[slot], state="w", wait_until_ms=self.driver.time.ms + 10_000)

    @rule(slot=SLOT, answered=st.booleans(), started_s=st.integers(0, 90))
    def plan_follow_up(self, slot: str, answered: bool, started_s: int) -> None:
        """Plan a call of the one caller, missed or answered."""
        part = FollowUp(
            destination="crm", caller="+61", started_ms=NOON + started_s * 1000, window_ms=WINDOW_S * 1000,
            answered=answered,
        )  # fmt: skip
        deliveries = () if answered else (NewDelivery(destination="crm", action="create"),)
        if self.plan(self.names[slot], *deliveries, follow_ups=(part,)):
            self.model.follow(self.names[slot], part.started_ms, part.window_ms, answered=answered)

    def remove(self, call_ids: Iterable[str]) -> None:
        """Forget calls, and name the ones that take their places."""
        self.model.remove(call_ids)
        for slot, name in self.names.items():
            if name not in self.model.calls and name in self.model.remembered:
                self.names[slot] = f"{slot}~{int(name.split('~')[1]) + 1}"

    @invariant()
    def the_ledger_is_as_the_model_says(self) -> None:
        """Check every part of it after every step."""
        check(self.model, self.run(look(self.driver, list(self.names.values()))))
