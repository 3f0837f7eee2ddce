"""What an event costs in Redis, however many its call has."""

import asyncio
import os
import tempfile
from dataclasses import replace
from pathlib import Path

from redis.asyncio import Redis

from deploy.local.redis_server import RedisServer, find_binary
from schemas.delacon.events import read_event
from tests.acceptance.stack import end_of, start_of
from tests.bench.figures import Figure, Limit
from tests.bench.scale import Scale
from worker.ledger.ledger import Ledger
from worker.ledger.records import Incoming

CALLS = 64  # a group: an event of each, starts and ends by turns
FULL = 200
ROUNDS = 100
FIRST_US = 1_772_452_800_000_000


def accept(scale: Scale) -> list[Figure]:
    """Measure the time that Redis takes for an event of a call without any, and of one with two hundred."""
    with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder:
        server = RedisServer(Path(folder), binary=find_binary(os.environ), appendonly=False)
        with server:
            first, full = asyncio.run(_measure(server.url, rounds=scale.of(ROUNDS)))
    ratio = sum(full) / sum(first)
    return [
        Figure(
            row="accept, Redis time an event at 200 stored", unit="us", subject=full, floor=first,
            limits=[Limit(name="ratio to a first event", value=ratio, must=2, aim=1.5, at_most=True)],
        )
    ]  # fmt: skip


async def _measure(url: str, *, rounds: int) -> tuple[list[float], list[float]]:
    first: list[float] = []
    full: list[float] = []
    async with Redis.from_url(url, decode_responses=True) as redis:
        ledger = Ledger(redis)
        for number in range(FULL):
            await ledger.accept(_group("full", number))
        for number in range(rounds):
            first.append(await _timed(redis, ledger, _group(f"first-{number}", number)))
            full.append(await _timed(redis, ledger, _group("full", FULL + number)))
    return first, full


def _group(calls: str, number: int) -> list[Incoming]:
    """Make an event of every call that differs from those of other numbers by one value."""
    items = []
    for place in range(CALLS):
        name = f"{calls}-{place}"
        event = read_event(end_of(name) if place % 2 else start_of(name), path_kind="either")
        event = replace(event, values={**event.values, "PLA_ExtraTracking": str(number)})
        items.append(Incoming(name, FIRST_US + number * CALLS + place, event.record()))
    return items


async def _timed(redis: Redis, ledger: Ledger, group: list[Incoming]) -> float:
    """Return the microseconds of Redis an item."""
    await redis.config_resetstat()
    await ledger.accept(group)
    spent = (await redis.info("commandstats"))["cmdstat_evalsha"]["usec"]
    return float(spent) / len(group)
