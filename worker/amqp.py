"""Celery's way to the broker, made to outlast a Redis that goes away: two things that no setting reaches."""

from contextlib import suppress
from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection

WAITS = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2.0}
"""Seconds between two tries to connect. Kombu's own waits grow to 30, which a worker would sit out after an outage
of minutes, while the ledger is there again and what is due is not taken."""


class LastingConnection(Connection):  # type: ignore[misc]
    """Tries to connect again within 2 s, and survives its own closing when Redis is gone."""

    def ensure_connection(self, *args: Any, **options: Any) -> "LastingConnection":
        """Try until it is connected, or as often as asked; options as kombu has them."""
        super().ensure_connection(*args, **(WAITS | options))
        return self

    def maybe_close_channel(self, channel: Any) -> None:
        """Close a channel, whatever state an earlier close left it in.

        Kombu 5.7 closes a lost connection twice. When the first time fails halfway, the second wants to hand back what
        was not acknowledged over a transport that is gone: an AttributeError, which ends the worker. Nothing is lost by
        leaving it: the ledger knows what is due.
        """
        with suppress(AttributeError):
            super().maybe_close_channel(channel)


class LastingAMQP(AMQP):  # type: ignore[misc]
    """What ``Celery(amqp=...)`` takes: the same but for the connection."""

    Connection = LastingConnection
