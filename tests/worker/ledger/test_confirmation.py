"""REDIS_MIN_REPLICAS: what is accepted, claimed for good or finished is on a replica, or it is known that it is not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from redis import Redis as BlockingRedis

from deploy.local.redis_server import RedisServer
from tasks.delivery.finish_writer import FinishWriter
from tests.ledgers import Driver, HandedTime, key_of
from tests.redis_pair import RedisPair
from tests.tasks.delivery.fake_deliverer import FakeDeliverer, finished, make_pump
from tests.worker.ledger.test_numbers import PROVISION
from worker.broker import open_redis
from worker.ledger.ledger import Ledger
from worker.ledger.numbers import Numbers
from worker.ledger.records import Accepted, Claimed, Finish, Incoming, Verdict
from worker.ledger.scripts import NotConfirmedError

EVENT = Incoming("c1", 1, 's{"a":"1"}')


@asynccontextmanager
async def driver_of(url: str, *, min_replicas: int = 1) -> AsyncIterator[Driver]:
    """Return a ledger that asks for replicas, with its time handed in."""
    time = HandedTime()
    async with open_redis(url) as redis:
        yield Driver(Ledger(redis, clock_ms=time, min_replicas=min_replicas), time, redis)


def alone(pair: RedisPair) -> None:
    """Let the replica follow no more: what the primary is told from now on it does not have."""
    with BlockingRedis.from_url(pair.replica.url) as client:
        client.replicaof("NO", "ONE")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a write wait longer for its replica, which takes its time on a busy machine."""
    monkeypatch.setattr("worker.ledger.ledger.CONFIRM_MS", 4000)


@pytest.mark.usefixtures("patient")
async def test_what_a_replica_has_is_confirmed(redis_pair: RedisPair):
    """Also the same again, and an answer is what it is without replicas."""
    async with driver_of(redis_pair.url) as driver:
        assert [Accepted.NEW] == await driver.ledger.accept([EVENT])
        assert [Accepted.SAME] == await driver.ledger.accept([EVENT])


@pytest.mark.usefixtures("patient")
async def test_a_duplicate_is_confirmed_no_sooner_than_its_first_copy(redis_pair: RedisPair):
    """It writes nothing, so some servers answer WAIT at once by what its connection wrote before."""
    async with driver_of(redis_pair.url) as first, driver_of(redis_pair.url) as second:
        assert Accepted.NEW is await second.accept("another")
        redis_pair.replica.freeze()
        try:
            with pytest.raises(NotConfirmedError) as new:
                await first.ledger.accept([EVENT])
            with pytest.raises(NotConfirmedError) as same:
                await second.ledger.accept([EVENT])
        finally:
            redis_pair.replica.thaw()

        assert ([Accepted.NEW], [Accepted.SAME]) == (new.value.answer, same.value.answer)
        await until_confirmed(second.ledger)


async def until_confirmed(ledger: Ledger) -> None:
    """Hand the event in until a replica has it."""
    async with asyncio.timeout(10):
        while True:
            try:
                assert [Accepted.SAME] == await ledger.accept([EVENT])
            except NotConfirmedError:
                continue
            return


async def test_more_replicas_than_there_are_confirm_nothing(redis_pair: RedisPair):
    """Two are asked for, and one is there; the first copy says so after its wait, those behind it much sooner."""
    async with driver_of(redis_pair.url, min_replicas=2) as driver:
        for _ in range(5):
            with pytest.raises(NotConfirmedError):
                await driver.ledger.accept([EVENT])
        began = asyncio.get_running_loop().time()
        for _ in range(5):
            with pytest.raises(NotConfirmedError):
                await driver.ledger.accept([EVENT])

        assert asyncio.get_running_loop().time() - began < 1


@pytest.mark.usefixtures("patient")
async def test_what_is_folded_or_kept_apart_is_confirmed_too(redis_pair: RedisPair):
    """An event that its call has no room for stands in quarantine, on a replica as well."""
    async with driver_of(redis_pair.url) as driver:
        large = [Incoming("c1", n, 's{"a":"%s"}' % (str(n) * 60_000)) for n in range(1, 6)]
        answers = await driver.ledger.accept(large)
        assert Accepted.QUARANTINED in answers
        alone(redis_pair)
        with pytest.raises(NotConfirmedError):
            await driver.ledger.accept(large)


