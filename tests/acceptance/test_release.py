"""A destination that was held for long is released: nothing floods the broker, and its neighbours do not notice."""

import asyncio
import json
import os
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Self, TypeVar

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from schemas.delacon.events import read_event
from tests.acceptance.busy_processes import Cores, busy_processes
from tests.acceptance.looks import get
from tests.acceptance.stack import CONFIG, Stack, start_of
from tests.standins_process import running_standins
from worker.ledger.admin import pause, resume
from worker.ledger.ledger import Ledger
from worker.ledger.records import Incoming, NewDelivery, Plan

HELD = int(os.environ.get("SWITCHBOARD_HELD", "5000"))
"""Deliveries held; the figure of the promise is 100,000."""

BATCH = 1000
QUEUES = ("calls", "captorra", "comunik8", "kapture", "callcap", "chores")
LONGEST_LIST = 100
PAUSE_S = 0.05
ALONE_S = 5.0
RELEASED_S = 30.0
LIMIT_S = max(60.0, HELD / 100)
MOST_MS = 1000.0
END = {"PLA_CallResult": "Answered", "PLA_Duration": "50s"}
CONFIG = CONFIG.replace('url = "{url}/kapture"', 'url = "{neighbour}/kapture"').replace(
    'to = ["law", "dialler", "crm"]', 'to = ["crm"]'
)

T = TypeVar("T")


@pytest.fixture
def neighbour() -> Iterator[str]:
    """Return the address of stand-ins for the healthy destination alone, so that only our own parts are shared."""
    with running_standins() as url:
        yield url


class Lengths:
    """Looks at the length of every Celery list, as often as Redis answers, and keeps the longest."""

    def __init__(self, redis_url: str) -> None:
        self.longest = dict.fromkeys((*QUEUES, "unacked"), 0)
        self._redis = Redis.from_url(redis_url)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._redis.close()

    def _run(self) -> None:
        while not self._ended.wait(0.01):
            pipe = self._redis.pipeline(transaction=False)
            for queue in QUEUES:
                pipe.llen(queue)
            pipe.hlen("unacked")
            for name, length in zip(self.longest, pipe.execute(), strict=True):
                self.longest[name] = max(self.longest[name], length)


class Neighbour:
    """Calls for the healthy destination: one at a time, at a steady rate, each with a caller of its own."""

    def __init__(self, stack: Stack, url: str) -> None:
        self._stack = stack
        self._url = url
        self._posted_ms: dict[str, float] = {}

    def push(self, *, for_s: float, until: Callable[[], bool] = lambda: False) -> list[float]:
        """Push for a while, or until told; return the milliseconds from each webhook to its call's arrival."""
        first = len(self._posted_ms)
        end = time.monotonic() + for_s
        while time.monotonic() < end and not until():
            digits = f"614915{len(self._posted_ms):05d}"
            whole = json.loads(start_of(f"new-{digits}", f"+{digits}")) | END
            self._posted_ms[digits] = time.time() * 1000
            assert self._stack.post("", whole)[0] == 200
            time.sleep(PAUSE_S)  # the rate of the calls
        self._stack.wait_for(lambda: len(self._arrived_ms()) == len(self._posted_ms), 30, "every call of the neighbour")
        arrived = self._arrived_ms()
        return [arrived[digits] - posted for digits, posted in list(self._posted_ms.items())[first:]]

    def _arrived_ms(self) -> dict[str, float]:
        records = json.loads(get(f"{self._url}/control/records?vendor=kapture")[1])
        return {record["values"]["customer_code"]: record["created_ms"] for record in records}


async def with_ledger(redis_url: str, work: Callable[[Ledger], Awaitable[T]]) -> T:
    """Do something with the ledger."""
    async with AsyncRedis.from_url(redis_url, decode_responses=True) as redis:
        return await work(Ledger(redis))


async def hold(ledger: Ledger) -> None:
    """Pause a destination and make deliveries for it, as dispatch would have over days."""
    await pause(ledger, "law")
    now_us = await ledger.now_ms() * 1000
    record = read_event(start_of("held"), path_kind="create").record()
    made = (NewDelivery(destination="law", action="create"),)
    for first in range(0, HELD, BATCH):
        ids = [f"held-{number}" for number in range(first, min(first + BATCH, HELD))]
        await ledger.accept([Incoming(call_id, now_us, record) for call_id in ids])
        plans = [
            Plan(call_id=call_id, version=1, state="r", revision=1, wait_until_ms=0, routes=("law",), deliveries=made)
            for call_id in ids
        ]
        assert all(planned.applied for planned in await ledger.plan(plans))


async def left(ledger: Ledger) -> int:
    """Return how many deliveries are not final."""
    overview = await ledger.overview(["law", "crm"])
    return overview.in_flight + sum(status.queued + status.dead for status in overview.destinations)


def told(latencies_ms: list[float]) -> str:
    """Describe latencies."""
    p50, p95, worst = statistics.median(latencies_ms), statistics.quantiles(latencies_ms, n=20)[-1], max(latencies_ms)
    return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, worst {worst:.0f} ms of {len(latencies_ms)} calls"


@pytest.mark.load
def test_what_was_held_is_released_without_a_flood(redis_url, neighbour, make_stack):
    """No Celery list is ever longer than 100, all is delivered once, and a healthy destination goes on as before.

    Now and then the backlog is held again, to measure the neighbour without it, and beside busy processes that want as
    much of the machine: what a machine gives changes from minute to minute.
    """
    asyncio.run(with_ledger(redis_url, hold))
    stack = make_stack(config=CONFIG, neighbour=neighbour)
    stack.start()
    stack.wait_for(lambda: "ready" in stack.log("worker0"), 20, "the worker")
    calls = Neighbour(stack, neighbour)
    calls.push(for_s=1)
    alone: list[float] = []
    beside: list[float] = []
    control: list[float] = []
    seconds = 0.0
    with Lengths(redis_url) as lengths:
        while seconds < LIMIT_S and stack.requests("captorra") < HELD:
            idle = Cores()
            alone += calls.push(for_s=ALONE_S)
            usual = idle.used()
            asyncio.run(with_ledger(redis_url, lambda ledger: resume(ledger, "law")))
            busy = Cores()
            beside += calls.push(for_s=RELEASED_S, until=lambda: stack.requests("captorra") >= HELD)
            seconds += busy.seconds()
            taken = busy.used() - usual
            asyncio.run(with_ledger(redis_url, lambda ledger: pause(ledger, "law")))
            with busy_processes(taken):
                control += calls.push(for_s=ALONE_S)
        asyncio.run(with_ledger(redis_url, lambda ledger: resume(ledger, "law")))
    stack.wait_for(lambda: asyncio.run(with_ledger(redis_url, left)) == 0, 30, "the ends of the last attempts")

    print(f"{HELD} released in {seconds:.1f} s; longest lists {lengths.longest}")
    print(f"neighbour alone: {told(alone)}")
    print(f"beside the backlog: {told(beside)}")
    print(f"beside busy processes that want as much CPU: {told(control)}")
    assert HELD == stack.requests("captorra")
    assert max(lengths.longest.values()) <= LONGEST_LIST
    assert statistics.median(beside) < MOST_MS
