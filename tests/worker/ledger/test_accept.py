"""Accepting: what is stored, what is the same, and what one bad item does to its group."""

import pytest
from redis import RedisError

from tests.ledgers import NOON, Driver
from worker.ledger.ledger import Ledger
from worker.ledger.records import Accepted, Incoming


async def test_an_event_makes_a_waiting_call(driver: Driver):
    """The first event makes the call; it is stored as it was received."""
    assert Accepted.NEW == await driver.accept("c1", 's{"a":"1"}', received_us=17)

    call = await driver.call("c1")
    [event] = call.events
    assert ("c1", 1, "waiting", 0) == (call.call_id, call.version, call.state, call.planned_version)
    assert (17, "s", {"PLA_CID": "1"}) == (event.received_us, event.kind, event.values)


async def test_the_same_event_changes_nothing(driver: Driver):
    """An event equal to any stored one is the same, whenever it was received."""
    await driver.accept("c1", 's{"a":"1"}', received_us=1)
    await driver.accept("c1", 'e{"b":"1"}', received_us=2)

    assert Accepted.SAME == await driver.accept("c1", 's{"a":"1"}', received_us=3)
    assert Accepted.SAME == await driver.accept("c1", 'e{"b":"1"}', received_us=4)
    assert [1, 2] == [event.received_us for event in (await driver.call("c1")).events]


async def test_a_record_may_hold_blanks_and_another_may_begin_alike(driver: Driver):
    """Events are compared whole, and not by a part of them."""
    await driver.accept("c1", 's{"a":"1 2"}')

    assert Accepted.NEW == await driver.accept("c1", 's{"a":"1"}')
    assert Accepted.NEW == await driver.accept("c1", 's{"a":"2"}')
    assert Accepted.NEW == await driver.accept("c1", 'e{"a":"1 2"}')
    assert Accepted.SAME == await driver.accept("c1", 's{"a":"1 2"}')


async def test_a_group_is_answered_in_its_order(driver: Driver):
    """One round trip takes many events, of one call too."""
    group = [Incoming("c1", 1, "s{}"), Incoming("c2", 2, "s{}"), Incoming("c1", 3, "s{}"), Incoming("c1", 4, "e{}")]

    assert [Accepted.NEW, Accepted.NEW, Accepted.SAME, Accepted.NEW] == await driver.ledger.accept(group)


async def test_nothing_is_accepted_from_an_empty_group(driver: Driver):
    """An empty group has no answers."""
    assert [] == await driver.ledger.accept([])


@pytest.mark.parametrize("call_id", ["a:b", "a:b:create", "%s|%d", "späte Anrufe", "x" * 100, "*", "[a-z]?", '"', "\\"])
async def test_any_usable_id_is_a_call(driver: Driver, call_id: str):
    """An id is a text: colons, patterns and letters of any script go through every operation."""
    await driver.accept(call_id)
    await driver.make(call_id)
    claimed = await driver.take_one()

    assert call_id == claimed.key.call_id
    assert (await driver.end(claimed, "failed", delay_ms=1000)).applied
    assert "retrying" == (await driver.delivery(call_id)).state
    driver.time.pass_s(1)
    await driver.take_one()
    driver.time.pass_s(60)
    assert ("crm",) == await driver.tick()
    assert (await driver.end(await driver.take_one(), "dead")).applied
    assert ["dead"] == await driver.states(call_id)


async def test_a_foreign_key_of_the_wrong_type_spoils_its_own_item_only(driver: Driver):
    """One bad item never spoils its group."""
    await driver.redis.set("sb:c:bad", "foreign")
    group = [Incoming("c1", 1, "s{}"), Incoming("bad", 2, "s{}"), Incoming("c2", 3, "s{}")]

    assert [Accepted.NEW, Accepted.FAILED, Accepted.NEW] == await driver.ledger.accept(group)
    assert 2 == len(await driver.ledger.load(["c1", "c2"]))


async def test_a_redis_without_memory_refuses_the_group(redis):
    """A fault of the whole Redis is an error, never a false acknowledgement of part of a group."""
    ledger = Ledger(redis)
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(RedisError, match="maxmemory"):
            await ledger.accept([Incoming("c1", 1, "s{}")])
    finally:
        await redis.config_set("maxmemory", "0")

    assert [] == await ledger.load(["c1"])


async def test_an_accepted_call_is_dispatched_by_the_clock_when_its_wake_up_is_lost(driver: Driver):
    """The clock asks for dispatch 1.5 s after an event that nobody planned."""
    await driver.accept("c1")
    driver.time.pass_s(1.4)
    assert not (await driver.ledger.tick([])).wake_calls
    assert [] == await driver.ledger.calls_due(limit=10)
    driver.time.pass_s(0.1)

    assert (await driver.ledger.tick([])).wake_calls
    assert not (await driver.ledger.tick([])).wake_calls
    assert ["c1"] == await driver.ledger.calls_due(limit=10)
    assert not (await driver.ledger.tick([])).wake_calls
    driver.time.pass_s(10)
    assert (await driver.ledger.tick([])).wake_calls


async def test_calls_due_come_the_longest_overdue_first_and_bounded(driver: Driver):
    """A dispatch takes a slice for 10 s; what it has not planned by then is due again."""
    for call_id in ("c3", "c1", "c2"):
        await driver.accept(call_id)
        driver.time.pass_s(1)
    driver.time.pass_s(60)

    assert ["c3", "c1"] == await driver.ledger.calls_due(limit=2)
    assert ["c2"] == await driver.ledger.calls_due(limit=2)
    assert [] == await driver.ledger.calls_due(limit=2)
    driver.time.pass_s(11)
    assert {"c1", "c2", "c3"} == set(await driver.ledger.calls_due(limit=3))


async def test_a_forgotten_call_is_not_there(driver: Driver):
    """Unknown ids are left out of a load."""
    await driver.accept("c1")

    assert ["c1"] == [call.call_id for call in await driver.ledger.load(["nobody", "c1"])]
    await driver.ledger.forget_waits([])


async def test_the_ledger_goes_by_the_time_of_redis(redis):
    """Without a clock handed in every operation asks Redis, so that all machines share one time."""
    ledger = Ledger(redis)
    seconds, _ = await redis.time()
    now_ms = await ledger.now_ms()
    await ledger.accept([Incoming("c1", 1, "s{}")])

    assert 0 <= now_ms - seconds * 1000 < 60_000
    assert 0 <= await redis.zscore("sb:waits", "c1") - now_ms < 60_000
    assert now_ms > NOON
