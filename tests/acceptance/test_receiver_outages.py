"""Whatever becomes of Redis, of the receiver and of the disk: what was acknowledged is in the ledger, once."""

import asyncio
import random
import resource
import sqlite3
from functools import partial

import aiohttp
import pytest
from redis.asyncio import Redis

from tests.acceptance.receiver_process import ReceiverProcess, event, stored, until


@pytest.fixture
def server(make_redis_server):
    """Return a Redis that keeps what it acknowledged."""
    return make_redis_server()


@pytest.fixture
def receiver(tmp_path, server):
    """Return a receiver with a spool."""
    made = ReceiverProcess(tmp_path, server.url)
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def session():
    """Return an HTTP client whose connections wait for nobody."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as made:
        yield made


async def post_many(receiver, session, numbers, *, per_s=100.0):
    """Post at a steady rate; return the numbers that were acknowledged and the longest wait."""
    tasks = []
    for number in numbers:
        tasks.append(asyncio.create_task(receiver.post(session, event(number))))
        await asyncio.sleep(1 / per_s)
    answers = await asyncio.gather(*tasks)
    good = {f"call-{number}" for number, (status, _) in zip(numbers, answers, strict=True) if status == 200}
    return good, max(seconds for _, seconds in answers)


async def all_in(server, expected):
    """Say whether the ledger has exactly one event of each."""
    return await stored(server.url) == dict.fromkeys(expected, 1)


async def test_a_frozen_redis_costs_nobody_more_than_two_seconds(receiver, server, session):
    """Every webhook is acknowledged; afterwards each is in the ledger once, though some were written twice."""
    before, _ = await post_many(receiver, session, range(20))
    server.freeze()
    during, longest = await post_many(receiver, session, range(20, 320))
    status, parts = await receiver.readyz(session)
    server.thaw()
    after, _ = await post_many(receiver, session, range(320, 340))

    assert 340 == len(before | during | after)
    assert longest < 2.0
    assert (200, "down", "ok") == (status, parts["redis"], parts["spool"]["state"])
    assert parts["spool"]["events"] >= 290
    await until(lambda: all_in(server, before | during | after))


async def test_a_killed_redis_gets_everything_when_it_is_back(receiver, server, session):
    """What it had acknowledged it still has; the rest was spooled."""
    before, _ = await post_many(receiver, session, range(50))
    server.kill()
    during, longest = await post_many(receiver, session, range(50, 150))
    server.restart()
    await until(lambda: all_in(server, before | during))

    assert 150 == len(before | during)
    assert longest < 2.0


@pytest.mark.parametrize(
    "fault, cure",
    [
        ({"maxmemory": "1"}, {"maxmemory": "0"}),
        ({"min-replicas-to-write": "1"}, {"min-replicas-to-write": "0"}),
    ],
)
async def test_a_redis_that_refuses_writes_is_as_good_as_none(receiver, server, session, *, fault, cure):
    """Out of memory, too few replicas: the PING is answered, the write is not."""
    async with Redis.from_url(server.url) as redis:
        await redis.config_set(*next(iter(fault.items())))
        during, _ = await post_many(receiver, session, range(50))
        status, parts = await receiver.readyz(session)
        assert {} == await stored(server.url)
        await redis.config_set(*next(iter(cure.items())))
    await until(lambda: all_in(server, during))

    assert 50 == len(during)
    assert (200, "down") == (status, parts["redis"])


async def test_a_read_only_replica_is_as_good_as_none(receiver, server, session, free_port):
    """As in the middle of a failover."""
    async with Redis.from_url(server.url) as redis:
        await redis.replicaof("127.0.0.1", free_port)
        during, _ = await post_many(receiver, session, range(30))
        await redis.replicaof("NO", "ONE")
    await until(lambda: all_in(server, during))

    assert 30 == len(during)


async def test_a_receiver_killed_with_a_full_spool_drains_it_in_its_next_life(receiver, server, session):
    """SIGKILL at any moment of posting and of draining loses no acknowledged event."""
    server.freeze()
    acknowledged: set[str] = set()

    async def keep_posting(start):
        for number in range(start, start + 10_000):
            try:
                status, _ = await receiver.post(session, event(number))
            except aiohttp.ClientError:
                return
            if status == 200:
                acknowledged.add(f"call-{number}")

    def enough(count):
        return len(acknowledged) >= count

    dice = random.Random(7)
    for life in range(3):
        posting = [asyncio.create_task(keep_posting(life * 100_000 + lane * 10_000)) for lane in range(4)]
        await until(partial(enough, 30 * (life + 1)))
        await asyncio.sleep(dice.random() * 0.2)
        receiver.kill()
        await asyncio.gather(*posting)
        receiver.start()
    server.thaw()
    await asyncio.sleep(0.05)
    receiver.kill()
    receiver.start()

    async def complete():
        found = await stored(server.url)
        return acknowledged <= found.keys() and set(found.values()) == {1}

    await until(complete)


async def test_the_later_received_event_stands_though_it_entered_first(receiver, server, session):
    """A spooled event keeps the time of its receipt."""
    server.freeze()
    await receiver.post(session, event(1, PLA_City="early"))
    server.thaw()
    await until(lambda: all_in(server, {"call-1"}))
    await receiver.post(session, event(1, PLA_City="late"))
    async with Redis.from_url(server.url, decode_responses=True) as redis:
        events = [str(value) for name, value in (await redis.hgetall("sb:c:call-1")).items() if name in {"e1", "e2"}]
    receipts = {("early" if "early" in value else "late"): int(value.split(" ")[0]) for value in events}

    assert receipts["early"] < receipts["late"]


async def test_a_full_disk_is_never_a_false_acknowledgement(tmp_path, make_redis_server, session):
    """With Redis gone and no room in the spool the answer is 503, and every 200 is in the spool."""
    server = make_redis_server()
    limit = 600_000

    receiver = ReceiverProcess(tmp_path, server.url)
    receiver.start()
    resource.prlimit(receiver.pid, resource.RLIMIT_FSIZE, (limit, limit))
    server.kill()
    try:
        answers = []
        for number in range(0, 1000, 20):
            numbers = range(number, number + 20)
            answers += await asyncio.gather(*(receiver.post(session, event(n, PLA_URL="x" * 2000)) for n in numbers))
        good = {f"call-{n}" for n, (status, _) in enumerate(answers) if status == 200}
        status, parts = await receiver.readyz(session)
    finally:
        receiver.kill()
    with sqlite3.connect(tmp_path / "spool.db") as spool:
        found = {row[0] for row in spool.execute("SELECT call_id FROM events")}
    spool.close()

    assert {200, 503} == {status for status, _ in answers}
    assert good <= found
    assert (503, "failing") == (status, parts["spool"]["state"])


async def test_without_a_spool_the_answer_is_503(tmp_path, make_redis_server, session):
    """And stored again as soon as Redis is back."""
    server = make_redis_server()
    receiver = ReceiverProcess(tmp_path, server.url, SPOOL_PATH="")
    receiver.start()
    try:
        server.freeze()
        status, seconds = await receiver.post(session, event(1))
        assert 503 == status
        assert seconds < 2.0
        assert 503 == (await receiver.readyz(session))[0]
        server.thaw()

        async def works():
            return (await receiver.post(session, event(2)))[0] == 200

        await until(works)

        async def ready():
            status, parts = await receiver.readyz(session)
            assert {"state": "off"} == parts["spool"]
            return status == 200

        await until(ready)
    finally:
        receiver.stop()


async def test_a_volatile_spool_keeps_what_it_does_not_acknowledge(tmp_path, make_redis_server, session):
    """While Redis is stopped the answer is 503 and ``/readyz`` says why; later all is in the ledger."""
    server = make_redis_server()
    receiver = ReceiverProcess(tmp_path, server.url, SPOOL_VOLATILE="1")
    receiver.start()
    try:
        before, told = await receiver.readyz(session)
        server.kill()
        statuses = {(await receiver.post(session, event(number)))[0] for number in range(3)}
        status, parts = await receiver.readyz(session)
        server.restart()
        await until(lambda: all_in(server, {f"call-{number}" for number in range(3)}))
    finally:
        receiver.stop()

    assert (200, "volatile") == (before, told["spool"]["state"])
    assert {503} == statuses
    assert (503, "volatile", 3) == (status, parts["spool"]["state"], parts["spool"]["events"])


async def test_it_starts_without_redis_and_two_of_them_share_a_spool(tmp_path, make_redis_server, session):
    """What either of them spooled is drained once Redis is there, whoever does it."""
    server = make_redis_server()
    server.kill()
    receivers = [ReceiverProcess(tmp_path, server.url, name=name) for name in ("one", "two")]
    try:
        for receiver in receivers:
            receiver.start()
        first, _ = await post_many(receivers[0], session, range(30))
        second, _ = await post_many(receivers[1], session, range(30, 60))
        receivers[1].kill()
        server.restart()
        await until(lambda: all_in(server, first | second))
    finally:
        for receiver in receivers:
            receiver.stop()

    assert 60 == len(first | second)
