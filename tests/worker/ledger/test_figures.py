"""Figures: what happens is counted by the script that makes it happen, by the hour and by the minute."""

import pytest

from tests.ledgers import NOON, Driver
from worker.ledger import admin, figures
from worker.ledger.figures import HOUR_MS, LATENCIES_S, MINUTE_MS, Counts
from worker.ledger.records import About, NewDelivery


async def _counts(driver: Driver, *, of: str, since_ms: int = NOON, until_ms: int = NOON + 86_400_000) -> Counts:
    """Return what was counted for one service or destination."""
    known = await figures.known(driver.ledger)
    facet = next(one for one in (*known.services, *known.destinations) if one.name == of)
    series = [*figures.service_series(facet), *figures.destination_series(facet, known.reasons)]
    found = await figures.hours(driver.ledger, list(dict.fromkeys(series)), since_ms=since_ms, until_ms=until_ms)
    counts = Counts()
    for name, hours in found.items():
        counts.add(name.partition(":")[2], sum(hours.values()), known.reasons)
    return counts


async def test_a_call_is_counted_once_by_its_service_and_result(driver):
    """When it becomes ready; a correction that comes later does not count it again."""
    await driver.ready("a-1", "crm", result="u")
    await driver.ready("a-2", "crm", service="102")
    await driver.accept("a-1", 'e{"b":"2"}')
    await driver.ready("a-1", result="a")

    assert {"unanswered": 1} == (await _counts(driver, of="101")).results
    assert {"answered": 1} == (await _counts(driver, of="102")).results


async def test_ends_are_counted_by_destination_and_by_service(driver):
    """Delivered, dead, skipped with its reason, cancelled, and an attempt that is tried again."""
    await driver.ready("a-1", "crm")
    await driver.ready("a-2", "crm")
    await driver.ready("a-3", "crm")
    await driver.ready("a-4", "law", service="102")
    first, second, third = await driver.take()
    await driver.end(first, "delivered")
    await driver.end(second, "dead")
    await driver.end(third, "skipped", reason="too_old")
    await driver.end(await driver.take_one("law"), "failed")

    crm, law = await _counts(driver, of="crm"), await _counts(driver, of="law")
    assert (1, 1, {"too_old": 1}, 0) == (crm.delivered, crm.dead, crm.skipped, crm.failed)
    assert (0, 1) == (law.delivered, law.failed)
    service = await _counts(driver, of="101")
    assert (3, 1, 1, {"": 1}) == (service.calls, service.delivered, service.dead, service.skipped)


async def test_a_finish_that_is_written_twice_is_counted_once(driver):
    """Its answer was lost, and the worker says it again; nor does a finish count whose fence is old."""
    await driver.ready("a-1", "crm")
    claimed = await driver.take_one()
    await driver.end(claimed, "delivered")
    await driver.end(claimed, "delivered")
    await driver.end(claimed, "dead")

    counts = await _counts(driver, of="crm")
    assert (1, 0) == (counts.delivered, counts.dead)


@pytest.mark.parametrize(("seconds", "bucket"), [(0.4, 0), (0.5, 0), (4.9, 3), (59, 5), (60, 5), (61, 6), (8000, 9)])
async def test_the_time_from_call_to_crm_is_counted_in_buckets(driver, seconds, bucket):
    """From the moment when the call became ready."""
    await driver.ready("a-1", "crm")
    driver.time.pass_s(seconds - 0.001)
    await driver.end(await driver.take_one(), "delivered")

    assert bucket == (await _counts(driver, of="crm")).latencies.index(1)


async def test_an_update_is_no_delivery_of_a_call(driver):
    """Only creates count as delivered."""
    await driver.ready("a-1")
    await driver.make("a-1", action="update-2")
    await driver.end(await driver.take_one(), "delivered")

    assert 0 == (await _counts(driver, of="crm")).ended


