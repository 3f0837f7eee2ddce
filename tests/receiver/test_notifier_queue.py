"""Wake-ups are messages of the broker, and never many."""

import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from receiver.notifier import LONGEST, LOOK_EVERY, QUEUE, WakeUpPublisher


@pytest.fixture
def client(redis_url):
    """Return a client of the broker."""
    with Redis.from_url(redis_url) as made:
        yield made


@pytest.fixture
def app(redis_url):
    """Return a Celery app of that broker."""
    made = Celery("test", broker=redis_url)
    yield made
    made.close()


def test_a_queue_that_nobody_empties_stays_short(app, client):
    """Thousands of webhooks without a worker leave a bounded list, and what was not sent is told."""
    send = WakeUpPublisher(app)
    told = [send([f"call-{number}"]) for number in range(500)]

    assert LONGEST <= client.llen(QUEUE) < LONGEST + LOOK_EVERY
    assert client.llen(QUEUE) == sum(told)


def test_it_sends_again_as_soon_as_the_queue_is_short(app, client):
    """A worker that came back is woken by messages again."""
    send = WakeUpPublisher(app)
    for number in range(100):
        send([f"call-{number}"])
    client.delete(QUEUE)
    send(["call-100"])

    assert 1 == client.llen(QUEUE)


def test_a_broker_that_is_away_is_told(make_redis_server):
    """The notifier notes it and goes on; a broker that is back is used again."""
    server = make_redis_server(appendonly=False)
    app = Celery("test", broker=server.url)
    send = WakeUpPublisher(app)
    send(["call-1"])
    server.kill()
    with pytest.raises((OperationalError, RedisConnectionError)):
        send(["call-2"])
    server.start()
    send(["call-3"])
    app.close()

    with Redis.from_url(server.url) as client:
        assert 1 == client.llen(QUEUE)
