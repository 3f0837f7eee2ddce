"""A lead whose destination asks for a do-not-call list waits until one is loaded that is new enough."""

import pytest

from tests.ledgers import Driver
from tests.tasks.delivery_harness import CALLER, DeliveryHarness, make_harness
from worker.ledger.admin import suppress
from worker.ledger.do_not_call import load, release

DAY_MS = 86_400_000


def asking(driver: Driver, *, max_age_s: float | None = None) -> DeliveryHarness:
    """Return a harness of a destination whose list may be a day old."""
    return make_harness(driver, table={"do_not_call": "1d"}, max_age_s=max_age_s)


async def held(driver: Driver) -> bool:
    """Say whether the lead waits for a list, without a try and without a wait of its schedule."""
    delivery = await driver.delivery("c1")
    return (str(delivery.state), delivery.reason, delivery.number, delivery.step, delivery.history.attempts) == (
        "queued", "no_fresh_list", 0, 0, (),
    )  # fmt: skip


async def test_without_a_list_it_waits_and_goes_out_once_one_is_loaded(driver: Driver):
    """Loading releases it, at once."""
    harness = asking(driver)
    assert "queued" == await harness.deliver()
    assert await held(driver)
    assert [] == harness.http.requests
    assert not (await driver.claim()).items

    await load(driver.ledger, ["+61491570199"])
    assert 1 == await release(driver.ledger, [harness.destination.name])
    assert "delivered" == await harness.again()
    assert 0 == await release(driver.ledger, [harness.destination.name])


async def test_a_list_is_new_enough_as_long_as_the_setting_says(driver: Driver):
    """To the millisecond; then it waits again."""
    harness = asking(driver)
    await harness.make()
    await harness.make("c2")
    loaded = driver.time.ms
    await load(driver.ledger, ["+61491570199"])
    first, second = await driver.take(want=2)
    driver.time.ms = loaded + DAY_MS
    await harness.runner.deliver(first)
    driver.time.ms = loaded + DAY_MS + 1
    await harness.runner.deliver(second)

    assert ["delivered", "queued"] == await driver.states("c1", "c2")
    assert "no_fresh_list" == (await driver.delivery("c2")).reason


@pytest.mark.parametrize("listed", [True, False])
async def test_a_number_of_either_list_is_skipped(driver: Driver, *, listed: bool):
    """Also where the list that says so is too old: it needs no newer one to leave somebody alone."""
    harness = asking(driver)
    if listed:
        await load(driver.ledger, [CALLER])
    else:
        await suppress(driver.ledger, CALLER)
    driver.time.ms += 2 * DAY_MS

    assert "skipped" == await harness.deliver()
    assert "suppressed" == (await driver.delivery("c1")).reason


async def test_what_would_not_be_sent_anyway_does_not_wait(driver: Driver):
    """A withheld number, and a call that has become too old while it waited, are skipped at once."""
    harness = asking(driver, max_age_s=DAY_MS / 1000)
    await harness.make(caller="anonymous")
    assert "skipped" == await harness.again()
    assert "no_caller" == (await driver.delivery("c1")).reason

    await harness.make("c2")
    await harness.runner.deliver(await driver.take_one())
    driver.time.ms += 2 * DAY_MS
    await harness.runner.deliver(await driver.take_one())
    assert ("skipped", "too_old") == (str((await driver.delivery("c2")).state), (await driver.delivery("c2")).reason)


async def test_a_destination_that_asks_for_no_list_obeys_the_one_that_is_there(driver: Driver):
    """However old it is."""
    harness = make_harness(driver)
    await load(driver.ledger, [CALLER])
    driver.time.ms += 100 * DAY_MS

    assert "skipped" == await harness.deliver()


async def test_a_list_releases_only_what_waits_for_it(driver: Driver):
    """What waits for its schedule goes on waiting, however much of either there is."""
    harness = asking(driver)
    for number in range(40):
        await harness.make(f"w{number}")
        await harness.runner.deliver(await driver.take_one())
    await harness.make("tried")
    await driver.end(await driver.take_one(), "failed", delay_ms=3_600_000)
    await load(driver.ledger, ["+61491570199"])

    assert 40 == await release(driver.ledger, [harness.destination.name])
    assert {f"w{number}" for number in range(40)} == {item.key.call_id for item in (await driver.claim(want=64)).items}
