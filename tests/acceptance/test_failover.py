"""A planned failover: the replica becomes the primary, the name leads to it, and nothing has to be restarted."""

import asyncio
import threading
import time

import pytest

from tests.acceptance.looks import command
from tests.acceptance.stack import VENDORS, landed
from tests.acceptance.test_redis_outage import Sent, push
from tests.redis_pair import RedisPair

CALLS = 300
WHOLE_WITHIN_S = 10.0


@pytest.mark.parametrize("cut", [False, True], ids=["kept", "cut"])
@pytest.mark.parametrize("by_hand", [False, True], ids=["FAILOVER", "REPLICAOF"])
def test_a_planned_failover_under_load(redis_pair: RedisPair, make_stack, by_hand: bool, cut: bool):
    """Whole again within 10 s: every webhook answered with yes, every call delivered everywhere, once."""
    stack = make_stack(redis_url=redis_pair.url)
    stack.start()
    stack.wait_for(lambda: "ready" in stack.log("worker0"), 20, "the worker")
    results: list[Sent] = []
    pusher = threading.Thread(target=lambda: results.append(asyncio.run(push(f"http://127.0.0.1:{stack.port}", CALLS))))
    pusher.start()
    stack.wait_for(lambda: stack.requests("captorra") > CALLS / 10, 20, "deliveries under way")

    redis_pair.fail_over(cut=cut, by_hand=by_hand)
    switched = time.monotonic()
    so_far = stack.requests("captorra")
    stack.wait_for(lambda: stack.requests("captorra") > so_far + 10, WHOLE_WITHIN_S, "deliveries after it")
    went_on_s = time.monotonic() - switched
    pusher.join()
    stack.wait_for(lambda: landed(stack, CALLS), 60, "every call at every vendor")
    took_s = time.monotonic() - switched

    [sent] = results
    print(f"{sent}; deliveries again {went_on_s:.1f} s after the name led elsewhere, all there after {took_s:.1f} s")
    assert {200: 2 * CALLS} == dict(sent.statuses)
    ids = {f"outage-{number}" for number in range(CALLS)}
    assert ids == {record["id"] for record in stack.records("captorra")}
    assert {1} == {record["posts"] for record in stack.records("captorra")}
    for vendor in VENDORS:
        assert CALLS == stack.requests(vendor)
    assert all(process.poll() is None for process in stack.processes.values())
    old = redis_pair.replica
    stack.wait_for(lambda: redis_pair.clients(old, idle_s=3) == 0, WHOLE_WITHIN_S, "nobody who asks the old one")
    status, found = command(stack, "doctor")
    assert ("ok", 1) == (found["redis"], found["workers"]), (status, found)
