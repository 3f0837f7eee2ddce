"""Celery's way to the broker, with waits that fit a broker which is the ledger too."""

from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection

WAITS = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2.0}
"""Seconds between two tries to connect. Kombu's own waits grow to 30, which a worker would sit out after an outage
of minutes, while the ledger is there again and what is due is not taken; no setting of Celery's reaches them."""


class EagerConnection(Connection):  # type: ignore[misc]
    """Tries to connect again within 2 s, however long the broker has been away."""

    def ensure_connection(self, *args: Any, **options: Any) -> "EagerConnection":
        """Try until it is connected, or as often as asked; options as kombu has them."""
        super().ensure_connection(*args, **(WAITS | options))
        return self


class EagerAMQP(AMQP):  # type: ignore[misc]
    """What ``Celery(amqp=...)`` takes: the same but for the connection."""

    Connection = EagerConnection
