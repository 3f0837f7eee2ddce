"""Calls that wait for dispatch and stand nowhere where it would find them."""

import pytest

from tests.ledgers import Driver
from tests.redis_pair import RedisPair
from worker.broker import open_redis
from worker.ledger import retention
from worker.ledger.ledger import Ledger
from worker.ledger.records import Incoming
from worker.ledger.retention import PASS_PAUSE_MS, rescue


async def again(driver: Driver) -> int:
    """Let the pauses between slices and passes be over, and rescue."""
    await driver.redis.delete("sb:rescuing")
    if await driver.redis.get("sb:rescue") == "-1":
        await driver.redis.delete("sb:rescue")
    return await rescue(driver.ledger)


async def test_a_call_that_is_there_is_waited_for_whatever_a_replica_said(driver: Driver):
    """Whoever asks to forget it has read somewhere else; what is really gone is forgotten."""
    await driver.accept("here")
    await driver.redis.zadd("sb:waits", {"gone": 1})
    await driver.ledger.forget_waits(["here", "gone", "never"])

    assert ["here"] == await driver.redis.zrange("sb:waits", 0, -1)


async def test_dispatch_on_a_stale_replica_forgets_no_call(redis_pair: RedisPair):
    """It reads a replica that lags, and would remove what is not there, though its events were acknowledged."""
    async with open_redis(redis_pair.url) as primary, open_redis(redis_pair.replica.url) as replica:
        await replica.execute_command("REPLICAOF", "127.0.0.1", "1")  # it hears nothing any more
        ledger = Ledger(primary)
        await ledger.accept([Incoming("c1", 1, 's{"a":"1"}'), Incoming("c1", 2, 'e{"b":"1"}')])
        assert [] == await Ledger(replica).load(["c1"])
        await ledger.forget_waits(["c1"])

        assert ["c1"] == await primary.zrange("sb:waits", 0, -1)


async def test_a_call_that_nobody_would_look_at_is_put_back(driver: Driver):
    """One never planned, one whose plan is older than its events, one that waits for its end; a planned one is not."""
    for call_id in ("new", "newer", "waiting", "planned", "gone"):
        await driver.accept(call_id)
    await driver.plan("newer")
    await driver.accept("newer", 'e{"b":"1"}')
    await driver.plan("waiting", state="w", wait_until_ms=driver.time.ms + 1000)
    await driver.plan("planned")
    await driver.redis.delete("sb:c:gone")
    await driver.redis.delete("sb:waits")

    assert 3 == await again(driver)
    assert {"new", "newer", "waiting"} == set(await driver.ledger.calls_due(limit=10))
    assert 0 == await again(driver)


async def test_events_that_were_folded_are_counted(driver: Driver):
    """A planned call that had more events than it keeps is not put back; one with an event since then is."""
    for number in range(203):
        await driver.accept("full", f's{{"a":"{number}"}}')
    await driver.plan("full")
    assert 0 == await again(driver)
    await driver.accept("full", 's{"a":"more"}')
    await driver.redis.delete("sb:waits")

    assert 1 == await again(driver)


async def test_nothing_is_done_where_nothing_is_wrong(driver: Driver):
    """Calls that wait in their place keep their time."""
    await driver.accept("a")
    await driver.plan("a", state="w", wait_until_ms=driver.time.ms + 5000)
    before = await driver.redis.zrange("sb:waits", 0, -1, withscores=True)

    assert 0 == await again(driver)
    assert before == await driver.redis.zrange("sb:waits", 0, -1, withscores=True)


async def test_a_slice_is_bounded_and_all_clocks_share_it(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """Each looks at the next calls, the newest first, and a pass is followed by a pause."""
    monkeypatch.setattr(retention, "RESCUE_SLICE", 2)
    for number in range(5):
        await driver.accept(f"c{number}")
        driver.time.pass_s(1)
    await driver.redis.delete("sb:waits")
    assert 2 == await rescue(driver.ledger)
    assert 0 == await rescue(driver.ledger)
    assert ["c3", "c4"] == sorted(await driver.redis.zrange("sb:waits", 0, -1))

    assert [2, 1] == [await again(driver) for _ in range(2)]
    assert 0 < await driver.redis.pttl("sb:rescue") <= PASS_PAUSE_MS


async def test_a_foreign_key_in_a_calls_place_holds_up_no_other(driver: Driver):
    """A key of the wrong type is passed over."""
    await driver.accept("broken")
    await driver.accept("sound")
    await driver.redis.delete("sb:c:broken", "sb:waits")
    await driver.redis.set("sb:c:broken", "foreign")

    assert 1 == await again(driver)
    assert ["sound"] == await driver.redis.zrange("sb:waits", 0, -1)
