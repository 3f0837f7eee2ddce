"""The pump and planning: slots kept for a plan, and deliveries that come already claimed."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from tasks.delivery.backlog_throttle import BESIDE_FRESH, BacklogThrottle
from tasks.delivery.pump import CLAIM_LIMIT, Pump
from tests.ledgers import LEASE_MS, Driver, key_of
from tests.tasks.delivery.fake_deliverer import FakeDeliverer, finished, make_pump
from worker.ledger.records import Claimed, NewDelivery, Plan, Room, Slots

CREATE = NewDelivery(destination="crm", action="create")


async def plan(driver: Driver, pump: Pump, *names: str, want: int | None = None, confirmed: bool = True) -> int:
    """Plan calls with the slots that the pump keeps; return how many it was handed."""
    for name in names:
        await driver.accept(name)
    room = pump.keep(len(names) if want is None else want)
    plans = [
        Plan(call_id=name, version=1, state="r", revision=1, wait_until_ms=0, deliveries=(CREATE,)) for name in names
    ]
    answer = await driver.ledger.plan_and_take(plans, rooms={"crm": room} if room else {})
    taken: Sequence[Claimed] = [claimed for planned in answer.plans for claimed in planned.taken]
    if room is not None:
        pump.adopt(room, taken, confirmed=confirmed, beside_older="crm" in answer.older)
    return len(taken)


async def test_what_is_handed_over_is_delivered_without_a_message(driver: Driver, fake: FakeDeliverer):
    """A run begins by itself, and ends when its work has."""
    pump = make_pump(fake)
    assert 2 == await plan(driver, pump, "c1", "c2")
    await finished(asyncio.create_task(pump.ended()))

    assert ["c1", "c2"] == fake.delivered
    assert Slots(3, 3) == pump.slots


async def test_slots_that_are_kept_are_nobody_elses(driver: Driver, fake: FakeDeliverer):
    """Neither a claim nor another plan takes them; what the plan did not use is free again."""
    pump = make_pump(fake)
    room = pump.keep(2)
    assert room is not None
    assert (2, Slots(1, 3)) == (room.slots, pump.slots)
    await driver.make("c1", "c2", "c3")
    fake.hold("c1", "c2", "c3")
    run = asyncio.create_task(pump.run())
    await fake.until(under_way=1)
    assert (None, Slots(0, 3)) == (pump.keep(1), pump.slots)
    pump.adopt(room, (), confirmed=True, beside_older=False)
    assert Slots(2, 3) == pump.slots
    await pump.run()
    await fake.until(under_way=3)
    fake.let_go()
    await finished(run)

    assert Slots(3, 3) == pump.slots


async def test_fresh_calls_take_half_the_slots_while_older_ones_are_due(driver: Driver, fake: FakeDeliverer):
    """However often is planned: the other half is the claims'."""
    names = [f"new-{number}" for number in range(6)]
    pump = make_pump(fake, concurrency=4)
    await driver.make("old-0", "old-1", "old-2")
    fake.hold("old-0", "old-1", "old-2", *names)
    handed = [await plan(driver, pump, name) for name in names]
    assert [1, 1, 0, 0, 0, 0] == handed
    run = asyncio.create_task(pump.run())
    await fake.until(under_way=4)

    assert {"old-0", "old-1", *names[:2]} == fake.under_way
    fake.let_go("old-0", "old-1")
    await fake.until(delivered=2, under_way=4)
    assert "old-2" in fake.under_way
    fake.let_go()
    await fake.until(delivered=9)
    await finished(run)


async def test_nothing_is_kept_for_planning_where_claims_must_look(fake: FakeDeliverer):
    """A rate is kept by claims alone, and a pump that stops takes nothing more."""
    limited, stopped = make_pump(fake, rate_per_s=5.0), make_pump(fake)
    stopped.stop()

    assert [None] * 4 == [limited.slots, limited.keep(1), stopped.slots, stopped.keep(1)]


async def test_a_backlog_beside_fresh_calls_is_handed_as_few_as_a_claim(fake: FakeDeliverer):
    """Its pace holds for what comes by planning too."""
    throttle = BacklogThrottle()
    pump = make_pump(fake, concurrency=100, throttle=throttle)
    alone = pump.keep(100)
    throttle.claimed("crm", left=1000, behind_s=60)
    throttle.claimed("another", left=0, behind_s=0)
    beside = pump.keep(100)

    assert alone is not None
    assert beside is not None
    assert (CLAIM_LIMIT, BESIDE_FRESH.claimed) == (alone.slots, beside.slots)


async def test_what_could_outlive_its_lease_is_not_begun(driver: Driver, fake: FakeDeliverer):
    """As with a claim whose answer came late: its lease returns it."""
    pump = Pump(
        make_pump(fake).destination, ledger=driver.ledger, deliver=fake.deliver,
        lease_ms=round(make_pump(fake).destination.timeout_s * 1000),
    )  # fmt: skip
    assert 1 == await plan(driver, pump, "c1")
    await finished(asyncio.create_task(pump.ended()))
    assert ([], ["in_flight"]) == (fake.delivered, await driver.states("c1"))
    driver.time.pass_s(LEASE_MS / 1000)

    assert ("crm",) == await driver.tick()


