"""Fills a ledger through its own operations: calls accepted and planned, their deliveries due."""

import asyncio
import time
from collections.abc import Sequence

from redis.asyncio import Redis

from tests.bench import bodies
from tests.bench.system import DESTINATIONS
from worker.ledger import search
from worker.ledger.admin import pause, resume
from worker.ledger.ledger import Ledger
from worker.ledger.records import About, Incoming, NewDelivery, Plan

BATCH = 500


async def fill(ledger: Ledger, numbers: Sequence[int], destinations: tuple[str, ...]) -> None:
    """Accept and plan the calls of these numbers."""
    now_us = time.time_ns() // 1000
    items = []
    for number in numbers:
        start, end = bodies.records_of(number)
        call_id = bodies.id_of(number).decode()
        items += [Incoming(call_id, now_us, start), Incoming(call_id, now_us + 1, end)]
    await ledger.accept(items)
    await ledger.plan([plan_of(number, destinations) for number in numbers])


async def _seed(url: str, *, calls: int, first: int, destinations: tuple[str, ...]) -> None:
    async with Redis.from_url(url, decode_responses=True) as redis:
        ledger = Ledger(redis)
        # As the first worker does before there is a call: one that finds calls indexes each again, as after an upgrade.
        await search.fill(ledger, default_region="AU")
        for begin in range(first, first + calls, BATCH):
            await fill(ledger, range(begin, min(begin + BATCH, first + calls)), destinations)


def plan_of(number: int, destinations: tuple[str, ...]) -> Plan:
    """Return the plan of a call: ready, with a delivery to each destination."""
    groups = {"crm": f"614{number:08d}"}
    return Plan(
        call_id=bodies.id_of(number).decode(),
        version=2,
        state="r",
        revision=1,
        wait_until_ms=0,
        routes=destinations,
        about=About(service_id="123", result="a", caller_digits=f"614{number:08d}"),
        deliveries=tuple(
            NewDelivery(destination=name, action="create", group=groups.get(name, "")) for name in destinations
        ),
    )


def seed(url: str, *, calls: int, first: int = 0, destinations: tuple[str, ...] = DESTINATIONS) -> None:
    """Make ``calls`` calls whose deliveries to ``destinations`` are due."""
    asyncio.run(_seed(url, calls=calls, first=first, destinations=destinations))


async def _settle(url: str) -> None:
    async with Redis.from_url(url, decode_responses=True) as redis:
        for key in ["sb:calls", *[f"sb:due:{name}" for name in DESTINATIONS]]:
            for begin in range(0, await redis.zcard(key), BATCH):
                await redis.zmscore(key, [str(one) for one in await redis.zrange(key, begin, begin + BATCH - 1)])


def settle(url: str) -> None:
    """Let Redis end what a seeding has begun: it moves the entries of a dictionary that has grown one an operation.

    With 1,000,000 calls seeded that took a twentieth of the accepts and of the claims.
    """
    asyncio.run(_settle(url))


async def _gates(url: str, *, shut: bool) -> None:
    async with Redis.from_url(url, decode_responses=True) as redis:
        ledger = Ledger(redis)
        for name in DESTINATIONS:
            await (pause(ledger, name) if shut else resume(ledger, name))


def pause_all(url: str) -> None:
    """Let the deliveries wait."""
    asyncio.run(_gates(url, shut=True))


def resume_all(url: str) -> None:
    """Let them go; the clock of a worker wakes their destinations within half a second."""
    asyncio.run(_gates(url, shut=False))
