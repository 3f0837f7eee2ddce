"""The queues of dead letters hold the newest, each its own number of them."""

import json
from base64 import b64decode
from collections.abc import Iterator
from functools import partial

import pytest
from celery import Celery
from redis.asyncio import Redis

from tests.acceptance.receiver_process import until
from worker.dead_letters import DeadLetterQueue


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    """Return an app of its own, on an empty Redis."""
    with Celery("dead-letters", broker=redis_url, set_as_current=False) as made:
        yield made


async def test_each_queue_keeps_its_newest(app: Celery, redis: Redis):
    """Also where dead letters of two vendors take turns: neither queue grows on."""
    dead = DeadLetterQueue(app, kept=20, trim_every=4)
    names = ("captorra.dead", "kapture.dead")
    for number in range(60):
        dead.publish(names[number % 2], {"key": f"call-{number}:law:create"})
        if number % 10 == 9:  # as many wait as are kept
            await until(dead._waiting.empty)

    async def is_newest(name: str, number: int) -> bool:
        message = json.loads(await redis.lindex(name, 0) or '{"body": ""}')
        return f"call-{number}:".encode() in b64decode(message["body"])

    for name, number in zip(names, (58, 59), strict=True):
        await until(partial(is_newest, name, number))
        assert 20 <= await redis.llen(name) < 20 + 4