async def test_hours_are_apart_and_minutes_too(driver):
    """Each in its own field; a span takes every hour that it touches."""
    for number in range(3):
        await driver.ready(f"a-{number}", "crm")
        await driver.end(await driver.take_one(), "delivered")
        driver.time.pass_s(3600)

    assert 2 == (await _counts(driver, of="crm", since_ms=NOON, until_ms=NOON + HOUR_MS)).delivered
    found = await figures.minutes(driver.ledger, ["d1:D"], since_ms=NOON, until_ms=NOON + 2 * HOUR_MS)
    assert {NOON: 1, NOON + 60 * MINUTE_MS: 1, NOON + 120 * MINUTE_MS: 1} == found["d1:D"]


async def test_figures_end(driver):
    """Hours after some 400 days, minutes after some 48 hours."""
    await driver.ready("a-1", "crm")
    await driver.end(await driver.take_one(), "delivered")

    for prefix, least_ms in (("sb:hours:", 400 * 86_400_000), ("sb:minutes:", 48 * HOUR_MS)):
        keys = await driver.redis.keys(f"{prefix}*")
        assert keys
        lives = [await driver.redis.pttl(key) for key in keys]
        assert all(least_ms < life < least_ms + 8 * 86_400_000 for life in lives)


async def test_services_beyond_500_share_one_series(driver):
    """Whoever sends made-up services fills no memory."""
    for number in range(503):
        await driver.ready(f"a-{number}", service=f"s-{number}")

    known = await figures.known(driver.ledger)
    assert 501 == len(known.services)
    assert 3 == (await _counts(driver, of="other")).calls


async def test_a_withdrawn_lead_counts_as_cancelled(driver):
    """By the plan that cancels it; what an operator cancels is no outcome of a vendor."""
    await driver.accept("m-1")
    await driver.ready("m-1", "crm", result="u")
    await driver.follow("m-1", answered=False)
    await driver.follow("a-1", answered=True, started_s=10)
    await driver.ready("q-1", "crm")
    await admin.cancel(driver.ledger, [(await driver.delivery("q-1")).key])

    counts = await _counts(driver, of="crm")
    assert (1, {}) == (counts.cancelled, counts.skipped)


def test_a_quantile_is_the_end_of_the_bucket_of_its_delivery():
    """Between its bounds, by how many lie below; beyond the last bound it is that bound."""
    counts = Counts()
    assert counts.quantile(0.5) is None
    counts.latencies[1] = 90
    counts.latencies[5] = 10
    assert 1.0 == counts.quantile(0.5)
    assert 60.0 == counts.quantile(0.95)
    assert (90, 100) == (counts.within(5.0), counts.within(60.0))
    counts.latencies[9] = 10_000
    assert LATENCIES_S[-1] == counts.quantile(0.99)


async def test_the_time_to_a_crm_counts_from_the_end_of_the_call(driver):
    """From the receipt of the webhook that made it ready, however long that waited in a spool or for a worker."""
    await driver.accept("a-1")
    ended_ms = driver.time.ms
    driver.time.pass_s(40)
    about = About(service_id="101", result="a", caller_digits="", tracking_number="0290000001")
    await driver.plan("a-1", NewDelivery(destination="crm", action="create"), about=about, ready_ms=ended_ms)
    claimed = await driver.take_one()
    driver.time.pass_s(10)
    await driver.end(claimed, "delivered")

    counts = await _counts(driver, of="crm")
    assert (0, 1) == (counts.within(15.0), counts.within(60.0))
    known = await figures.known(driver.ledger)
    number = next(one for one in known.numbers if one.name == "0290000001")
    found = await figures.hours(driver.ledger, figures.number_series(number), since_ms=NOON, until_ms=NOON + 86_400_000)
    assert [f"{number.short}:D5"] == list(found)


async def test_a_clock_that_is_ahead_makes_no_call_fast(driver):
    """A receipt later than the plan counts as the plan's time."""
    await driver.accept("a-1")
    about = About(service_id="101", result="a", caller_digits="")
    ahead = driver.time.ms + 60_000
    await driver.plan("a-1", NewDelivery(destination="crm", action="create"), about=about, ready_ms=ahead)

    assert (await driver.take_one()).ready_at_ms <= driver.time.ms
