"""Consumption, not liveness: a worker that lost its broker without being told, and work that nobody takes."""

import asyncio
import time

import pytest
from redis.asyncio import Redis

from schemas.delacon.events import read_event
from tests.acceptance.looks import command, readyz
from tests.acceptance.stack import end_of, landed, start_of
from tests.chaos.proxy import Proxy
from worker.ledger.ledger import Ledger
from worker.ledger.records import Incoming

LIMIT_S = 60.0
OVERDUE_S = 120.0


@pytest.fixture
def proxy(redis_server):
    """Return a way to Redis that can turn into a black hole."""
    made = Proxy(redis_server.port)
    made.start()
    yield made
    made.stop()


def test_a_worker_whose_connections_became_half_open_takes_work_again_within_60_seconds(proxy, make_stack):
    """No packet tells it that its connections are dead; it finds out by its own time-outs."""
    stack = make_stack()
    stack.start_receiver()
    stack.environ["REDIS_URL"] = f"redis://127.0.0.1:{proxy.port}/0"
    stack.start_worker("worker0")
    stack.wait_for(stack.receiver_answers, 20, "the receiver")
    stack.wait_for(lambda: "ready" in stack.log("worker0"), 20, "the worker")

    proxy.swallow()
    began = time.monotonic()
    stack.post("create", start_of("half-open"))
    stack.post("update", end_of("half-open"))
    stack.wait_for(lambda: "clock.tick_failed" in stack.log("worker0"), 30, "a connection found dead")
    assert not landed(stack, 1)
    proxy.restore()

    stack.wait_for(lambda: landed(stack, 1), LIMIT_S, "three records")
    print(f"delivered {time.monotonic() - began:.1f} s after the connections had died")
    assert time.monotonic() - began < LIMIT_S
    assert stack.processes["worker0"].poll() is None


def test_work_that_nobody_takes_is_told_though_every_process_lives(make_redis_server, make_stack):
    """The age of the oldest due item grows in ``/readyz``, and ``doctor`` ends with 1, until somebody takes it."""
    server = make_redis_server()
    stack = make_stack(redis_url=server.url)
    stack.start(workers=0)
    asyncio.run(_accept(server.url, start_of("overdue"), end_of("overdue"), age_s=OVERDUE_S))

    first = readyz(stack)
    status, found = command(stack, "doctor")
    assert ("ok", "always", 0) == (first["redis"], first["durability"], first["workers"])
    assert first["oldest_due_seconds"] > OVERDUE_S - 5
    assert (1, False, 0) == (status, found["ok"], found["workers"])
    assert {"workers", "oldest_due_seconds"} == {problem.partition(":")[0] for problem in found["problems"]}

    stack.start_worker("worker0", "-Q", "captorra")  # it lives and ticks, and takes nothing from the queue of calls
    stack.wait_for(lambda: readyz(stack)["workers"] == 1, 20, "the worker")
    second = readyz(stack)
    status, found = command(stack, "doctor")
    assert second["oldest_due_seconds"] > first["oldest_due_seconds"]
    assert (1, 1) == (status, found["workers"])
    queues = ("calls", "comunik8", "kapture")
    unserved = {f"queues: no worker takes from {name!r}: what is due there waits" for name in queues}
    problems = {problem for problem in found["problems"] if not problem.startswith("oldest_due_seconds:")}
    assert (unserved, len(unserved) + 1) == (problems, len(found["problems"]))

    stack.start_worker("worker1")
    stack.wait_for(lambda: landed(stack, 1), 20, "three records")
    stack.wait_for(lambda: readyz(stack)["oldest_due_seconds"] == 0, 10, "nothing overdue")
    status, found = command(stack, "doctor")
    assert (0, True, 2, []) == (status, found["ok"], found["workers"], found["problems"])


async def _accept(redis_url: str, *bodies: bytes, age_s: float) -> None:
    """Bring events in as if they had come ``age_s`` ago."""
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        then_ms = round((time.time() - age_s) * 1000)
        ledger = Ledger(redis, clock_ms=lambda: then_ms)
        events = [read_event(body, path_kind="either") for body in bodies]
        items = [Incoming(event.call_id, then_ms * 1000 + place, event.record()) for place, event in enumerate(events)]
        await ledger.accept(items)
