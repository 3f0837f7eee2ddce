"""How Celery gets back to its broker."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from kombu import Connection, Consumer, Exchange, Producer, Queue

from deploy.local.redis_server import RedisServer
from worker.amqp import WAITS, LastingConnection
from worker.broker import direct_queue
from worker.celery import app
from worker.consumer import EVENTS_S, CalmConsumer

BOTH = ("calls", "callcap")


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


@contextmanager
def both_taken(url: str) -> Iterator[tuple[Connection, list[Any], Any]]:
    """Take a wake-up and a request of Callcap; yields the connection, both messages, and a client of Redis."""
    queues = [direct_queue(name) for name in BOTH]
    taken: list[Any] = []
    with app.connection_for_read(url) as connection, connection.channel() as channel:
        for queue in queues:
            Producer(channel).publish(queue.name, exchange="", routing_key=queue.name, declare=[queue])
        Consumer(connection.default_channel, queues, callbacks=[lambda _, message: taken.append(message)]).consume()
        while len(taken) < len(queues):
            with suppress(TimeoutError):
                connection.drain_events(timeout=1)
        yield connection, taken, channel.client


def test_a_wake_up_is_taken_without_a_note_and_a_request_of_callcap_with_one(redis_server: RedisServer):
    """For the clock sends the next wake-up, and nobody the request. Both are gone when they are acknowledged."""
    with both_taken(redis_server.url) as (_, taken, client):
        assert [1, 1] == [client.hlen("unacked"), client.zcard("unacked_index")]
        for message in taken:
            message.ack()
        assert [0, 0] == [client.hlen("unacked"), client.zcard("unacked_index")]


def test_a_request_of_callcap_that_was_not_acknowledged_goes_back(redis_server: RedisServer):
    """A wake-up does not: its calls are due."""
    with both_taken(redis_server.url) as (connection, _, client):
        connection.default_channel.close()

        assert [0, 1] == [client.llen(name) for name in BOTH]


class Hub:
    """Notes what the loop is asked to do."""

    def __init__(self) -> None:
        self.soon: list[tuple[Callable[..., None], Any]] = []

    def call_soon(self, work: Callable[..., None], *args: Any) -> None:
        """Note it."""
        self.soon.append((work, args))

    def call_later(self, delay_s: float, work: Callable[..., None]) -> None:
        """Only named."""


def test_events_are_sent_together(monkeypatch: pytest.MonkeyPatch):
    """Those of two seconds at once, whatever became of the loop that was to send the last."""
    now = 100.0
    monkeypatch.setattr("worker.consumer.monotonic", lambda: now)
    consumer = CalmConsumer.__new__(CalmConsumer)
    consumer.hub = hub = Hub()
    for after_s in (0, 0.1, EVENTS_S - 0.1, EVENTS_S, EVENTS_S + 0.1):
        now = 100.0 + after_s
        consumer.on_send_event_buffered()

    assert [(hub.call_later, (EVENTS_S, consumer._flush_events))] * 2 == hub.soon
