"""Whoever is told by a server that it is not the primary leaves it, and resolves the name anew."""

import asyncio
import threading
from base64 import b64encode
from contextlib import suppress

import pytest
from kombu import Consumer, Exchange, Producer, Queue
from redis.exceptions import BusyLoadingError, ReadOnlyError, ResponseError

from tests.redis_pair import RedisPair
from tests.worker.test_broker import connect
from worker.amqp import LastingConnection
from worker.broker import direct_queue, open_redis
from worker.ledger.ledger import Ledger
from worker.ledger.records import Accepted, Incoming
from worker.primary import NotPrimaryError, says_not_primary

CONNECTIONS = 8
EVENT = Incoming("c1", 1, 's{"a":"1"}')


@pytest.mark.parametrize(
    "error",
    [
        ReadOnlyError("You can't write against a read only replica."),
        ReadOnlyError("READONLY You can't write against a read only replica. script: ae, on @user_script:1."),
        ResponseError("Error running script (call to f_ae): @user_script:1: @user_script: 1: -READONLY You can't write "
                      "against a read only replica. "),
        ResponseError("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"),
        ResponseError("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
        ResponseError("NOREPLICAS Not enough good replicas to write."),
        BusyLoadingError("Redis is loading the dataset in memory"),
    ],
)  # fmt: skip
def test_answers_of_a_server_that_is_not_the_primary(error):
    """Also those that come out of a script."""
    assert says_not_primary(error)


@pytest.mark.parametrize(
    "error",
    ["OOM command not allowed when used memory > 'maxmemory'.", "MISCONF Redis is configured to save RDB snapshots",
     "WRONGTYPE Operation against a key", "NOSCRIPT No matching script.", "NOPERM this user", "BUSY Redis is busy",
     "ERR value is not an integer or out of range"],
)  # fmt: skip
def test_answers_of_the_primary(error):
    """It is full, or does not like what it was asked: no other server would be better."""
    assert not says_not_primary(ResponseError(error))


def drain(connection: LastingConnection, *, seconds: float) -> None:
    """Wait for messages as a worker does."""
    for _ in range(round(seconds * 10)):
        with suppress(TimeoutError):
            connection.drain_events(timeout=0.1)


async def fill(ledger: Ledger) -> None:
    """Open as many connections as commands run side by side."""
    await asyncio.gather(*(ledger.ping() for _ in range(CONNECTIONS)))


@pytest.mark.parametrize("by_hand", [False, True], ids=["FAILOVER", "REPLICAOF"])
async def test_the_whole_pool_leaves_a_demoted_server_at_its_first_refusal(redis_pair: RedisPair, by_hand: bool):
    """Connections were kept: the first write goes to the new primary after all, and so does every read after it."""
    async with open_redis(redis_pair.url) as redis:
        ledger = Ledger(redis)
        await fill(ledger)
        assert CONNECTIONS == redis_pair.clients(redis_pair.primary)
        await asyncio.to_thread(redis_pair.fail_over, by_hand=by_hand)
        await redis.get("nothing")  # a read is answered by either, and tells nothing
        assert CONNECTIONS == redis_pair.clients(redis_pair.replica)

        assert [Accepted.NEW] == await ledger.accept([EVENT])
        await fill(ledger)
        assert 0 == redis_pair.clients(redis_pair.replica)
        assert CONNECTIONS == redis_pair.clients(redis_pair.primary)
        assert [Accepted.SAME] == await ledger.accept([EVENT])


async def test_a_demoted_server_whose_name_still_leads_to_it_is_told_apart(redis_pair: RedisPair):
    """The caller learns what it is, as of any other that cannot be written to: it tries again later."""
    async with open_redis(redis_pair.replica.url) as redis:
        for _ in range(3):
            with pytest.raises(NotPrimaryError, match="read only"):
                await Ledger(redis).accept([EVENT])


async def test_a_primary_that_lacks_its_replicas_is_asked_for_anew(redis_pair: RedisPair):
    """``min-replicas-to-write``: so the old primary of a failover answers, before it knows that it is one."""
    async with open_redis(redis_pair.url) as redis:
        await fill(Ledger(redis))
        await redis.config_set("min-replicas-to-write", "2")
        with pytest.raises(NotPrimaryError, match="NOREPLICAS"):
            await Ledger(redis).accept([EVENT])
        await redis.config_set("min-replicas-to-write", "0")

        assert [Accepted.NEW] == await Ledger(redis).accept([EVENT])


@pytest.mark.parametrize("cut", [False, True], ids=["kept", "cut"])
def test_a_publisher_of_kombu_reaches_the_new_primary(redis_pair: RedisPair, cut: bool):
    """One publish may fail, as when Redis is restarted; the next one arrives."""
    queue = direct_queue("calls")
    with connect(redis_pair.url) as connection, connection.channel() as channel:
        producer = Producer(channel)
        producer.publish("before", exchange="", routing_key="calls", declare=[queue])
        redis_pair.fail_over(cut=cut)
        with suppress(*connection.connection_errors):
            producer.publish("lost perhaps", exchange="", routing_key="calls")
        producer.publish("after", exchange="", routing_key="calls")

        assert b64encode(b"after") in channel.client.lindex("calls", 0)
        assert redis_pair.clients(redis_pair.primary)


def test_a_consumer_of_kombu_is_told_that_its_connection_is_lost(redis_pair: RedisPair):
    """It waits for its lists at a server that is demoted: after that error Celery connects anew."""
    queue = direct_queue("calls")
    with connect(redis_pair.url) as connection:
        consumer = Consumer(connection.default_channel, [queue], callbacks=[lambda _, message: message.ack()])
        consumer.consume()
        drain(connection, seconds=0.1)
        redis_pair.fail_over()

        assert issubclass(NotPrimaryError, connection.connection_errors)
        with pytest.raises(NotPrimaryError):
            drain(connection, seconds=5)


async def test_a_subscriber_of_kombu_is_told_that_its_connection_is_lost(redis_pair: RedisPair):
    """Though others of its process have left before: a connection made anew behind its back has no subscription."""
    told: list[BaseException] = []

    def listen() -> None:
        try:
            drain(connection, seconds=10)
        except connection.connection_errors as error:
            told.append(error)

    with connect(redis_pair.url) as connection:
        news = Queue("news", Exchange("news", type="fanout"), auto_delete=True)
        Consumer(connection.default_channel, [news], callbacks=[lambda *_: None]).consume()
        await asyncio.to_thread(drain, connection, seconds=0.2)
        async with open_redis(redis_pair.replica.url) as redis:
            with pytest.raises(NotPrimaryError):
                await Ledger(redis).accept([EVENT])
        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        await asyncio.to_thread(redis_pair.fail_over, cut=True)
        await asyncio.to_thread(listener.join, 8)

        assert told
