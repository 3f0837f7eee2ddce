"""Plans that hand deliveries over: claimed in the same step, where a worker keeps room for them."""

from typing import Any

from tests.ledgers import LEASE_MS, Driver, ids, room
from tests.worker.ledger.test_confirmation import alone, driver_of
from worker.ledger.admin import pause
from worker.ledger.keys import CALL_KEY
from worker.ledger.records import Claimed, FollowUp, NewDelivery, Plan, Planned

CREATE = NewDelivery(destination="crm", action="create")
OF_CALLER = NewDelivery(destination="crm", action="create", group="614")
WHOLE = 'c{"a":"1"}'


async def hand_over(driver: Driver, call_id: str, *deliveries: NewDelivery, **rooms: Any) -> Planned:
    """Let a call come, and plan it with these rooms."""
    await driver.accept(call_id, WHOLE)
    return await driver.plan_and_take(call_id, *deliveries, rooms=rooms)


def missed(call_id: str, *, answered: bool = False) -> Plan:
    """Plan a call of the follow-up."""
    part = FollowUp(destination="crm", caller="+614", started_ms=1000, window_ms=1000, answered=answered)
    return Plan(
        call_id=call_id, version=1, state="r", revision=1, wait_until_ms=0, follow_ups=(part,),
        deliveries=() if answered else (CREATE,),
    )  # fmt: skip


async def test_what_is_handed_over_is_as_a_claim_leaves_it(driver: Driver):
    """Every field of it, and everything that the ledger keeps, but for the keys of ``due``."""
    await driver.redis.set("sb:memo:crm:614", '{"customer":"7"}', px=60_000)
    await driver.redis.sadd("sb:suppressed", "+61400000000")
    planned = await hand_over(driver, "c1", OF_CALLER, crm=room())
    by_plan: Any = await driver.redis.hgetall(f"{CALL_KEY}c1")
    leases = await driver.redis.zrange("sb:leases", 0, -1, withscores=True)
    await driver.end(planned.taken[0], "delivered")
    await driver.accept("c2", WHOLE)
    await driver.plan("c2", OF_CALLER)
    claimed = await driver.take_one()
    by_claim: Any = await driver.redis.hgetall(f"{CALL_KEY}c2")

    assert () == planned.created
    assert [("c1:crm:create", driver.time.ms + LEASE_MS)] == leases
    assert [("c2:crm:create", driver.time.ms + LEASE_MS)] == await driver.redis.zrange(
        "sb:leases", 0, -1, withscores=True
    )
    assert by_claim == by_plan
    [taken] = planned.taken
    names = [name for name in Claimed.__dataclass_fields__ if name != "key"]
    assert [getattr(claimed, name) for name in names] == [getattr(taken, name) for name in names]
    assert taken.suppressing
    assert '{"customer":"7"}' == taken.memory


async def test_no_more_are_handed_over_than_there_are_slots(driver: Driver):
    """The rest becomes due, in its order."""
    plans = []
    for number in range(5):
        await driver.accept(f"c{number}", WHOLE)
        plans.append(
            Plan(call_id=f"c{number}", version=1, state="r", revision=1, wait_until_ms=0, deliveries=(CREATE,))
        )
    answer = await driver.ledger.plan_and_take(plans, rooms={"crm": room(3)})

    assert ["c0", "c1", "c2"] == ids([one for planned in answer.plans for one in planned.taken])
    assert ["c3", "c4"] == [key.call_id for planned in answer.plans for key, _ in planned.created]
    assert ["in_flight"] * 3 + ["queued"] * 2 == await driver.states(*(f"c{number}" for number in range(5)))


async def test_fewer_are_handed_over_beside_what_is_due(driver: Driver):
    """So that a flood of fresh calls never starves retries; what is due later does not count."""
    await driver.make("older")
    await driver.accept("c1", WHOLE)
    answer = await driver.ledger.plan_and_take([missed("c1")], rooms={"crm": room(50, beside_older=0)})
    assert {"crm"} == answer.older
    assert ((), 1) == (answer.plans[0].taken, len(answer.plans[0].created))
    for claimed in await driver.take():
        await driver.end(claimed, "failed", delay_ms=60_000)
    planned = await hand_over(driver, "c2", CREATE, crm=room(50, beside_older=0))

    assert ["c2"] == ids(planned.taken)


async def test_nothing_is_handed_over_where_the_destination_is_held(driver: Driver):
    """Paused here; blocked and open ones are the machine's."""
    await pause(driver.ledger, "crm")
    planned = await hand_over(driver, "c1", CREATE, crm=room())

    assert ((), ()) == (planned.taken, planned.created)
    assert ["queued"] == await driver.states("c1")


