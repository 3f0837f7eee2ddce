"""What an operator may do to a delivery in any state: retry it now, cancel it, deliver it again."""

import pytest

from schemas.delivery import FINAL, State
from tests.ledgers import ids, key_of
from worker.ledger import admin, queries


async def _open_calls(driver, *names, **span):
    return sorted(
        [call_id async for page in queries.calls_with_open_work(driver.ledger, names, **span) for call_id in page]
    )


async def test_a_retry_cuts_the_wait_and_keeps_the_schedule(driver):
    """It is due now; its step stays, so the next failure waits as long as it would have."""
    await driver.make("a-1")
    await driver.end(await driver.take_one(), "failed", delay_ms=3_600_000)
    assert [] == await driver.take()

    assert [True] == await admin.retry(driver.ledger, [key_of("a-1")])

    claimed = await driver.take_one()
    assert (2, 1) == (claimed.number, claimed.step)


async def test_a_retry_wakes_the_destination_at_the_next_tick(driver):
    """Though a wake-up may be outstanding."""
    await driver.make("a-1")
    assert ("crm",) == await driver.tick()
    assert () == await driver.tick()

    assert [True] == await admin.retry(driver.ledger, [key_of("a-1")])

    assert ("crm",) == await driver.tick()


@pytest.mark.parametrize("how", ["delivered", "dead", "skipped"])
async def test_what_is_final_is_neither_retried_nor_cancelled(driver, how):
    """Nor is what a worker has in its hands, or what is not there."""
    await driver.make("a-1", "a-2")
    await driver.end(await driver.take_one(), how)
    await driver.take_one()
    keys = [key_of("a-1"), key_of("a-2"), key_of("nobody")]

    assert [False] * 3 == await admin.retry(driver.ledger, keys)
    assert [False] * 3 == await admin.cancel(driver.ledger, keys)
    assert [how, "in_flight"] == await driver.states("a-1", "a-2")


async def test_a_cancelled_delivery_is_never_claimed_and_its_call_is_done(driver):
    """So its retention begins; one that waits for its retry is cancelled too."""
    await driver.make("a-1", "a-2")
    await driver.end(await driver.take_one(), "failed", delay_ms=1)

    assert [True, True] == await admin.cancel(driver.ledger, [key_of("a-1"), key_of("a-2")])

    driver.time.pass_s(60)
    assert [] == await driver.take()
    record = await driver.delivery("a-1")
    assert (State.CANCELLED, "cancelled") == (record.state, record.reason)
    assert "0" == await driver.redis.hget("sb:c:a-1", "o")
    assert str(driver.time.ms - 60_000) == await driver.redis.hget("sb:c:a-1", "f")


async def test_a_cancelled_delivery_lets_the_next_of_its_group_go(driver):
    """In the line and before it: whatever place it had."""
    await driver.make("a-1", "a-2", "a-3", group="61491570156")
    first = await driver.take_one()
    assert [] == await driver.take()

    assert [True] == await admin.cancel(driver.ledger, [key_of("a-2")])
    await driver.end(first, "delivered")

    assert ["a-3"] == ids(await driver.take())


async def test_what_waits_for_a_cancelled_create_goes_on(driver):
    """The worker then finds that there is nothing to update or to withdraw."""
    await driver.make("a-1")
    await driver.make("a-1", action="update-2", after="create")

    assert [True] == await admin.cancel(driver.ledger, [key_of("a-1")])

    [update] = await driver.take()
    assert "update-2" == update.key.action


@pytest.mark.parametrize("how", ["delivered", "dead", "skipped"])
async def test_a_final_delivery_is_delivered_again(driver, how):
    """Said to be so; its attempts go on counting, its schedule begins anew."""
    await driver.make("a-1")
    await driver.end(await driver.take_one(), how)

    assert [True] == await admin.deliver_again(driver.ledger, [key_of("a-1")], states=FINAL)

    record = await driver.delivery("a-1")
    assert (State.QUEUED, "redelivered", 0) == (record.state, record.reason, record.step)
    assert 0 == await driver.redis.zcard("sb:dead:crm")
    assert 2 == (await driver.take_one()).number


async def test_only_the_states_that_were_named_are_delivered_again(driver):
    """A delivered one is left where skipped ones are meant; what is not final always is."""
    await driver.make("a-1", "a-2")
    await driver.end(await driver.take_one(), "delivered")
    keys = [key_of("a-1"), key_of("a-2"), key_of("nobody")]

    assert [False] * 3 == await admin.deliver_again(driver.ledger, keys, states=[State.SKIPPED])
    assert [True, False, False] == await admin.deliver_again(driver.ledger, keys, states=FINAL)


async def test_a_redelivered_caller_stays_remembered(driver):
    """So that a vendor that has the customer is sent an update of it."""
    await driver.make("a-1", group="61491570156")
    await driver.end(await driver.take_one(), "delivered", memory='{"customer_id":"7"}')

    await admin.deliver_again(driver.ledger, [key_of("a-1")], states=[State.DELIVERED])

    assert '{"customer_id":"7"}' == (await driver.take_one()).memory


async def test_open_work_is_found_wherever_it_waits(driver):
    """Due now or later, under way, in the line of its group, behind its create; of one destination and one span."""
    await driver.make("under-way", "in-line", group="61491570156")
    await driver.take_one()
    assert [] == await driver.take()
    began = driver.time.ms
    await driver.make("later")
    await driver.end(await driver.take_one(), "failed", delay_ms=3_600_000)
    await driver.make("due")
    await driver.make("done", destination="law")
    await driver.end(await driver.take_one("law"), "delivered")

    assert ["due", "in-line", "later", "under-way"] == await _open_calls(driver, "crm", "law")
    assert [] == await _open_calls(driver, "law")
    assert ["due", "later"] == await _open_calls(driver, "crm", since_ms=began)
    assert ["in-line", "under-way"] == await _open_calls(driver, "crm", until_ms=began - 1)