@pytest.mark.usefixtures("patient")
async def test_a_promoted_replica_is_given_the_scripts_that_it_lacks(redis_pair: RedisPair):
    """They were loaded at the old primary; some servers do not pass that on."""
    async with driver_of(redis_pair.url) as driver:
        assert Accepted.NEW is await driver.accept("c0")
        await asyncio.to_thread(redis_pair.fail_over, cut=True)
        await driver.redis.script_flush()
        await asyncio.to_thread(redis_pair.wait_until_linked)

        assert [Accepted.NEW] == await driver.ledger.accept([EVENT])
        await driver.make("c1")
        claim = await driver.ledger.claim("crm", want=1, lease_ms=1000, confirm_ms=2000)
        assert [key_of("c1")] == [claimed.key for claimed in claim.items]


async def until(ask: Callable[[], Awaitable[object]], answer: object) -> None:
    """Ask until the answer is as expected."""
    async with asyncio.timeout(20):
        while await ask() != answer:  # noqa: ASYNC110  another process's state
            await asyncio.sleep(0.05)


def delivered(claimed: Claimed) -> Finish:
    """End a claim well."""
    return Finish(key=claimed.key, fence=claimed.fence, verdict=Verdict.DELIVERED, effect="ok")


async def test_an_end_that_its_replica_lacks_is_written_again_at_the_new_primary(redis_pair: RedisPair):
    """It holds up nobody meanwhile, and is not sent a second time."""
    async with driver_of(redis_pair.url) as driver, driver_of(redis_pair.url, min_replicas=0) as unasked:
        await unasked.make("c1", "c2")
        first, second = await unasked.take()
        await unasked.redis.wait(1, 5000)
        alone(redis_pair)
        writer = FinishWriter(driver.ledger)
        async with asyncio.timeout(5):
            answers = await asyncio.gather(writer.write(delivered(first)), writer.write(delivered(second)))
        assert [True, True] == [answer.applied for answer in answers]

        async with driver_of(redis_pair.replica.url, min_replicas=0) as promoted:
            assert ["in_flight"] * 2 == await promoted.states("c1", "c2")
            new, old = redis_pair.replica, redis_pair.primary
            with BlockingRedis.from_url(old.url) as client:
                client.replicaof("127.0.0.1", new.port or 0)
            redis_pair.primary, redis_pair.replica = new, old
            redis_pair.lead_to(new, cut=True)
            await until(lambda: promoted.states("c1", "c2"), ["delivered"] * 2)


@pytest.mark.parametrize("confirms", [True, False])
async def test_what_must_not_be_sent_twice_is_not_sent_before_a_replica_has_its_claim(
    redis_pair: RedisPair, confirms: bool
):
    """Without its replica it goes back as if it had not been claimed; where a vendor knows its own, it is sent."""
    async with driver_of(redis_pair.url) as driver, driver_of(redis_pair.url, min_replicas=0) as unasked:
        unasked.time = driver.time
        await unasked.make("c1")
        await unasked.redis.wait(1, 5000)
        alone(redis_pair)
        fake = FakeDeliverer(unasked)
        await finished(asyncio.create_task(make_pump(fake, driver.ledger, confirms=confirms).run()))

        assert ([] if confirms else ["c1"]) == fake.delivered
        if confirms:
            delivery = await driver.delivery("c1")
            assert ("queued", 0) == (delivery.state, delivery.number)


@pytest.mark.usefixtures("patient")
async def test_a_number_is_not_asked_for_before_a_replica_has_the_claim(redis_pair: RedisPair):
    """A provisioning that the new primary does not know of would be made a second time."""
    async with driver_of(redis_pair.url) as driver:
        numbers = Numbers(driver.ledger)
        await numbers.write("k1", PROVISION)
        await numbers.claim("k1", "token-1")
        await numbers.write("k2", PROVISION)
        alone(redis_pair)
        with pytest.raises(NotConfirmedError):
            await numbers.claim("k2", "token-2")


async def test_without_replicas_asked_for_none_is_waited_for(make_redis_server: Callable[..., RedisServer]):
    """The default is 0."""
    async with driver_of(make_redis_server(appendonly=False).url, min_replicas=0) as driver:
        assert [Accepted.NEW] == await driver.ledger.accept([EVENT])
        await driver.make("c1")
        assert 1 == len((await driver.ledger.claim("crm", want=1, lease_ms=1000, confirm_ms=2000)).items)
