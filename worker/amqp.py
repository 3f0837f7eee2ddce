"""Celery's connection to the broker, made to survive a Redis that goes away or moves, and to ask it for less."""

from contextlib import suppress
from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from worker.primary import BlockingPrimary, follow

NOTED = frozenset({"callcap"})
"""The queues whose messages stand in ``unacked`` from when they are taken until they are acknowledged."""

WAITS = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2.0}
"""Seconds between two tries to connect. Kombu's own waits grow to 30, which a worker would sit out after an outage
of minutes, while the ledger is there again and what is due is not taken."""


class _QoS(kombu_redis.QoS):  # type: ignore[misc]
    """Notes in Redis only those messages that nobody else would send again.

    All but Callcap's are wake-ups: hints, and where one is lost the clock sends the next. To note one is a round trip,
    and to acknowledge it another.
    """

    def append(self, message: Any, delivery_tag: str) -> None:
        """Keep a message until it is acknowledged."""
        if message.delivery_info["routing_key"] in NOTED:
            super().append(message, delivery_tag)
        else:
            virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Forget it."""
        message = self._delivered.get(delivery_tag)
        if message is None or message.delivery_info["routing_key"] in NOTED:
            super().ack(delivery_tag)
        else:
            virtual.QoS.ack(self, delivery_tag)


class _ToPrimary:
    """Makes a channel's connections leave a server that is no longer the primary. Put it before the channel's class."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  kombu's
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        kind = params["connection_class"]
        params["connection_class"] = type(f"Primary{kind.__name__}", (BlockingPrimary, kind), {})
        params["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
        params["protocol"] = self.connection.client.transport_options.get("protocol")  # type: ignore[attr-defined]
        return params


class _Channel(_ToPrimary, kombu_redis.Channel):  # type: ignore[misc]
    QoS = _QoS


class _SentinelChannel(_ToPrimary, kombu_redis.SentinelChannel):  # type: ignore[misc]
    QoS = _QoS

    def _sentinel_managed_pool(self, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002  kombu's
        # The next Sentinel is asked instead: redis-py would try each eleven times.
        given = self.connection.client.transport_options.get("sentinel_kwargs")
        self.sentinel_kwargs = {**(given or {}), "retry": Retry(NoBackoff(), 0)}
        pool = super()._sentinel_managed_pool(asynchronous)
        manager = pool.sentinel_manager
        asked = manager.discover_master
        manager.discover_master = lambda name: follow(asked(name))
        return pool


class _Transport(kombu_redis.Transport):  # type: ignore[misc]
    Channel = _Channel


class _SentinelTransport(kombu_redis.SentinelTransport):  # type: ignore[misc]
    Channel = _SentinelChannel


_TRANSPORTS = {kombu_redis.Transport: _Transport, kombu_redis.SentinelTransport: _SentinelTransport}


class LastingConnection(Connection):  # type: ignore[misc]
    """Tries to connect again within 2 s, and survives its own closing when Redis is gone."""

    def get_transport_cls(self) -> Any:
        """Return kombu's transport, or where that speaks to Redis, ours."""
        kind = super().get_transport_cls()
        return _TRANSPORTS.get(kind, kind)

    def ensure_connection(self, *args: Any, **options: Any) -> "LastingConnection":
        """Connect, trying as often as the options ask (kombu's own), by default without end."""
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
    """Celery's own class for ``Celery(amqp=...)``, with our connection."""

    Connection = LastingConnection
