"""How Celery gets back to its broker."""

from contextlib import suppress

import pytest
from kombu import Consumer, Exchange, Producer, Queue

from deploy.local.redis_server import RedisServer
from worker.amqp import WAITS, LastingConnection
from worker.broker import direct_queue
from worker.celery import app


class EnoughSeenError(Exception):
    """Ends the tries of a test."""


def test_a_worker_tries_again_within_two_seconds_however_long_the_broker_was_away(free_port):
    """Kombu's own waits would grow to half a minute."""
    waits: list[float] = []

    def failed(_error: Exception, wait_s: float) -> None:
        waits.append(wait_s)
        if len(waits) == 2:
            raise EnoughSeenError

    connection = app.connection_for_read(f"redis://127.0.0.1:{free_port}/0")
    assert isinstance(connection, LastingConnection)
    with pytest.raises(EnoughSeenError):
        connection.ensure_connection(failed, None)

    assert [0.5, 1.0] == waits
    assert 2.0 == WAITS["interval_max"]


def test_it_connects_and_gives_itself(redis_server: RedisServer):
    """As kombu's does, and so does each of its clones."""
    with app.connection_for_read(redis_server.url) as connection:
        assert connection is connection.ensure_connection()
        assert connection.connected
        assert isinstance(connection.clone(), LastingConnection)


def test_it_closes_when_redis_died_under_a_message_and_a_poll(make_redis_server):
    """As a busy worker's consumer does: it collects, then closes. With kombu's own connection the worker ended here."""
    server = make_redis_server(appendonly=False)
    connection = app.connection_for_read(server.url)
    taken: list[object] = []
    queue = direct_queue("calls")
    consumer = Consumer(connection.default_channel, [queue], callbacks=[lambda _, message: taken.append(message)])
    control = connection.channel()  # as that of remote control: its queue is removed when it closes
    inbox = Queue("inbox", Exchange("inbox", type="fanout"), auto_delete=True)
    with connection.channel() as channel:
        Producer(channel).publish("x", exchange="", routing_key="calls", declare=[queue])
    consumer.consume()
    Consumer(control, [inbox], callbacks=[print]).consume()
    while not (taken and connection.default_channel._in_poll):
        with suppress(TimeoutError):
            connection.drain_events(timeout=0.05)
    server.kill()

    connection.collect(0.1)
    connection.close()

    assert 1 == len(taken)
    assert not connection.connected
