"""Retention: what is removed when, and what never is (contract, section 4)."""

import pytest

from tests.ledgers import NOON, Driver
from worker.ledger.admin import drop, pause, replay
from worker.ledger.records import Accepted, NewDelivery
from worker.ledger.retention import Retention, sweep

DAY_S = 86_400
KEPT = Retention(calls_s=30 * DAY_S, dead_s=90 * DAY_S, remember_s=400 * DAY_S)


async def swept(driver: Driver, *call_ids: str, days: float = 0) -> set[str]:
    """Let days pass and sweep once, whatever pass is due; return which of these calls are gone."""
    driver.time.pass_s(days * DAY_S)
    await driver.redis.delete("sb:sweep")
    await sweep(driver.ledger, KEPT)
    return set(call_ids) - {call.call_id for call in await driver.ledger.load(call_ids)}


@pytest.mark.parametrize("how", ["delivered", "skipped"])
async def test_a_call_is_removed_its_retention_after_its_last_delivery_became_final(driver: Driver, how: str):
    """Thirty days after the end of the last delivery, not after the call."""
    await driver.make("c1")
    await driver.make("c1", destination="law")
    await driver.end(await driver.take_one(), how)
    driver.time.pass_s(10 * DAY_S)
    await driver.end(await driver.take_one("law"), how)

    assert set() == await swept(driver, "c1", days=29.999)
    assert {"c1"} == await swept(driver, "c1", days=0.001)
    assert [] == await driver.redis.keys("sb:c:*")


async def test_the_id_of_a_removed_call_is_remembered(driver: Driver):
    """A call seen again is answered and not delivered again, until it is forgotten after 400 days."""
    await driver.make("c1")
    await driver.end(await driver.take_one(), "delivered")
    await swept(driver, "c1", days=30)

    assert Accepted.REMEMBERED == await driver.accept("c1", 's{"a":"2"}')
    assert [] == await driver.ledger.load(["c1"])
    assert [] == await driver.ledger.calls_due(limit=10)
    assert 399 * DAY_S * 1000 < await driver.redis.pttl("sb:m:c1") <= 400 * DAY_S * 1000


@pytest.mark.parametrize("how", ["failed", "unclaimed", "interrupted", "blocked", "refused"])
async def test_open_work_is_never_removed(driver: Driver, how: str):
    """However old: queued, retrying, held, under way, parked or waiting for its create."""
    await driver.make("queued", "under-way")
    under_way = {one.key.call_id: one for one in await driver.take()}
    await driver.end(under_way["queued"], how, delay_ms=1000)
    await driver.make("holder", "parked", destination="line", group="614")
    await driver.take("line")
    await driver.make("update", destination="other")
    await driver.plan("update", NewDelivery(destination="other", action="update-1", after="create"))
    await driver.end(await driver.take_one("other"), "delivered")
    await pause(driver.ledger, "held")
    await driver.make("held", destination="held")
    names = ("queued", "under-way", "holder", "parked", "update", "held")

    assert set() == await swept(driver, *names, days=4000)


async def test_a_call_that_waits_is_never_removed(driver: Driver):
    """A call that was accepted and not planned is work, whatever its age."""
    await driver.accept("new")
    await driver.accept("waiting")
    await driver.plan("waiting", state="w", wait_until_ms=NOON + 1)

    assert set() == await swept(driver, "new", "waiting", days=4000)


async def test_an_event_that_came_after_the_retention_is_planned_before_its_call_goes(driver: Driver):
    """What was acknowledged is not removed in the moment before its dispatch."""
    await driver.make("c1")
    await driver.end(await driver.take_one(), "delivered")
    driver.time.pass_s(30 * DAY_S)
    await driver.accept("c1", 'e{"PLA_Duration":"7"}')

    assert set() == await swept(driver, "c1")
    await driver.plan("c1", NewDelivery(destination="crm", action="update-1", after="create"))
    assert set() == await swept(driver, "c1", days=30)
    await driver.end(await driver.take_one(), "delivered")
    assert {"c1"} == await swept(driver, "c1", days=30)