async def test_what_replicas_do_not_confirm_goes_back_unsent(driver: Driver, fake: FakeDeliverer):
    """It is due again, with no attempt used up, and its slots are free."""
    pump = make_pump(fake, confirms=True)
    assert 1 == await plan(driver, pump, "c1", confirmed=False)
    await finished(asyncio.create_task(pump.ended()))

    assert [] == fake.delivered
    assert ("queued", 0) == ((await driver.states("c1"))[0], (await driver.delivery("c1")).number)
    assert Slots(3, 3) == pump.slots


async def test_a_stop_waits_for_what_was_handed_over_and_a_cut_records_it(driver: Driver, fake: FakeDeliverer):
    """As for what was claimed."""
    pump = make_pump(fake)
    fake.hold("c1")
    await plan(driver, pump, "c1")
    await fake.until(under_way=1)
    pump.stop()
    ended = asyncio.create_task(pump.ended())
    await asyncio.sleep(0)
    assert not ended.done()
    pump.cut()
    await finished(ended)

    assert ["c1"] == fake.cut
    assert ["retrying"] == await driver.states("c1")


async def test_a_pump_that_stops_while_a_plan_is_under_way_begins_what_it_hands_over(
    driver: Driver, fake: FakeDeliverer
):
    """It has time for it; and where it is cut before, nothing is sent and the lease returns it."""
    pump = make_pump(fake)
    room = pump.keep(1)
    assert room is not None
    pump.stop()
    await driver.accept("c1")
    planned = await driver.plan_and_take("c1", CREATE, rooms={"crm": room})
    pump.adopt(room, planned.taken, confirmed=True, beside_older=False)
    await finished(asyncio.create_task(pump.ended()))
    assert ["c1"] == fake.delivered
    cut = make_pump(fake)
    room = cut.keep(1)
    assert room is not None
    cut.stop()
    cut.cut()
    await driver.accept("c2")
    planned = await driver.plan_and_take("c2", CREATE, rooms={"crm": room})
    cut.adopt(room, planned.taken, confirmed=True, beside_older=False)
    await finished(asyncio.create_task(cut.ended()))

    assert (["c1"], ["in_flight"]) == (fake.delivered, await driver.states("c2"))


async def test_keys_that_are_handed_begin_a_run_where_that_is_asked_for(driver: Driver, fake: FakeDeliverer):
    """An update of a call that this process planned needs no message either."""
    await driver.make("c1")
    pump = make_pump(fake)
    assert not pump.hand([key_of("c1")])
    assert pump.hand([key_of("c1")], start=True)
    await finished(asyncio.create_task(pump.ended()))

    assert ["c1"] == fake.delivered


@pytest.mark.parametrize("seed", range(3))
async def test_no_slot_is_lost_or_given_twice_whatever_meets(driver: Driver, fake: FakeDeliverer, seed: int):
    """Plans, messages and ends in any order: never more than the slots, and all of it is delivered."""
    rng = Random(seed)
    pump = make_pump(fake, concurrency=4)
    made: list[str] = []

    async def one(number: int) -> None:
        for _ in range(rng.randrange(50)):
            await asyncio.sleep(0)
        names = [f"c{number}-{i}" for i in range(rng.randrange(1, 4))]
        made.extend(names)
        if rng.random() < 0.3:
            await driver.make(*names)
        else:
            await plan(driver, pump, *names, want=rng.randrange(1, 6))
        await pump.run([key_of(name) for name in names] if rng.random() < 0.5 else ())

    async with asyncio.timeout(30):
        await asyncio.gather(*map(one, range(40)))
        await pump.run()
        await fake.until(delivered=len(made))
        await pump.ended()

    assert sorted(made) == sorted(fake.delivered)
    assert fake.most <= 4
    assert Slots(4, 4) == pump.slots


async def test_a_room_is_given_back_whole_where_the_plan_failed(fake: FakeDeliverer):
    """Redis was away: nothing was handed over, and nobody waits for the slots."""
    pump = make_pump(fake)
    room: Any = pump.keep(3)
    assert isinstance(room, Room)
    pump.adopt(room, (), confirmed=True, beside_older=False)

    assert Slots(3, 3) == pump.slots


async def test_a_run_that_is_woken_needs_nobody_who_waits(driver: Driver, fake: FakeDeliverer):
    """It takes the keys and what else is due, answers the wake-up, and its end can be waited for."""
    pump = make_pump(fake)
    await driver.make("c1", "c2")
    assert ("crm",) == await driver.tick()
    pump.wake([key_of("c2")])
    pump.wake([])
    await finished(asyncio.create_task(pump.ended()))

    assert {"c1", "c2"} == set(fake.delivered)
    assert not await driver.redis.exists("sb:wake:crm")
