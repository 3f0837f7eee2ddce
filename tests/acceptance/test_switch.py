"""Three Sentinels, two replicas and REDIS_MIN_REPLICAS = 1: a primary that is switched or killed under load."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.redis_server import RedisServer
from tests.acceptance.stack import VENDORS, Stack, end_of, landed, start_of
from tests.acceptance.test_redis_outage import Sent, push
from tests.sentinel_set import SentinelSet

CALLS = 600
LEFT_WITHIN_S = 3.0


@pytest.fixture
def sentinels(tmp_path: Path, redis_binary: Path) -> Iterator[SentinelSet]:
    """Return servers and Sentinels that know each other."""
    with SentinelSet(tmp_path / "sentinels", binary=redis_binary) as made:
        yield made


def play(stack: Stack, fault: Callable[[], None]) -> Sent:
    """Play a fault in the middle of a load, and wait until every call is at every vendor."""
    results: list[Sent] = []
    url = f"http://127.0.0.1:{stack.port}"
    pusher = threading.Thread(target=lambda: results.append(asyncio.run(push(url, CALLS))))
    pusher.start()
    stack.wait_for(lambda: stack.requests("captorra") > CALLS / 20, 20, "deliveries under way")
    fault()
    pusher.join()
    stack.wait_for(lambda: landed(stack, CALLS), 60, "every call at every vendor")
    [sent] = results
    return sent


@pytest.mark.parametrize("how", ["switched", "killed"])
def test_the_primary_changes_under_load(sentinels: SentinelSet, make_stack, how: str):
    """Every webhook is answered with yes and every call is at every vendor, once; nothing is restarted.

    What was sent in the moment of the change may be sent again, and the vendor answers that it has it.
    After a planned switch the old primary goes on answering, and yet everybody leaves it as soon as they are told.
    """
    stack = make_stack(redis_url=sentinels.url, environ={"REDIS_MIN_REPLICAS": "1"})
    stack.start()
    stack.wait_for(lambda: "ready" in stack.log("worker0"), 20, "the worker")

    def fault() -> None:
        if how == "killed":
            sentinels.kill_primary()
            return
        old = sentinels.switch()
        deadline = time.monotonic() + LEFT_WITHIN_S
        while sentinels.clients(old, idle_s=1):  # what lies idle in a pool is made anew when it is used
            assert time.monotonic() < deadline, "somebody asks the old primary"
            time.sleep(0.05)

    sent = play(stack, fault)
    assert {200: 2 * CALLS} == dict(sent.statuses)
    assert {1} == {record["history"].count("added") for record in stack.records("captorra")}
    for vendor in VENDORS:
        assert CALLS == len(stack.records(vendor))
    assert all(process.poll() is None for process in stack.processes.values())
    assert "redis.switched" in stack.log("receiver")
    assert "redis.switched" in stack.log("worker0")


def test_an_acknowledged_event_outlives_a_primary_whose_replicas_were_behind(sentinels: SentinelSet, make_stack):
    """It stands in the spool as well, and enters the new primary from there: one event, delivered once."""
    stack = make_stack(redis_url=sentinels.url, environ={"REDIS_MIN_REPLICAS": "1"})
    stack.start(workers=0)
    frozen = [server for server in sentinels.servers if server is not sentinels.primary()]
    post_behind(stack, frozen)
    stack.start_worker("worker0")
    stack.wait_for(lambda: landed(stack, 1), 30, "the call at every vendor")
    assert 1 == stack.requests("captorra")
    stack.wait_for(lambda: "spool.drained" in stack.log("receiver"), 20, "the spool's end")


def post_behind(stack: Stack, replicas: list[RedisServer]) -> None:
    """Post a call while no replica takes anything in."""
    for server in replicas:
        server.freeze()
    try:
        assert 200 == stack.post("create", start_of("behind"))[0]
        assert 200 == stack.post("update", end_of("behind"))[0]
    finally:
        for server in replicas:
            server.thaw()
