"""Finishing: the fence, the ends a claim may have, and what each leaves behind."""

import pytest

from tests.ledgers import LEASE_MS, Driver, ids, key_of, room
from worker.ledger.history import Attempt, History
from worker.ledger.keys import CALL_KEY, DUE_KEY, LEASES_KEY
from worker.ledger.records import Claimed, Finish, NewDelivery, Verdict

ATTEMPT = Attempt(
    number=1, at_ms=5, elapsed_ms=7, status=502, outcome="retry", reason="unavailable", reply="späte|Antwort\n2"
)
HISTORY = History(attempts=(ATTEMPT,), notes=("a|b\nc",), sent_version=2, sent_fields="digest", payload='{"a": "\n|"}')


async def taken_back(driver: Driver) -> Claimed:
    """Return a claim whose lease has ended, and whose delivery the clock has made due again."""
    await driver.make("c1")
    late = await driver.take_one()
    driver.time.pass_s(LEASE_MS / 1000)
    await driver.tick()
    return late


@pytest.mark.parametrize(("how", "state"), [("delivered", "delivered"), ("dead", "dead"), ("skipped", "skipped")])
async def test_a_final_end_is_final(driver: Driver, how: str, state: str):
    """The reason and the moment are kept, the claim is over, and nothing is due any more."""
    await driver.make("c1")
    claimed = await driver.take_one()
    driver.time.pass_s(3)
    finished = await driver.end(claimed, how, reason="why | so", history=HISTORY)

    assert finished.applied
    delivery = await driver.delivery("c1")
    assert (state, "why | so", driver.time.ms) == (str(delivery.state), delivery.reason, delivery.at_ms)
    assert HISTORY == delivery.history
    driver.time.pass_s(86_400)
    assert (0, (), []) == ((await driver.ledger.tick(["crm"])).expired, await driver.tick(), await driver.take())


async def test_an_old_fence_changes_nothing(driver: Driver):
    """A worker that was thought dead cannot end what is in another's hands, nor what another has ended."""
    late = await taken_back(driver)
    current = await driver.take_one()

    assert not (await driver.end(late, "delivered")).applied
    assert "in_flight" == (await driver.delivery("c1")).state
    assert (await driver.end(current, "dead", reason="rejected")).applied
    assert not (await driver.end(late, "delivered")).applied
    assert ["dead"] == await driver.states("c1")


async def test_an_end_after_the_lease_that_asks_for_another_try_changes_nothing(driver: Driver):
    """What the clock has taken back is due again already."""
    late = await taken_back(driver)

    assert not (await driver.end(late, "failed", delay_ms=1)).applied
    assert ["c1"] == ids(await driver.take())


async def test_a_receipt_after_the_lease_counts_while_nobody_else_has_claimed(driver: Driver):
    """After an outage of Redis the clock may be quicker than the receipts: what is delivered is not sent again."""
    late = await taken_back(driver)

    assert (await driver.end(late, "delivered")).applied
    assert [] == ids(await driver.take())
    assert ["delivered"] == await driver.states("c1")


async def test_an_end_of_nothing_changes_nothing(driver: Driver):
    """A delivery that was erased, and one that was never claimed, have no claim to end."""
    await driver.make("c1")
    ends = [
        Finish(key=key_of("gone"), fence=1, verdict=Verdict.DELIVERED, effect="ok"),
        Finish(key=key_of("c1"), fence=0, verdict=Verdict.DELIVERED, effect="ok"),
    ]

    assert [False, False] == [finished.applied for finished in await driver.ledger.finish(ends)]
    assert ["queued"] == await driver.states("c1")
    assert [] == await driver.ledger.load(["gone"])


@pytest.mark.parametrize("how", ["delivered", "dead"])
async def test_an_end_written_again_because_its_answer_was_lost_counts_again(driver: Driver, how: str):
    """Otherwise a Redis that answered too late would hide a delivery from the log, and a dead letter from its queue."""
    await driver.make("c1")
    claimed = await driver.take_one()
    first = await driver.end(claimed, how)
    driver.time.pass_s(1)
    second = await driver.end(claimed, how)

    assert (True, True) == (first.applied, second.applied)
    assert driver.time.ms - 1000 == (await driver.delivery("c1")).at_ms
    assert not (await driver.end(claimed, "skipped")).applied


async def test_a_retry_waits_and_uses_up_one_wait(driver: Driver):
    """The step goes on with each wait, the number with each attempt."""
    await driver.make("c1")
    for step in range(3):
        claimed = await driver.take_one()
        assert (step, step + 1, step + 1) == (claimed.step, claimed.number, claimed.fence)
        await driver.end(claimed, "failed", delay_ms=5000, history=HISTORY)
        assert [] == await driver.take()
        driver.time.pass_s(4.999)
        assert ((), []) == (await driver.tick(), await driver.take())
        driver.time.pass_s(0.001)
        assert ("crm",) == await driver.tick()
        await driver.redis.delete("sb:wake:crm", "sb:gate:crm")

    assert HISTORY == (await driver.take_one()).history


