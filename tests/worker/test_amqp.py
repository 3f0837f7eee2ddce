"""How Celery gets back to its broker."""

import pytest

from deploy.local.redis_server import RedisServer
from worker.amqp import WAITS, EagerConnection
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
    assert isinstance(connection, EagerConnection)
    with pytest.raises(EnoughSeenError):
        connection.ensure_connection(failed, None)

    assert [0.5, 1.0] == waits
    assert 2.0 == WAITS["interval_max"]


def test_it_connects_and_gives_itself(redis_server: RedisServer):
    """As kombu's does, and so does each of its clones."""
    with app.connection_for_read(redis_server.url) as connection:
        assert connection is connection.ensure_connection()
        assert connection.connected
        assert isinstance(connection.clone(), EagerConnection)
