"""Dispatch: batches of calls planned against a real ledger, and whom to wake."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tasks.dispatch.dispatcher import Dispatched, dispatch
from tasks.dispatch.planner import Planner
from tasks.vendors.registry import VENDORS
from tests.ledgers import Driver
from tests.tasks.dispatch.planned import END, HOUR_MS, START, record
from tests.worker.config.configured import CONTRACT, load
from worker.ledger.keys import CALL_KEY
from worker.ledger.records import Plan, StoredCall
from worker.ledger.sign_ins import SignIn

WHOLE = record("c", START | END)


@pytest.fixture
def planner(tmp_path: Path) -> Planner:
    """Return a planner by the contract's own configuration."""
    return Planner(settings=load(tmp_path), vendors=VENDORS)


def messages(done: Dispatched) -> Mapping[str, tuple[str, ...]]:
    """Return the keys to wake by destination."""
    return {wake_up.destination: tuple(map(str, wake_up.keys)) for wake_up in done.wake_ups}


async def test_calls_are_planned_and_their_destinations_woken(driver: Driver, planner: Planner):
    """One message a destination, with the keys of all calls of the batch."""
    await driver.accept("c1", WHOLE)
    await driver.accept("c2", WHOLE)
    with capture_logs() as logs:
        done = await dispatch(["c1", "c2"], ledger=driver.ledger, planner=planner)

    assert {
        "smith-law": ("c1:smith-law:create", "c2:smith-law:create"), "crm": ("c1:crm:create", "c2:crm:create"),
    } == messages(done)  # fmt: skip
    assert () == done.no_start
    assert [("call.planned", "ready")] * 2 == [(entry["event"], entry["state"]) for entry in logs]
    assert "614915" not in str(logs)


async def test_a_dispatch_that_is_repeated_makes_nothing_anew(driver: Driver, planner: Planner):
    """A doubled message does nothing to the data."""
    await driver.accept("c1", WHOLE)
    await dispatch(["c1", "c1"], ledger=driver.ledger, planner=planner)

    assert Dispatched((), ()) == await dispatch(["c1"], ledger=driver.ledger, planner=planner)
    assert Dispatched((), ()) == await dispatch(["c1"], ledger=driver.ledger, planner=planner, new_only=True)
    assert ["c1"] == [one.key.call_id for one in await driver.take("crm")]


async def test_calls_whose_wait_is_over_are_found_without_being_named(driver: Driver, planner: Planner):
    """The clock's message names none; more than a batch of them are taken."""
    names = {f"c{i:03}" for i in range(300)}
    for name in names:
        await driver.accept(name, WHOLE)
    driver.time.pass_s(2)
    done = await dispatch([], ledger=driver.ledger, planner=planner)

    assert names == {key.call_id for wake_up in done.wake_ups for key in wake_up.keys}
    assert all(len(wake_up.keys) <= 64 for wake_up in done.wake_ups)
    assert [] == await driver.ledger.calls_due(limit=10)


async def test_a_call_waits_and_is_delivered_as_it_is_in_the_end(driver: Driver, planner: Planner):
    """Four hours after its start, by the clock alone."""
    await driver.accept("c1", record("s", START))
    assert Dispatched((), ()) == await dispatch(["c1"], ledger=driver.ledger, planner=planner)
    driver.time.pass_s(4 * HOUR_MS / 1000 - 1)
    assert Dispatched((), ()) == await dispatch([], ledger=driver.ledger, planner=planner)
    driver.time.pass_s(1)

    assert {"smith-law", "crm"} == messages(await dispatch([], ledger=driver.ledger, planner=planner)).keys()


async def test_a_call_without_its_start_is_told_once_and_delivered_when_it_comes(driver: Driver, planner: Planner):
    """It is a dead letter of ``calls`` until then."""
    await driver.accept("c1", record("e", END))
    await dispatch(["c1"], ledger=driver.ledger, planner=planner)
    driver.time.pass_s(120)
    assert ("c1",) == (await dispatch([], ledger=driver.ledger, planner=planner)).no_start
    assert () == (await dispatch(["c1"], ledger=driver.ledger, planner=planner)).no_start
    await driver.accept("c1", record("s", START))

    assert {"smith-law", "crm"} == messages(await dispatch(["c1"], ledger=driver.ledger, planner=planner)).keys()
    assert 0 == (await driver.ledger.overview()).no_start


