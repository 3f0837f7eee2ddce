"""Numbers that no lead is made for: many questions of one moment are one round trip, and lists are replaced at once."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.ledgers import Driver
from worker.ledger import admin
from worker.ledger.do_not_call import check, load, loaded_list
from worker.ledger.keys import LIST_KEY, LISTED_KEY


async def test_what_is_asked_together_is_one_round_trip(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """Sixty-four attempts that start together ask Redis once, and each is told of its own number."""
    numbers = [f"+614915701{number:02}" for number in range(64)]
    await admin.suppress(driver.ledger, numbers[7])
    await load(driver.ledger, [numbers[9]])
    asked: list[int] = []
    run = driver.ledger.scripts.run

    async def counting(name: str, *args: str | float) -> Any:
        asked.append(len(args))
        return await run(name, *args)

    monkeypatch.setattr(driver.ledger.scripts, "run", counting)
    answers = await asyncio.gather(*map(driver.ledger.is_suppressed, numbers))

    assert [64] == asked
    assert [numbers[7], numbers[9]] == [number for number, held in zip(numbers, answers, strict=True) if held]


async def test_a_redis_that_is_away_is_told_to_everyone_who_asks(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """Nobody waits for ever, and the next question is asked anew."""

    async def away(*_: object) -> list[int]:
        raise RedisConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(driver.ledger.scripts, "run", away)
        answers = await asyncio.gather(
            *map(driver.ledger.is_suppressed, ("+61491570156", "+61491570157")), return_exceptions=True
        )

    assert [RedisConnectionError, RedisConnectionError] == [type(answer) for answer in answers]
    assert not await driver.ledger.is_suppressed("+61491570156")


async def test_a_list_takes_the_place_of_the_one_before_at_once(driver: Driver):
    """The old one holds until the whole new one is there; the operators' own list is another one; nothing is left."""
    await admin.suppress(driver.ledger, "+61491570199")
    await load(driver.ledger, ["+61491570156", "+61491570157", "+61491570156"])
    seen = []

    def slowly() -> Iterator[str]:
        yield from (f"+6149200{number:04}" for number in range(3_000))
        seen.append(asyncio.ensure_future(driver.ledger.is_suppressed("+61491570156")))
        yield "+61491570158"

    before = await loaded_list(driver.ledger)
    replaced = await load(driver.ledger, slowly())
    after = await loaded_list(driver.ledger)

    assert (before and before.count, replaced and (replaced.count, replaced.before)) == (2, (3_001, 2))
    assert after is not None
    assert (after.count, after.loaded_ms) == (3_001, driver.time.ms)
    numbers = ("+61491570156", "+61491570158", "+61491570199", "+61492000000")
    assert [False, True, True, True] == [await driver.ledger.is_suppressed(number) for number in numbers]
    generations = {key.split(":")[2] async for key in driver.redis.scan_iter(f"{LISTED_KEY}*", count=10_000)}
    assert generations == {await driver.redis.hget(LIST_KEY, "generation")}
    assert -1 == await driver.redis.ttl(next(iter([key async for key in driver.redis.scan_iter(f"{LISTED_KEY}*")])))


async def test_a_list_that_is_cut_off_changes_nothing(driver: Driver):
    """What was read of it goes away by itself, and the list before stays in use."""
    await load(driver.ledger, ["+61491570156"])

    def broken() -> Iterator[str]:
        yield from (f"+6149200{number:04}" for number in range(2_500))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk"):
        await load(driver.ledger, broken())

    assert await driver.ledger.is_suppressed("+61491570156")
    assert not await driver.ledger.is_suppressed("+61492000000")
    in_use = await driver.redis.hget(LIST_KEY, "generation")
    left = [key async for key in driver.redis.scan_iter(f"{LISTED_KEY}*", count=10_000) if str(in_use) not in key]
    assert left
    assert all([await driver.redis.ttl(key) > 0 for key in left])


async def test_a_list_that_lacks_numbers_counts_as_never_loaded(driver: Driver):
    """A backup that was taken while a list was replaced may hold a part of either."""
    await load(driver.ledger, ["+61491570156", "+61491570157"])
    assert await check(driver.ledger)
    await driver.redis.delete(*[key async for key in driver.redis.scan_iter(f"{LISTED_KEY}*", count=10_000)][:1])

    assert not await check(driver.ledger)
    found = await loaded_list(driver.ledger)
    assert found is not None
    assert 0 == found.loaded_ms
