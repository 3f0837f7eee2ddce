"""The clock's tick: leases that ran out, and who has to be woken."""

import pytest

from tests.ledgers import LEASE_MS, NOON, Driver, ids, key_of, open_driver
from worker.ledger.ledger import Timings


async def test_an_expired_lease_makes_the_delivery_due_again_and_says_why(driver: Driver):
    """A worker that was killed shows as an interruption; every clock may look, one finds it."""
    await driver.make("c1")
    await driver.take_one()
    driver.time.pass_s(LEASE_MS / 1000 - 0.001)
    assert 0 == (await driver.ledger.tick([])).expired
    driver.time.pass_s(0.001)
    assert [1, 0] == [(await driver.ledger.tick([])).expired for _ in range(2)]
    claimed = await driver.take_one()

    assert ("interrupted", 2, 2, 0) == (claimed.reason, claimed.number, claimed.fence, claimed.step)


async def test_more_expired_leases_than_one_tick_takes_are_taken_by_the_next(driver: Driver):
    """A tick is bounded; nothing is left behind for that."""
    await driver.make(*(f"c{i}" for i in range(7)))
    await driver.take()
    driver.time.pass_s(LEASE_MS / 1000)

    assert [3, 3, 1, 0] == [(await driver.ledger.tick(["crm"], limit=3)).expired for _ in range(4)]
    assert 7 == len(await driver.take())


async def test_what_becomes_due_is_woken_once_until_a_run_answers(driver: Driver):
    """However large the backlog, one message a destination is outstanding."""
    await driver.make("c1", "c2")
    await driver.make("c3", destination="law")
    assert ("crm", "law") == await driver.tick("crm", "law", "idle")
    assert () == await driver.tick("crm", "law", "idle")
    await driver.take("law", first=True)
    await driver.take(want=1, first=True)

    assert ("crm",) == await driver.tick("crm", "law", "idle")


async def test_a_lost_wake_up_is_sent_again(driver: Driver):
    """An unanswered wake-up stands for 10 s: then another is sent."""
    await driver.make("c1")
    await driver.tick()

    assert 9_000 < await driver.redis.pttl("sb:wake:crm") <= 10_000
    await driver.redis.delete("sb:wake:crm")
    assert ("crm",) == await driver.tick()


@pytest.mark.parametrize("gate", ["paused", "blocked", "open"])
async def test_a_destination_that_is_shut_is_not_woken(driver: Driver, gate: str):
    """Being held costs no Celery message, however much becomes due."""
    await driver.make("c1")
    await driver.redis.hset("sb:gate:crm", mapping={gate: "1", "probe_at": str(driver.time.ms + 1)})

    assert () == await driver.tick()
    driver.time.pass_s(0.001)
    assert (() if gate == "paused" else ("crm",)) == await driver.tick()


async def test_a_destination_that_no_clock_serves_is_not_woken(driver: Driver):
    """A clock asks for the destinations of its own configuration alone; the others keep."""
    await driver.make("c1", destination="gone")

    assert () == await driver.tick("crm")
    assert ("gone",) == await driver.tick("crm", "gone")


async def test_what_is_not_yet_due_is_not_woken(driver: Driver):
    """A retry is woken when its wait is over."""
    await driver.make("c1")
    await driver.end(await driver.take_one(), "failed", delay_ms=5000)
    assert () == await driver.tick()
    driver.time.pass_s(5)

    assert ("crm",) == await driver.tick()
    assert ["c1"] == ids(await driver.take(keys=[key_of("c1")]))


async def test_shorter_waits_may_be_handed_in():
    """The short chaos run probes and wakes within its minutes."""
    async with open_driver(None, Timings(accept_grace=5, probe=10, probe_max=20, blocked_probe=40)) as driver:
        await driver.accept("c1")
        driver.time.pass_s(0.005)
        assert (await driver.ledger.tick([])).wake_calls
        await driver.make("c1")
        await driver.end(await driver.take_one(), "blocked")

        assert str(driver.time.ms + 40) == await driver.redis.hget("sb:gate:crm", "probe_at")
        assert NOON < driver.time.ms


async def test_workers_that_tick_are_counted_for_ten_seconds(driver: Driver):
    """A process that has not ticked for 10 s is none; after an hour it is forgotten."""
    await driver.ledger.sign_in("one")
    driver.time.pass_s(8)
    await driver.ledger.sign_in("two")

    assert 2 == (await driver.ledger.overview()).workers
    driver.time.pass_s(8)
    assert 1 == (await driver.ledger.overview()).workers
    driver.time.pass_s(3600)
    await driver.ledger.sign_in("two")
    assert ["two"] == await driver.redis.zrange("sb:workers", 0, -1)
