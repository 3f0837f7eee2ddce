"""Redis found by Sentinels: everything runs on ``sentinel://``, and follows a primary that changes place."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from deploy.local.redis_server import free_port
from tests.acceptance.looks import Flower, command
from tests.acceptance.stack import end_of, start_of
from tests.redis_pair import RedisPair

FOUND_WITHIN_S = 20.0
SENTINEL_S = 10.0
MOVED_WITHIN_S = 40.0  # the old primary is told that it is one no longer some 10 s after the new one


class Sentinel:
    """One Sentinel that watches a pair, and asks for a login."""

    def __init__(self, folder: Path, binary: Path, pair: RedisPair) -> None:
        self.port = free_port()
        config = folder / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\nrequirepass sentinel-pw\nsentinel monitor mymaster 127.0.0.1 "
            f"{pair.primary.port} 1\nsentinel down-after-milliseconds mymaster 2000\n"
            "sentinel failover-timeout mymaster 10000\n"
        )
        with (folder / "sentinel.log").open("wb") as log:
            self._process = subprocess.Popen(
                [binary, config, "--sentinel"], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.client = Redis(port=self.port, password="sentinel-pw", decode_responses=True)

    def primary(self) -> int:
        """Return the port of the server that it names; 0 while it does not answer."""
        try:
            found: Any = self.client.sentinel_get_master_addr_by_name("mymaster")
            return int(found[1])
        except OSError:
            return 0

    def knows_a_replica(self) -> bool:
        """Say whether it has found the replica, so that it can fail over."""
        return len(self.client.sentinel_slaves("mymaster")) == 1

    def stop(self) -> None:
        """End it."""
        self.client.close()
        self._process.terminate()
        self._process.wait(10)


def wait_for(fact: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until a fact holds."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def nobody_at_the_old_primary(pair: RedisPair) -> bool:
    """Say whether all have left; the Sentinel cuts every connection when it tells the old primary, ours too."""
    try:
        return pair.clients(pair.primary) == 0
    except RedisConnectionError:
        return False


@pytest.fixture
def sentinel(tmp_path: Path, redis_binary: Path, redis_pair: RedisPair) -> Iterator[Sentinel]:
    """Return a Sentinel that knows a primary and its replica."""
    made = Sentinel(tmp_path, redis_binary, redis_pair)
    wait_for(lambda: made.primary() == redis_pair.primary.port, SENTINEL_S, "the Sentinel")
    wait_for(made.knows_a_replica, FOUND_WITHIN_S, "the replica")
    yield made
    made.stop()


def test_everything_runs_on_sentinels_and_follows_the_primary(sentinel: Sentinel, redis_pair: RedisPair, make_stack):
    """Receiver, worker, Flower and command line, in database 3; the first Sentinel of the list is down."""
    first = free_port()
    url = f"sentinel://127.0.0.1:{first},127.0.0.1:{sentinel.port}/mymaster/3?sentinel_password=sentinel-pw"
    stack = make_stack(redis_url=url)
    flower = Flower(stack)
    stack.start()
    stack.wait_for(lambda: flower.sees("worker0"), 30, "Flower and its worker")
    for call_id in ("before-1", "before-2"):
        assert 200 == stack.post("create", start_of(call_id, "+61491570156"))[0]
        assert 200 == stack.post("update", end_of(call_id))[0]
    stack.wait_for(lambda: len(stack.records("captorra")) == 2, 20, "records")
    status, found = command(stack, "doctor")
    assert ("ok", [], 1) == (found["redis"], found["problems"], found["workers"]), status
    with Redis(port=redis_pair.primary.port or 0, db=3) as redis:
        assert 2 == redis.zcard("sb:calls")
    with Redis(port=redis_pair.primary.port or 0) as redis:
        assert 0 == redis.dbsize()

    sentinel.client.sentinel_failover("mymaster")
    wait_for(lambda: sentinel.primary() == redis_pair.replica.port, FOUND_WITHIN_S, "the new primary's name")
    wait_for(lambda: nobody_at_the_old_primary(redis_pair), MOVED_WITHIN_S, "nobody at the old primary")
    assert 200 == stack.post("create", start_of("after", "+61491570157"))[0]
    assert 200 == stack.post("update", end_of("after"))[0]

    stack.wait_for(lambda: len(stack.records("captorra")) == 3, 10, "the call after it")
    assert all(process.poll() is None for process in stack.processes.values())
    assert "callcap" in {queue["name"] for queue in flower.json("/api/queues/length")["active_queues"]}
