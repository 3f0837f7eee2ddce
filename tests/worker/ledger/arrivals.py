"""The state machine's ground: calls that arrive and are planned, and what holds after every step."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.ledgers import NOON, Driver, open_driver, room
from tests.worker.ledger.model import Model
from tests.worker.ledger.seen import check, look
from worker.ledger.records import Claimed, FollowUp, NewDelivery, Room
from worker.ledger.sign_ins import Patience, SignIn

SLOTS = ("c1", "c2", "c:3", "c4")
"""Places for calls: a call that was removed is followed by a new one with a new id."""

GROUPS = {"c1": "g1", "c2": "g1", "c:3": "g1", "c4": ""}
WINDOW_S = 60
ROOMS = st.sampled_from(
    [{}, {"kap": room()}, {"crm": room(), "kap": room()}, {"crm": room(1, beside_older=0), "kap": room(beside_older=0)}]
)
"""Slots that a worker keeps for a plan: nowhere, somewhere, or only where nothing older is due."""

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
            self.accept(slot, "s0", removed=False)
            if slot != "c4":
                self.plan_creates(slot, both=True, stale=False, rooms={}, forget=False)

    @rule(
        slot=SLOT, event=st.sampled_from([f"{kind}{number}" for kind in "sseepqc" for number in range(4)]),
        removed=st.booleans(), late_s=st.sampled_from([0, 0, 1, 45]),
    )  # fmt: skip
    def accept(self, slot: str, event: str, removed: bool, late_s: int = 0) -> None:
        """Let an event come, new or again, perhaps out of a spool."""
        call_id = min(self.model.remembered, default="") if removed else ""
        call_id = call_id or self.names[slot]
        record = f'{event[0]}{{"a":"{event[1]}"}}'
        received_ms = self.driver.time.ms - late_s * 1000
        expected = self.model.accept(call_id, record, received_ms)

        assert expected == str(self.run(self.driver.accept(call_id, record, received_us=received_ms * 1000)))

    @rule(patience=st.sampled_from([None, (40_000, 20_000, False), (40_000, 20_000, False), (40_000, 20_000, True)]))
    def workers_say_how_long_calls_wait(self, patience: tuple[int, int, bool] | None) -> None:
        """Let a worker sign in with this patience, or let all be gone."""
        self.model.patience = patience
        self.run(self.driver.redis.delete("sb:patience", "sb:workers", "sb:signins"))
        if patience is not None:
            end_ms, start_ms, early = patience
            said = SignIn(name="one", config="aaa", changed_ms=1, queues=("calls",))
            self.run(self.driver.ledger.sign_in(said, Patience(end_ms=end_ms, start_ms=start_ms, early=early)))

    def plan(
        self, call_id: str, *deliveries: NewDelivery, stale: bool = False, rooms: Mapping[str, Room] | None = None,
        forget: bool = False, **changes: Any,
    ) -> bool:  # fmt: skip
        """Apply a plan, in the ledger and, when it is of the call's version, in the model.

        ``rooms``: slots that a worker keeps for it; ``forget``: that worker dies before it has read the answer.
        """
        call = self.model.calls.get(call_id)
        version = len(call.events) if call else 1
        changes["version"] = version - 1 if stale else version
        planned = self.run(self.driver.plan_and_take(call_id, *deliveries, rooms=rooms or {}, **changes))
        assert (call is not None and not stale) == planned.applied
        if call is None or stale:
            assert () == planned.taken
            if call is not None:
                call.planned, call.wait_ms = False, self.model.now_ms  # looked at again at once
            return False
        call.planned, call.state = True, changes.get("state", "r")
        taken = {(call_id, claimed.key.destination, claimed.key.action): claimed for claimed in planned.taken}
        call.wait_ms = changes.get("wait_until_ms")
        for new in deliveries:
            key = (call_id, new.destination, new.action)
            known = key in self.model.deliveries
            may, must = self.may_be_handed(new, rooms or {}, changes.get("follow_ups", ()))
            self.model.make(key, group=new.group, after_create=new.after == "create")
            if key not in taken:
                assert known or not must
                continue
            assert may
            assert not known
            lease = self.model.take(key)
            claimed = taken.pop(key)
            assert (lease.fence, lease.number, lease.step) == (claimed.fence, claimed.number, claimed.step)
            if not forget:
                self.hands.append(claimed)
        assert {} == taken
        return True

    def may_be_handed(
        self, new: NewDelivery, rooms: Mapping[str, Room], follow_ups: Iterable[FollowUp]
    ) -> tuple[bool, bool]:
        """Say whether a new delivery may be handed over claimed, and whether it must."""
        room, model = rooms.get(new.destination), self.model
        gate = model.gate(new.destination)
        if room is None or new.action != "create" or gate.paused or gate.probing:
            return False, False
        held = new.group != "" and (new.destination, new.group) in model.holders
        older = model.takeable(new.destination)
        missed = [part for part in follow_ups if part.destination == new.destination and not part.answered]
        answers = [at for (_, answered), at in model.follow_ups.items() if answered]
        cancelled = any(part.started_ms <= at <= part.started_ms + part.window_ms for part in missed for at in answers)
        slots = room.slots_beside_older if older else room.slots
        may = not held and not cancelled and slots > 0
        # Those behind others in their line, or beside what is due and cannot be taken, may be left to a claim.
        clear = not any(d.key[1] == new.destination and d.state in "qr" for d in model.deliveries.values())
        return may, may and clear and not missed

    @rule(slot=SLOT, both=st.booleans(), stale=st.booleans(), rooms=ROOMS, forget=st.booleans())
    def plan_creates(self, slot: str, *, both: bool, stale: bool, rooms: Mapping[str, Room], forget: bool) -> None:
        """Route a call, perhaps from an older version of it, perhaps by a worker that has room for it."""
        kap = NewDelivery(destination="kap", action="create", group=GROUPS[slot])
        creates = (NewDelivery(destination="crm", action="create"), kap) if both else (kap,)
        self.plan(self.names[slot], *creates, stale=stale, rooms=rooms, forget=forget)

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

    @rule(slot=SLOT, answered=st.booleans(), started_s=st.integers(0, 90), rooms=ROOMS)
    def plan_follow_up(self, slot: str, answered: bool, started_s: int, rooms: Mapping[str, Room]) -> None:
        """Plan a call of the one caller, missed or answered."""
        part = FollowUp(
            destination="crm", caller="+61", started_ms=NOON + started_s * 1000, window_ms=WINDOW_S * 1000,
            answered=answered,
        )  # fmt: skip
        deliveries = () if answered else (NewDelivery(destination="crm", action="create"),)
        if self.plan(self.names[slot], *deliveries, follow_ups=(part,), rooms=rooms):
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
