"""A state machine drives the ledger against a plain model: nothing is lost, in two hands, or sent after its end."""

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from schemas.delivery import DeliveryKey
from tests.ledgers import ENDS
from tests.worker.ledger.arrivals import DESTINATION, ROOMS, SLOT, Arrivals
from tests.worker.ledger.model import FINAL, Key
from tests.worker.ledger.seen import LINES
from worker.ledger.admin import drop, erase_calls, pause, replay, resume
from worker.ledger.records import Claimed, Room
from worker.ledger.retention import Retention, sweep

HOW = st.sampled_from(sorted(ENDS))


class LedgerMachine(Arrivals):
    """Operations in any order, by workers that crash, come late and repeat themselves, and by operators."""

    @rule(destination=DESTINATION, want=st.sampled_from([1, 2, 50]), handed=st.booleans(), forget=st.booleans())
    def claim(self, destination: str, want: int, handed: bool, forget: bool) -> None:
        """Claim, as a worker that may die before it has read the answer."""
        model, gate = self.model, self.model.gate(destination)
        takeable = {d.key: d for d in model.takeable(destination)}
        keys = [_delivery_key(key) for key in list(takeable)[-1:]] if handed else []
        behind = [self.run(self.driver.redis.lrange(f"sb:park:kap:{group}", 0, -1)) for group in LINES]
        parked = {member for line in behind for member in line}  # behind another of its caller
        claim = self.run(self.driver.claim(destination, want=want, keys=keys))
        got = [_key(claimed) for claimed in claim.items]
        shut = gate.shut(model.now_ms)

        assert (shut or ("ok" if got else "empty")) == claim.verdict
        assert got == [] or not shut
        assert set(got) <= takeable.keys()
        assert len(got) == len(set(got)) <= (1 if gate.probing else want)
        groups = [takeable[key].group for key in got if takeable[key].group]
        assert len(groups) == len(set(groups))
        if got and gate.probing:
            assert got[0] != gate.probe or takeable.keys() == {got[0]}
            gate.probed_with(got[0], model.now_ms)
        elif want == 50 and not shut:
            assert {d.group or key for key, d in takeable.items()} == {takeable[key].group or key for key in got}
        elif keys and not shut and f"{keys[0].call_id}:{keys[0].action}" not in parked:
            assert _key_of(keys[0]) == got[0]
        for claimed in claim.items:
            before = model.deliveries[_key(claimed)].reason
            taken = model.take(_key(claimed))
            assert (taken.fence, taken.number, taken.step, before) == (
                claimed.fence, claimed.number, claimed.step, claimed.reason,
            )  # fmt: skip
        if not forget:
            self.hands += claim.items

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), how=HOW, delay_s=st.sampled_from([0, 0, 20]), duplicate=st.booleans())
    def finish(self, data: st.DataObject, how: str, delay_s: int, duplicate: bool) -> None:
        """End any claim that a worker ever had, in time, late or again."""
        claimed = data.draw(st.sampled_from(self.hands[::-1]))
        verdict, effect = ENDS[how]
        reason = {"delivered": "duplicate" if duplicate else "", "skipped": "no_create"}.get(how, how)
        expected = self.model.finish(
            _key(claimed), claimed.fence, str(verdict), effect, reason=reason, delay_ms=delay_s * 1000
        )

        assert expected == self.run(self.driver.end(claimed, how, reason=reason, delay_ms=delay_s * 1000)).applied

    @precondition(lambda self: self.hands)
    @rule()
    def crash(self) -> None:
        """Kill the worker: what it had is in nobody's hands until the leases end."""
        self.hands.clear()

    @rule(seconds=st.sampled_from([1, 20, 30, 50, 50, 600]), ticks=st.booleans())
    def pass_time(self, seconds: int, ticks: bool) -> None:
        """Let time pass, with or without a clock."""
        self.driver.time.pass_s(seconds)
        self.model.now_ms = self.driver.time.ms
        if ticks:
            self.tick()

    @rule()
    def tick(self) -> None:
        """Tick: expired leases are due again, and who has something to do is woken."""
        self.run(self.driver.redis.delete("sb:wake:crm", "sb:wake:kap"))
        expired = self.model.expire()
        tick = self.run(self.driver.ledger.tick(["crm", "kap"]))
        busy = {name for name in ("crm", "kap") if self.model.takeable(name)}
        served = {name for name in ("crm", "kap") if not self.model.gate(name).shut(self.model.now_ms)}

        assert expired == tick.expired
        assert busy & served <= set(tick.wake) <= served

    @rule(destination=DESTINATION, on=st.booleans())
    def pause_or_resume(self, destination: str, on: bool) -> None:
        """Pause a destination, or open it."""
        if on:
            self.run(pause(self.driver.ledger, destination))
            self.model.gate(destination).paused = True
        else:
            self.run(resume(self.driver.ledger, destination))
            self.model.gate(destination).resume()

    @precondition(lambda self: self.model.deliveries)
    @rule(data=st.data(), again=st.booleans())
    def replay_or_drop(self, data: st.DataObject, again: bool) -> None:
        """Put a dead letter back or drop it, or try to with what is none."""
        keys = sorted(self.model.deliveries)
        dead = [key for key in keys if self.model.deliveries[key].state == "X"]
        key = data.draw(st.sampled_from(dead or keys))
        expected = self.model.replay(key) if again else self.model.drop(key)
        work = (replay if again else drop)(self.driver.ledger, [_delivery_key(key)])

        assert [expected] == self.run(work)

    @rule(slot=SLOT)
    def erase(self, slot: str) -> None:
        """Erase a call, whatever state it is in."""
        call_id = self.names[slot]
        known = call_id in self.model.calls

        assert [known] == self.run(erase_calls(self.driver.ledger, [call_id], remember_s=10**6))
        if known:
            self.remove([call_id])

    @rule(slot=SLOT, rooms=ROOMS, forget=st.booleans(), missed=st.booleans())
    def replace(self, slot: str, rooms: Mapping[str, Room], forget: bool, missed: bool) -> None:
        """Let a new call come in a call's place, planned at once by a worker that has room for it."""
        self.erase(slot)
        self.accept(slot, "s0", removed=False)
        if missed:
            self.plan_follow_up(slot, answered=False, started_s=30, rooms=rooms)
        else:
            self.plan_creates(slot, both=True, stale=False, rooms=rooms, forget=forget)

    @rule()
    def sweep(self) -> None:
        """Remove calls that are over, and nothing else."""
        self.run(self.driver.redis.delete("sb:sweep"))
        removed = self.run(sweep(self.driver.ledger, Retention(calls_s=600, dead_s=1200, remember_s=10**6)))
        gone = self.model.calls.keys() - {call.call_id for call in self.run(self.driver.ledger.load(self.model.calls))}

        assert removed == len(gone)
        for call_id in gone:
            call = self.model.calls[call_id]
            assert call.planned
            assert call.state != "w"
            assert all(d.state in FINAL for key, d in self.model.deliveries.items() if key[0] == call_id)
        self.remove(gone)


def _key(claimed: Claimed) -> Key:
    return _key_of(claimed.key)


def _key_of(key: DeliveryKey) -> Key:
    return key.call_id, key.destination, key.action


def _delivery_key(key: Key) -> DeliveryKey:
    return DeliveryKey(*key)


@pytest.mark.parametrize(
    ("real", "examples", "steps"), [(False, 6, 40), pytest.param(True, 40, 60, marks=pytest.mark.needs_redis)]
)
def test_nothing_is_lost_or_in_two_hands(request: pytest.FixtureRequest, real: bool, examples: int, steps: int):
    """Whatever happens in whatever order, the ledger does as the plain model says."""
    url = request.getfixturevalue("redis_url") if real else None
    machine = type("Machine", (LedgerMachine,), {"url": url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True, database=None,
            phases=[Phase.generate],  # shrinking takes minutes: a failure is replayed by its seed, and shrunk by hand
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
