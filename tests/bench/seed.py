"""Fills a ledger through its own operations: calls accepted and planned, their deliveries due."""

import asyncio
import time

from redis.asyncio import Redis

from tests.bench import bodies
from tests.bench.system import DESTINATIONS
from worker.ledger.ledger import Ledger
from worker.ledger.operate import pause, resume
from worker.ledger.plans import NewDelivery, Plan
from worker.ledger.records import Incoming

BATCH = 500


async def _seed(url: str, *, calls: int, first: int, destinations: tuple[str, ...]) -> None:
    async with Redis.from_url(url, decode_responses=True) as redis:
        ledger = Ledger(redis)
        for begin in range(first, first + calls, BATCH):
            numbers = range(begin, min(begin + BATCH, first + calls))
            now_us = time.time_ns() // 1000
            items = []
            for number in numbers:
                start, end = bodies.records_of(number)
                call_id = bodies.id_of(number).decode()
                items += [Incoming(call_id, now_us, start), Incoming(call_id, now_us + 1, end)]
            await ledger.accept(items)
            await ledger.plan([_plan(number, destinations) for number in numbers])


def _plan(number: int, destinations: tuple[str, ...]) -> Plan:
    groups = {"crm": f"614{number:08d}"}
    return Plan(
        call_id=bodies.id_of(number).decode(),
        version=2,
        state="r",
        revision=1,
        wait_until_ms=0,
        routes=destinations,
        deliveries=tuple(
            NewDelivery(destination=name, action="create", group=groups.get(name, "")) for name in destinations
        ),
    )


def seed(url: str, *, calls: int, first: int = 0, destinations: tuple[str, ...] = DESTINATIONS) -> None:
    """Make ``calls`` calls whose deliveries to ``destinations`` are due."""
    asyncio.run(_seed(url, calls=calls, first=first, destinations=destinations))


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
