"""The list of suppressed numbers: many questions of one moment are one round trip."""

import asyncio
from collections.abc import Sequence

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.ledgers import Driver
from worker.ledger import admin


async def test_what_is_asked_together_is_one_round_trip(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """Sixty-four attempts that start together ask Redis once, and each is told of its own number."""
    numbers = [f"+614915701{number:02}" for number in range(64)]
    await admin.suppress(driver.ledger, numbers[7])
    asked: list[int] = []
    look_up = driver.redis.smismember

    async def counting(name: str, values: list[str]) -> Sequence[int]:
        asked.append(len(values))
        return await look_up(name, values)

    monkeypatch.setattr(driver.redis, "smismember", counting)
    answers = await asyncio.gather(*map(driver.ledger.is_suppressed, numbers))

    assert [64] == asked
    assert [numbers[7]] == [number for number, held in zip(numbers, answers, strict=True) if held]


async def test_a_redis_that_is_away_is_told_to_everyone_who_asks(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """Nobody waits for ever, and the next question is asked anew."""

    async def away(*_: object) -> list[int]:
        raise RedisConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(driver.redis, "smismember", away)
        answers = await asyncio.gather(
            *map(driver.ledger.is_suppressed, ("+61491570156", "+61491570157")), return_exceptions=True
        )

    assert [RedisConnectionError, RedisConnectionError] == [type(answer) for answer in answers]
    assert not await driver.ledger.is_suppressed("+61491570156")
