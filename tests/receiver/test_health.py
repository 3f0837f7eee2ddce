"""Whether an event can be stored, and who may know more."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, ResponseError

from receiver.health import FRESH_S, Ready, durability
from receiver.redis_breaker import RedisBreaker
from receiver.spool.file import SpoolFile
from receiver.spool.spool import Spool
from tests.receiver.scripted import OPS_TOKEN, FakeLedger, FakeRedis, Look, running_receiver
from worker.ledger.records import Incoming
from worker.ledger.sign_ins import SignIn


@pytest.mark.parametrize(
    "redis, expected",
    [
        (FakeRedis(aof=1, fsync="always"), "always"),
        (FakeRedis(aof=1, fsync="everysec"), "everysec"),
        (FakeRedis(aof=1, fsync="no"), "none"),
        (FakeRedis(aof=0, fsync="always"), "none"),
        (FakeRedis(refusal=NoPermissionError("this user has no permissions")), "unknown"),
        (FakeRedis(refusal=ResponseError("unknown command 'CONFIG'")), "unknown"),
        (FakeRedis(fsync="sometimes"), "unknown"),
    ],
)
async def test_tells_what_a_killed_redis_keeps(redis, expected):
    """Managed services often do not permit CONFIG."""
    assert expected == await durability(redis)


async def test_a_redis_that_is_gone_is_not_of_unknown_durability():
    """The caller learns that it does not answer."""
    with pytest.raises(RedisConnectionError):
        await durability(FakeRedis(refusal=RedisConnectionError("gone")))


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def make_ready(ledger, *, breaker=None, spool=None, clock=None, now_us=0):
    """Make what is asked."""
    return Ready(
        ledger=ledger, redis=FakeRedis(), spool=spool, breaker=breaker or RedisBreaker(), destinations=("crm",),
        config="abc", now_us=lambda: now_us, monotonic=clock or Clock(),
    )  # fmt: skip


async def test_all_parts_are_told():
    """Exactly the contract's keys."""
    readiness = await make_ready(FakeLedger()).check()

    assert readiness.ok
    assert {
        "redis": "ok", "durability": "always", "spool": {"state": "off"}, "workers": 2, "oldest_due_seconds": 0.5,
    } == readiness.parts  # fmt: skip


async def test_what_was_found_serves_for_a_second():
    """However often anybody asks."""
    ledger, clock = FakeLedger(), Clock()
    ready = make_ready(ledger, clock=clock)
    assert (await ready.check()).ok
    ledger.fault = RedisConnectionError("gone")

    assert (await ready.check()).ok
    clock.now = FRESH_S
    assert not (await ready.check()).ok


async def test_what_was_found_does_not_outlive_a_refused_webhook():
    """Whoever was just answered 503 is not told that an event can be stored, nor the other way round."""
    breaker = RedisBreaker()
    ready = make_ready(FakeLedger(), breaker=breaker)
    assert (await ready.check()).ok
    breaker.trip(RedisConnectionError("gone"))

    assert not (await ready.check()).ok
    breaker.reset()
    assert (await ready.check()).ok


async def test_the_spool_makes_it_ready_without_redis(tmp_path):
    """Its events and their age are told."""
    spool = Spool.at(tmp_path / "spool.db")
    await spool.put([Incoming("1", 5_000_000, "s")])
    ledger = FakeLedger(fault=RedisConnectionError("gone"))
    readiness = await make_ready(ledger, spool=spool, now_us=12_000_000).check()
    await spool.close()

    assert readiness.ok
    assert "down" == readiness.parts["redis"]
    assert "unknown" == readiness.parts["durability"]
    assert ("ok", 1, 7.0) == tuple(readiness.parts["spool"][key] for key in ("state", "events", "oldest_seconds"))


async def test_a_tripped_breaker_is_a_redis_that_is_down():
    """It may answer a PING and still take no write."""
    breaker = RedisBreaker()
    breaker.trip(ResponseError("READONLY"))

    assert not (await make_ready(FakeLedger(), breaker=breaker).check()).ok


async def test_a_full_disk_is_told(tmp_path):
    """Then neither can take it."""
    file = SpoolFile(tmp_path / "spool.db", max_pages=10)
    spool = Spool(file)
    broken = await make_ready(FakeLedger(fault=RedisConnectionError("gone")), spool=spool).check()
    beside = await make_ready(FakeLedger(), spool=spool).check()
    await spool.close()

    assert (False, "failing") == (broken.ok, broken.parts["spool"]["state"])
    assert (True, "failing") == (beside.ok, beside.parts["spool"]["state"])


async def test_a_ledger_that_cannot_tell_of_the_work_is_still_ready():
    """What cannot be told stays unknown."""

    class Silent(FakeLedger):
        async def overview(self, destinations):
            raise ResponseError("busy")

    readiness = await make_ready(Silent()).check()

    assert readiness.ok
    assert None is readiness.parts["workers"]


async def test_healthz_says_that_the_process_lives(client, receiver):
    """To anyone, whatever Redis does."""
    receiver.ledger.fault = RedisConnectionError("gone")
    async with client.get(receiver.url + "/healthz") as response:
        assert (200, {"status": "ok"}) == (response.status, await response.json())
    async with client.head(receiver.url + "/healthz") as response:
        assert (200, b"") == (response.status, await response.read())
    async with client.post(receiver.url + "/healthz") as response:
        assert (405, "GET, HEAD") == (response.status, response.headers["Allow"])


async def test_readyz_is_503_when_nothing_can_store(client, receiver):
    """A stranger sees that, and nothing else."""
    receiver.ledger.fault = RedisConnectionError("gone")
    async with client.get(receiver.url + "/readyz", headers={"Via": "1.1 proxy"}) as response:
        assert (503, {"status": "unavailable"}) == (response.status, await response.json())


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
async def test_a_stranger_behind_a_proxy_sees_no_parts_and_no_metrics(client, receiver, path):
    """Without ops tokens only a direct neighbour may look."""
    async with client.get(receiver.url + path) as response:
        near = await response.text()
    async with client.get(receiver.url + path, headers={"X-Forwarded-For": "127.0.0.1"}) as response:
        far = await response.text()

    assert ("redis" in near) or ("switchboard_ack_seconds" in near)
    assert "redis" not in far
    assert "switchboard_ack_seconds" not in far


async def test_metrics_come_in_prometheus_form(client):
    """With an ops token; a wrong one gets 401 and is told which kind opens."""
    async with running_receiver(ledger=FakeLedger(), ops_tokens=(OPS_TOKEN,)) as receiver:
        async with client.get(receiver.url + "/metrics", headers={"Authorization": f"Bearer {OPS_TOKEN}"}) as response:
            assert 200 == response.status
            assert response.headers["Content-Type"].startswith("text/plain")
            assert "switchboard_ack_seconds_bucket" in await response.text()
        async with client.get(receiver.url + "/metrics", headers={"Authorization": "Bearer x"}) as response:
            assert (401, "Bearer") == (response.status, response.headers["WWW-Authenticate"])


async def test_workers_with_another_configuration_are_told():
    """Only then is there one part more; a worker of an earlier version says nothing of its own."""
    look = Look(sign_ins=(SignIn(name="one", config="abc"), SignIn(name="two", config="def"), SignIn(name="three")))
    parts = (await make_ready(FakeLedger(look=look)).check()).parts

    assert {"digest": "abc", "differing": {"abc": ["one"], "def": ["two"]}} == parts["config"]
    assert 3 == len(look.sign_ins)
