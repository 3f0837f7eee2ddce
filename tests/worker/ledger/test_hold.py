"""Being held: by an operator, for an hour, and never by one poisoned delivery."""

import pytest

from tests.ledgers import Driver, ids, verdict
from worker.ledger.admin import pause, resume


async def test_a_paused_destination_keeps_queueing_and_opens_by_resume_alone(driver: Driver):
    """Nothing is handed out, and no success of an attempt that was under way opens it."""
    await driver.make("c1", "c2")
    held = await driver.take_one()
    assert await pause(driver.ledger, "crm")
    await driver.make("c3")
    await driver.end(held, "delivered")

    assert ("paused", (), []) == (await verdict(driver), await driver.tick(), await driver.take())
    assert {"paused"} == (await resume(driver.ledger, "crm")).keys()
    assert ["c2", "c3"] == ids(await driver.take())


async def test_pausing_does_not_end_a_block(driver: Driver):
    """A success under way opens the block, and the pause stays."""
    await driver.make("c1", "c2")
    first, second = await driver.take()
    await driver.end(first, "blocked")
    await pause(driver.ledger, "crm")
    await driver.end(second, "delivered")

    assert "paused" == await verdict(driver)
    [status] = (await driver.ledger.overview(["crm"])).destinations
    assert ("", True) == (status.blocked, status.paused)


async def test_a_wrong_key_for_an_hour_makes_no_dead_letter_and_few_requests(driver: Driver):
    """At most one attempt a free slot and one each ten minutes; all is delivered after resume."""
    names = [f"c{i:03}" for i in range(60)]
    await driver.make(*names)
    requests, under_way = 0, await driver.take(want=50)
    for one in under_way:
        requests += 1
        await driver.end(one, "blocked")
    for _ in range(3600):
        driver.time.pass_s(1)
        if await driver.tick():
            for one in await driver.take(clear_wakeup=True):
                requests += 1
                await driver.end(one, "blocked")

    assert requests <= 50 + 6
    assert {"retrying", "queued"} == set(await driver.states(*names))
    await resume(driver.ledger, "crm")
    for one in await driver.take(want=64):
        assert 0 == one.step
        await driver.end(one, "delivered")
    assert {"delivered"} == set(await driver.states(*names))


@pytest.mark.parametrize("how", ["refused", "failed"])
async def test_one_poisoned_delivery_never_holds_the_others(driver: Driver, how: str):
    """It is refused again and again between the successes of the others."""
    await driver.make("poison")
    for i in range(40):
        await driver.make(f"c{i:02}")
        for one in await driver.take():
            poisoned = one.key.call_id == "poison"
            assert "" == (await driver.end(one, how if poisoned else "delivered")).gate_event

    assert ["delivered"] * 40 == await driver.states(*(f"c{i:02}" for i in range(40)))
