"""Migrations: planned, applied in slices that can be cut anywhere, verified; beside workers of the version before."""

from types import SimpleNamespace
from typing import cast

import pytest

from schemas.phones.phone import old_reading, read_phone
from tests.ledgers import Driver, ids
from worker.build import LEDGER_FORMAT
from worker.config.settings import Settings
from worker.ledger import keys, migrate
from worker.ledger.invariants import check
from worker.ledger.migrations import numbers
from worker.ledger.schema import note, read_schema

WRITTEN = "00 61 491 570 156"
OLD, NEW = "+61061491570156", "+61491570156"


SETTINGS = cast("Settings", SimpleNamespace(calls=SimpleNamespace(default_region="AU")))
"""As far as a migration looks."""


async def build(driver: Driver, *, written: str = WRITTEN) -> None:
    """Make a ledger as a version before kept it: under its reading of the number."""
    old = old_reading(written, default_region="AU")
    assert old is not None
    for name in ("first", "second", "third"):
        await driver.accept(name, f'c{{"e":"{written}","u":"answered"}}')
        await driver.make(name, group=old[1:])
    await driver.end(await driver.take_one(), "delivered", memory='{"customer_id":"7"}')
    await driver.redis.zadd(f"{keys.FOLLOW_KEY}crm:{old}", {"mfirst": 5})
    await driver.redis.expire(f"{keys.FOLLOW_KEY}crm:{old}", 1000)
    await driver.redis.sadd(keys.SUPPRESSED_KEY, old)
    await driver.accept("other", 'c{"e":"0491570157","u":"answered"}')
    await driver.make("other", group="61491570157")


async def groups(driver: Driver, *call_ids: str) -> list[str]:
    """Return the groups of the calls' creates."""
    return [(await driver.delivery(call_id)).group for call_id in call_ids]


def test_the_versions_before_misread_it():
    """The number that these tests are about is one that was misread."""
    phone = read_phone(WRITTEN, default_region="AU")
    assert phone is not None
    assert (old_reading(WRITTEN, default_region="AU"), phone.e164) == (OLD, NEW)


async def test_the_plan_changes_nothing(driver: Driver):
    """It says how much there is to do."""
    await build(driver)
    before = {key: await driver.redis.dump(key) for key in await driver.redis.keys(keys.EVERY)}

    [step] = await migrate.plan(driver.ledger, SETTINGS)

    assert (step.to, step.calls, step.old) == (2, 4, 5)  # three deliveries, the memory and follow-up, the suppressed
    assert {key: await driver.redis.dump(key) for key in await driver.redis.keys(keys.EVERY)} == before


async def test_all_goes_under_the_right_number(driver: Driver):
    """Memory, follow-up, line and suppressed number; other callers stay; the format is raised."""
    await build(driver)

    [step] = await migrate.apply(driver.ledger, SETTINGS)

    assert (step.old, step.left) == (5, 0)
    assert (await read_schema(driver.redis)).format == LEDGER_FORMAT
    assert await driver.redis.get(f"{keys.MEMORY_KEY}crm:{NEW[1:]}") == '{"customer_id":"7"}'
    assert await driver.redis.exists(f"{keys.MEMORY_KEY}crm:{OLD[1:]}", f"{keys.FOLLOW_KEY}crm:{OLD}") == 0
    assert await driver.redis.zrange(f"{keys.FOLLOW_KEY}crm:{NEW}", 0, -1) == ["mfirst"]
    assert 0 < await driver.redis.ttl(f"{keys.FOLLOW_KEY}crm:{NEW}") <= 1000
    assert NEW in await driver.redis.smembers(keys.SUPPRESSED_KEY)
    assert await groups(driver, "first", "second", "third", "other") == [NEW[1:], NEW[1:], NEW[1:], "61491570157"]
    assert ids(await driver.take()) == ["second", "other"]  # one of a caller at a time
    assert await migrate.plan(driver.ledger, SETTINGS) == []
    assert (await check(driver.ledger, fix=False, memory_s=60)).faults == []


async def test_what_is_known_under_both_numbers_is_put_together(driver: Driver):
    """The present reading's memory stands; what it lacks comes from the old one; a doubt of either stays."""
    await build(driver)
    await driver.redis.set(f"{keys.MEMORY_KEY}crm:{OLD[1:]}", '{"customer_id":"7","unsure":"1"}', ex=100)
    await driver.redis.set(f"{keys.MEMORY_KEY}crm:{NEW[1:]}", '{"customer_id":"8"}', ex=100)

    await migrate.apply(driver.ledger, SETTINGS)

    text = await driver.redis.get(f"{keys.MEMORY_KEY}crm:{NEW[1:]}")
    assert {'"customer_id":"8"', '"unsure":"1"'} == set(str(text).strip("{}").split(","))
    assert 0 < await driver.redis.ttl(f"{keys.MEMORY_KEY}crm:{NEW[1:]}") <= 100


async def test_what_is_under_way_is_left_and_taken_by_another_run(driver: Driver):
    """A worker of the version before holds the line: the format is raised when it has ended."""
    await build(driver)
    [held, _] = await driver.take()

    [step] = await migrate.apply(driver.ledger, SETTINGS)
    assert step.left > 0
    assert (await read_schema(driver.redis)).format == 1

    await driver.end(held, "delivered", memory='{"customer_id":"7"}')
    while taken := await driver.take():
        for one in taken:
            await driver.end(one, "delivered", memory='{"customer_id":"7"}')
    [step] = await migrate.apply(driver.ledger, SETTINGS)
    assert step.left == 0
    assert (await read_schema(driver.redis)).format == LEDGER_FORMAT
    assert await driver.redis.get(f"{keys.MEMORY_KEY}crm:{NEW[1:]}") == '{"customer_id":"7"}'


@pytest.mark.parametrize("cut_after", [1, 2, 3])
async def test_it_goes_on_where_it_was_cut(driver: Driver, cut_after: int):
    """Slice by slice; many calls of one millisecond are no trouble."""
    time = driver.time.ms
    for number in range(numbers.SLICE * 3 + 7):
        driver.time.ms = time + number // 250
        await driver.accept(f"c{number:04}", 's{"a":"1"}')
    await driver.accept("last", f'c{{"e":"{WRITTEN}"}}')
    await driver.plan("last")
    await driver.redis.set(f"{keys.MEMORY_KEY}crm:{OLD[1:]}", '{"a":"b"}', ex=100)
    await driver.redis.sadd(keys.DESTINATIONS_KEY, "crm")
    cursor, looked = "", 0
    for _ in range(cut_after):
        count, _, cursor = await numbers.step(driver.ledger, SETTINGS, cursor, apply=True)
        looked += count
    await note(driver.ledger, migrating=2, cursor=cursor)

    [step] = await migrate.apply(driver.ledger, SETTINGS)

    assert looked + step.calls == numbers.SLICE * 3 + 8
    assert (step.old, step.left) == (1, 0)
    assert await driver.redis.exists(f"{keys.MEMORY_KEY}crm:{NEW[1:]}")


async def test_a_call_that_cannot_be_read_holds_up_no_other(driver: Driver):
    """It is a later version's, which reads numbers as this one does."""
    await build(driver)
    await driver.redis.hset(f"{keys.CALL_KEY}other", "e1", "1 z{}")

    [step] = await migrate.apply(driver.ledger, SETTINGS)

    assert (step.old, step.left) == (5, 0)