async def test_unrouted_calls_are_routed_by_a_changed_configuration(driver: Driver, planner: Planner, tmp_path: Path):
    """``calls reroute`` dispatches them again."""
    text = CONTRACT.replace("[[routes]]\n", '[[routes]]\nservice_ids = ["999"]\n')
    narrow = Planner(settings=load(tmp_path, text), vendors=VENDORS)
    await driver.accept("c1", WHOLE)
    assert Dispatched((), ()) == await dispatch(["c1"], ledger=driver.ledger, planner=narrow)
    assert 1 == (await driver.ledger.overview()).unrouted

    assert {"smith-law", "crm"} == messages(await dispatch(["c1"], ledger=driver.ledger, planner=planner)).keys()
    assert 0 == (await driver.ledger.overview()).unrouted


async def test_a_large_backlog_is_left_to_the_clock(driver: Driver, planner: Planner):
    """Beyond it one wake-up a destination is enough, so that messages are bounded by destinations."""
    await driver.redis.zadd("sb:due:crm", {f"x{i}:create": driver.time.ms + 10**9 for i in range(998)})
    names = [f"c{i}" for i in range(6)]
    for name in names:
        await driver.accept(name, WHOLE)
    done = await dispatch(names, ledger=driver.ledger, planner=planner)

    assert ("c0:crm:create", "c1:crm:create") == messages(done)["crm"]
    assert 6 == len(messages(done)["smith-law"])
    assert ("crm",) == await driver.tick("crm")


async def test_unknown_calls_are_passed_over_and_waited_for_no_more(driver: Driver, planner: Planner):
    """A call that was erased between its message and its dispatch."""
    await driver.redis.zadd("sb:waits", {"gone": 1})

    assert Dispatched((), ()) == await dispatch([], ledger=driver.ledger, planner=planner)
    assert [] == await driver.redis.zrange("sb:waits", 0, -1)
    assert Dispatched((), ()) == await dispatch(["nobody"], ledger=driver.ledger, planner=planner)


async def test_an_event_that_comes_between_reading_and_planning_is_planned_next(driver: Driver, planner: Planner):
    """The plan made without it is not applied, and the call is due at once."""

    class Meanwhile(Planner):
        def plan(self, stored: StoredCall, *, now_ms: int) -> Plan:
            late.append(stored.call_id)
            return super().plan(stored, now_ms=now_ms)

    class Late(type(driver.ledger)):  # type: ignore[misc]
        async def plan(self, plans: Any, *, by: str = "") -> Any:
            if len(late) == 1:
                await driver.accept("c1", record("e", END))
            return await super().plan(plans, by=by)

    late: list[str] = []
    ledger = Late(driver.redis, clock_ms=driver.time)
    between = Meanwhile(settings=planner.settings, vendors=planner.vendors)
    await driver.accept("c1", record("s", START))
    assert Dispatched((), ()) == await dispatch(["c1"], ledger=ledger, planner=between)

    assert {"smith-law", "crm"} == messages(await dispatch([], ledger=ledger, planner=between)).keys()


async def test_a_call_that_cannot_be_planned_holds_up_no_other(driver: Driver, planner: Planner):
    """A bug of ours in one call is told, and tried again by the clock; the rest of its batch goes on."""

    class Broken(Planner):
        def plan(self, stored: StoredCall, *, now_ms: int) -> Plan:
            if stored.call_id == "bad":
                raise ZeroDivisionError
            return super().plan(stored, now_ms=now_ms)

    broken = Broken(settings=planner.settings, vendors=planner.vendors)
    for name in ("c1", "bad", "c2"):
        await driver.accept(name, WHOLE)
    with capture_logs() as logs:
        done = await dispatch(["c1", "bad", "c2"], ledger=driver.ledger, planner=broken)

    assert ("c1:crm:create", "c2:crm:create") == messages(done)["crm"]
    assert [("call.plan_failed", "bad")] == [
        (entry["event"], entry["call_id"]) for entry in logs if entry["log_level"] == "error"
    ]
    driver.time.pass_s(60)
    assert {"bad"} == {
        key.call_id
        for wake_up in (await dispatch([], ledger=driver.ledger, planner=planner)).wake_ups for key in wake_up.keys
    }  # fmt: skip