async def test_being_held_uses_up_no_wait(driver: Driver):
    """A delivery that found its destination blocked is due again as soon as that opens."""
    await driver.make("c1")
    claimed = await driver.take_one()
    assert "blocked" == (await driver.end(claimed, "blocked")).gate_event
    await driver.redis.delete("sb:gate:crm")
    claimed = await driver.take_one()

    assert (0, 2, "blocked") == (claimed.step, claimed.number, claimed.reason)


async def test_an_unclaimed_delivery_is_as_if_it_had_never_been_claimed(driver: Driver):
    """Its attempt is not counted; only the fence has moved on."""
    await driver.make("c1")
    await driver.end(await driver.take_one(), "unclaimed", reason="")
    delivery = await driver.delivery("c1")
    assert ("queued", 0, 0) == (str(delivery.state), delivery.number, delivery.step)
    await driver.end(await driver.take_one(), "failed")
    await driver.end(await driver.take_one(), "unclaimed", reason="failed")

    delivery = await driver.delivery("c1")
    assert ("retrying", 1, 1, 3) == (str(delivery.state), delivery.number, delivery.step, delivery.fence)


async def test_an_interrupted_attempt_counts_and_waits_for_nothing_but_its_delay(driver: Driver):
    """Nobody saw its outcome: it is due at once, or after the lease where sending twice is not harmless."""
    await driver.make("c1", "c2")
    first, second = await driver.take()
    await driver.end(first, "interrupted")
    await driver.end(second, "interrupted", delay_ms=LEASE_MS)
    [again] = await driver.take()

    assert ("c1", 2, 0, "interrupted") == (again.key.call_id, again.number, again.step, again.reason)
    driver.time.pass_s(LEASE_MS / 1000)
    assert ["c2"] == ids(await driver.take())


async def test_ends_of_one_round_trip_are_answered_in_their_order(driver: Driver):
    """An end that does not count leaves the others as they are."""
    await driver.make("c1", "c2", "c3")
    first, second, third = await driver.take()
    ends = [
        Finish(key=first.key, fence=1, verdict=Verdict.DELIVERED, effect="ok"),
        Finish(key=second.key, fence=7, verdict=Verdict.DELIVERED, effect="ok"),
        Finish(key=third.key, fence=1, verdict=Verdict.RETRY, effect="fail", delay_ms=10),
    ]

    assert [True, False, True] == [finished.applied for finished in await driver.ledger.finish(ends)]
    assert ["delivered", "in_flight", "retrying"] == await driver.states("c1", "c2", "c3")


async def test_the_siblings_of_an_update_come_with_its_claim(driver: Driver):
    """An update is told what became of the create and of the updates before it; a create needs none of that."""
    await driver.make("c1")
    await driver.end(await driver.take_one(), "delivered", reason="duplicate", history=HISTORY)
    await driver.plan("c1", NewDelivery(destination="crm", action="update-1", after="create"))
    await driver.make("c1", destination="crm-2")
    [update] = await driver.take()

    assert ["create"] == list(update.siblings)
    assert ("duplicate", HISTORY) == (update.siblings["create"].reason, update.siblings["create"].history)


@pytest.mark.parametrize("handed", [False, True], ids=["claimed", "handed over by a plan"])
async def test_the_end_of_a_claim_that_the_ledger_forgot_is_not_that_of_the_next(driver: Driver, *, handed: bool):
    """A promoted replica may lack the claim, and gives its fence again: the lease tells them apart."""
    await driver.make("c1")
    forgotten = str(await driver.redis.hget(f"{CALL_KEY}c1", "d:crm:create"))
    first = await driver.take_one()
    await driver.redis.zrem(LEASES_KEY, "c1:crm:create")
    driver.time.pass_s(1)
    if handed:
        await driver.redis.hdel(f"{CALL_KEY}c1", "d:crm:create")
        create = NewDelivery(destination="crm", action="create")
        [second] = (await driver.plan_and_take("c1", create, rooms={"crm": room()})).taken
    else:
        await driver.redis.hset(f"{CALL_KEY}c1", "d:crm:create", forgotten)
        await driver.redis.zadd(f"{DUE_KEY}crm", {"c1:create": driver.time.ms})
        second = await driver.take_one()
    assert first.fence == second.fence

    assert not (await driver.end(first, "failed")).applied
    assert (await driver.end(second, "delivered")).applied
    assert ["delivered"] == await driver.states("c1")