async def test_one_of_a_caller_is_handed_over_and_the_next_waits_in_line(driver: Driver):
    """A second is due while the first is under way; while others stand in line, none goes past them."""
    first = await hand_over(driver, "c1", OF_CALLER, crm=room())
    second = await hand_over(driver, "c2", OF_CALLER, crm=room())
    assert (["c1"], []) == (ids(first.taken), ids(second.taken))
    assert [] == await driver.take()
    await driver.make("c3", group="614")
    assert [] == await driver.take()
    assert (await driver.end(first.taken[0], "delivered")).more_due
    fourth = await hand_over(driver, "c4", OF_CALLER, crm=room())

    assert [] == ids(fourth.taken)
    assert ["c2"] == ids(await driver.take())


async def test_a_lead_that_an_answered_call_cancels_is_not_handed_over(driver: Driver):
    """It is not sent to be withdrawn: neither where the answered call was first, nor where both are planned at once."""
    for call_id in ("a", "c1", "c2", "b"):
        await driver.accept(call_id, WHOLE)
    answer = await driver.ledger.plan_and_take([missed("c1"), missed("a", answered=True)], rooms={"crm": room()})
    again = await driver.ledger.plan_and_take([missed("c2")], rooms={"crm": room()})

    assert [] == [one for planned in (*answer.plans, *again.plans) for one in planned.taken]
    assert ["cancelled", "cancelled"] == await driver.states("c1", "c2")


async def test_a_lead_handed_over_is_withdrawn_by_a_later_answer(driver: Driver):
    """As one that was claimed: after its end."""
    await driver.accept("c1", WHOLE)
    await driver.accept("a", WHOLE)
    [planned] = (await driver.ledger.plan_and_take([missed("c1")], rooms={"crm": room()})).plans
    await driver.ledger.plan([missed("a", answered=True)])
    assert [] == await driver.take()

    assert (await driver.end(planned.taken[0], "delivered")).more_due
    assert ["cancel"] == [claimed.key.action for claimed in await driver.take()]


async def test_updates_and_calls_of_a_lost_ledger_are_left_to_a_claim(driver: Driver):
    """Both have to know more than a plan does: what became of the create, and the doubt about the caller."""
    update = NewDelivery(destination="crm", action="update-1", after="create")
    planned = await hand_over(driver, "c1", update, crm=room())
    assert () == planned.taken
    await driver.accept("c2", WHOLE)
    await driver.redis.hset(f"{CALL_KEY}c2", "jr", "1")
    planned = await driver.plan_and_take("c2", OF_CALLER, rooms={"crm": room()})

    assert () == planned.taken
    assert '{"unsure":"1"}' == {one.key.call_id: one for one in await driver.take()}["c2"].memory


async def test_a_worker_that_dies_with_what_it_was_handed_loses_nothing(driver: Driver):
    """After the lease the next one has it, with the next fence, and the dead one's end is not taken."""
    [dead] = (await hand_over(driver, "c1", OF_CALLER, crm=room())).taken
    assert [] == await driver.take()
    driver.time.pass_s(LEASE_MS / 1000)
    assert ("crm",) == await driver.tick()
    claimed = await driver.take_one()

    assert (2, 2, "interrupted") == (claimed.fence, claimed.number, claimed.reason)
    assert not (await driver.end(dead, "failed")).applied
    assert (await driver.end(claimed, "delivered")).applied


async def test_a_plan_that_is_written_again_hands_nothing_over_again(driver: Driver):
    """A doubled message, or another process that planned the same call."""
    first = await hand_over(driver, "c1", CREATE, crm=room())
    again = await driver.plan_and_take("c1", CREATE, rooms={"crm": room()})

    assert (["c1"], (), ()) == (ids(first.taken), again.taken, again.created)


async def test_replicas_confirm_what_is_handed_over_where_that_is_asked_for(redis_pair: Any):
    """Where they have it not, the answer says so; from then on such a room gets nothing until they follow again."""
    async with driver_of(redis_pair.url) as driver, driver_of(redis_pair.url, min_replicas=0) as unasked:
        for call_id in ("c1", "c2", "c3"):
            await unasked.accept(call_id, WHOLE)
        await unasked.redis.wait(1, 5000)  # the first write to a replica takes its time on a busy machine
        first = await driver.ledger.plan_and_take([missed("c1")], rooms={"crm": room(confirms=True)})
        alone(redis_pair)
        second = await driver.ledger.plan_and_take([missed("c2")], rooms={"crm": room(confirms=True)})
        third = await driver.ledger.plan_and_take([missed("c3")], rooms={"crm": room(confirms=True)})
        without = await driver.ledger.plan_and_take([missed("c3")], rooms={"crm": room()})

    assert (["c1"], True) == (ids(first.plans[0].taken), first.confirmed)
    assert (["c2"], False) == (ids(second.plans[0].taken), second.confirmed)
    assert ((), 1) == (third.plans[0].taken, len(third.plans[0].created))
    assert without.confirmed