@pytest.mark.parametrize("field", [("e1", "1 z{}"), ("st", "q"), ("d:crm:create", "Z|0|0|0|0||\n")])
async def test_a_call_of_a_later_version_waits_and_holds_up_no_other(
    driver: Driver, planner: Planner, field: tuple[str, str]
):
    """The others are planned; it is set aside as it is, and planned once it can be read."""
    for name in ("c1", "odd", "c2"):
        await driver.accept(name, WHOLE)
    before: Any = await driver.redis.hgetall(f"{CALL_KEY}odd")
    await driver.redis.hset(f"{CALL_KEY}odd", *field)

    done = await dispatch(["c1", "odd", "c2"], ledger=driver.ledger, planner=planner)

    assert {key.call_id for wake_up in done.wake_ups for key in wake_up.keys} == {"c1", "c2"}
    assert await driver.redis.hgetall(f"{CALL_KEY}odd") == before | {field[0]: field[1]}
    await driver.redis.delete(f"{CALL_KEY}odd")
    await driver.redis.hset(f"{CALL_KEY}odd", mapping=before)
    driver.time.pass_s(61)
    await driver.tick()
    again = await dispatch([], ledger=driver.ledger, planner=planner)
    assert {key.call_id for wake_up in again.wake_ups for key in wake_up.keys} == {"odd"}


FIRST_ONLY = """
[receiver]
tokens = ["a-token-for-tests-only"]

[destinations.crm]
vendor = "kapture"
url = "https://crm.example.com"
auth_key = "a-kapture-key"
email = "{caller_digits}@calls.example.com"

[[routes]]
to = ["crm"]
first_call = true
"""


async def test_a_route_may_take_first_calls_only(driver: Driver, tmp_path: Path):
    """Two calls of one caller in one batch are not both first; the delivery says so too."""
    planner = Planner(settings=load(tmp_path, FIRST_ONLY), vendors=VENDORS)
    for name in ("c1", "c2"):
        await driver.accept(name, WHOLE)
        driver.time.ms += 1
    done = await dispatch(["c1", "c2"], ledger=driver.ledger, planner=planner)

    assert {"crm": ("c1:crm:create",)} == messages(done)
    assert ["ready", "unrouted"] == [(await driver.call(name)).state for name in ("c1", "c2")]
    assert "yes" == (await driver.take_one("crm")).first_call


async def test_without_such_a_route_nothing_is_asked_before(driver: Driver, planner: Planner):
    """What is said of a call is noted by its plan, without a round trip of its own."""
    asked: list[str] = []
    run = driver.ledger.scripts.run

    async def listening(name: str, *args: str | float) -> Any:
        asked.append(name)
        return await run(name, *args)

    await driver.accept("c1", WHOLE)
    driver.ledger.scripts.run = listening  # type: ignore[method-assign]
    await dispatch(["c1"], ledger=driver.ledger, planner=planner)

    assert ["plan"] == asked
    assert "yes" == (await driver.call("c1")).first_call


VALUES = {
    "s": START,
    "e": END,
    "p": {"PLA_RecordingFile": "https://recordings.example.com/1"},
    "q": START | {"PLA_Answering_Point": "front desk"},
    "c": START | END,
}
EARLY = CONTRACT.replace('vendor = "kapture"\n', 'vendor = "kapture"\nwhen = "start"\n')


@pytest.mark.parametrize("text", [CONTRACT, EARLY], ids=["end", "start"])
async def test_no_event_is_put_off_that_the_planner_would_act_on(driver: Driver, tmp_path: Path, text: str):
    """Every order of up to three events: one that waits changes no plan but for the wait, and is looked at in time.

    And the planner is asked of no first event that it would let wait.
    """
    planner = Planner(settings=load(tmp_path, text), vendors=VENDORS)
    said = SignIn(name="one", config="aaa", changed_ms=1, queues=("calls",))
    await driver.ledger.sign_in(said, planner.patience)
    assert (text is EARLY) == planner.patience.early
    orders = ["".join(kinds) for kinds in product("sepqc", repeat=3)]
    for length in (1, 2, 3):
        for kinds in orders:
            kind = kinds[length - 1]
            answer = await driver.accept(kinds, record(kind, VALUES[kind] | {"PLA_City": str(length)}))
            plan = planner.plan(await driver.call(kinds), now_ms=driver.time.ms)
            waits = plan.state == "w" and not plan.deliveries
            assert waits or answer == "N", kinds[:length]
            if answer == "W":
                assert float(await driver.redis.zscore("sb:waits", kinds) or 0) <= plan.wait_until_ms
            elif length == 1:
                assert not waits, kind
        driver.time.pass_s(1)