@pytest.mark.parametrize("letter", ["u", "x"])
async def test_calls_without_route_or_start_are_kept_as_long_as_dead_letters(driver: Driver, letter: str):
    """Ninety days: somebody may put the routes right."""
    await driver.accept("c1")
    await driver.plan("c1", state=letter)

    assert set() == await swept(driver, "c1", days=89.999)
    assert {"c1"} == await swept(driver, "c1", days=0.001)
    overview = await driver.ledger.overview()
    assert (0, 0, 0) == (overview.calls, overview.no_start, overview.unrouted)


async def test_a_dead_letter_keeps_its_call_for_its_own_time(driver: Driver):
    """One dead delivery of several is enough."""
    await driver.make("c1")
    await driver.make("c1", destination="law")
    await driver.end(await driver.take_one(), "delivered")
    await driver.end(await driver.take_one("law"), "dead")

    assert set() == await swept(driver, "c1", days=89.999)
    assert {"c1"} == await swept(driver, "c1", days=0.001)
    assert 0 == await driver.redis.zcard("sb:dead:law")


async def test_a_replayed_dead_letter_is_open_work_and_a_dropped_one_is_not(driver: Driver):
    """What an operator put back stays until it is done."""
    await driver.make("replayed", "dropped")
    dead = await driver.take()
    for one in dead:
        await driver.end(one, "dead")
    driver.time.pass_s(89 * DAY_S)
    await replay(driver.ledger, [dead[0].key])
    await drop(driver.ledger, [dead[1].key])

    assert {"dropped"} == await swept(driver, "replayed", "dropped", days=400)
    await driver.end(await driver.take_one(), "delivered")
    assert set() == await swept(driver, "replayed", days=29)
    assert {"replayed"} == await swept(driver, "replayed", days=1)


async def test_a_sweep_goes_on_slice_by_slice(driver: Driver):
    """What is kept on does not stand in the way of what is old, however much of it there is."""
    names = [f"c{i:03}" for i in range(450)]
    await driver.make(*names)
    for start in range(0, 450, 50):
        for one in await driver.take():
            await driver.end(one, "dead" if int(one.key.call_id[1:]) < 420 else "delivered", delay_ms=start)
    driver.time.pass_s(40 * DAY_S)

    assert [30, 0] == [await sweep(driver.ledger, KEPT) for _ in range(2)]
    assert 420 == (await driver.ledger.overview()).calls


async def test_between_two_passes_over_what_is_kept_on_the_sweep_rests(driver: Driver):
    """A ledger full of dead letters is not walked all the time."""
    await driver.make("c1")
    await driver.end(await driver.take_one(), "dead")
    driver.time.pass_s(40 * DAY_S)
    assert 0 == await sweep(driver.ledger, KEPT)

    assert "-1" == await driver.redis.get("sb:sweep")
    assert 0 < await driver.redis.pttl("sb:sweep") <= 60_000


async def test_a_sweep_keeps_up_with_a_busy_ledger(driver: Driver):
    """It goes on while there is much to remove, and when nothing is kept on, the next sweep begins at once."""
    names = [f"c{i:03}" for i in range(450)]
    await driver.make(*names)
    for _ in range(0, 450, 50):
        for one in await driver.take():
            await driver.end(one, "delivered")
    driver.time.pass_s(40 * DAY_S)

    assert 450 == await sweep(driver.ledger, KEPT)
    assert "0" == await driver.redis.get("sb:sweep")


async def test_a_shorter_time_for_dead_letters_than_for_calls_holds(driver: Driver):
    """The two are independent of each other."""
    await driver.make("dead", "done")
    for one in await driver.take():
        await driver.end(one, "dead" if one.key.call_id == "dead" else "delivered")
    driver.time.pass_s(2 * DAY_S)

    assert 1 == await sweep(driver.ledger, Retention(calls_s=30 * DAY_S, dead_s=DAY_S, remember_s=DAY_S))
    assert ["done"] == [call.call_id for call in await driver.ledger.load(["dead", "done"])]
