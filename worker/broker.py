"""The one Redis, opened for the ledger and named for kombu."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import hiredis
from kombu import Exchange, Queue
from redis.asyncio import (
    BlockingConnectionPool,
    Connection,
    Redis,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff, NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from worker.primary import AsyncFound, AsyncPrimary
from worker.redis_address import RedisAddress
from worker.sentinels import find_primary, sentinel_options

SOCKET_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 4.0
MAX_CONNECTIONS = 16  # a process; scripts are short, so a few serve hundreds of attempts
SENTINEL_TRIES = 6  # of who can wait: 1.6 s, in which Sentinels that agreed on another primary tell of it


class _Ours(AsyncPrimary):
    """Writes commands by hiredis; redis-py's own way on asyncio takes 0.5 us an argument instead of 0.06."""

    def pack_command(self, *args: Any) -> list[bytes]:
        return [hiredis.pack_command((*str(args[0]).split(), *args[1:]))]

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        return [b"".join(self.pack_command(*command)[0] for command in commands)]


class _Tcp(_Ours, Connection):
    pass


class _Tls(_Ours, SSLConnection):
    pass


class _Unix(_Ours, UnixDomainSocketConnection):
    pass


class _FoundTcp(_Ours, AsyncFound, Connection):
    pass


class _FoundTls(_Ours, AsyncFound, SSLConnection):
    pass


def direct_queue(name: str) -> Queue:
    """Make a queue on exchange "": one with a name is restored to nowhere when its binding key is gone."""
    return Queue(name, exchange=Exchange("", type="direct"), routing_key=name)


def broker_settings(address: RedisAddress) -> dict[str, Any]:
    """Return Celery's settings of the broker: ``broker_url``, ``broker_use_ssl``, ``broker_transport_options``."""
    options: dict[str, Any] = {}
    if address.protocol is not None:
        options["protocol"] = address.protocol
    if address.master:
        options |= {"master_name": address.master, "sentinel_kwargs": sentinel_options(address)}
    return {
        "broker_url": address.kombu_url,
        "broker_use_ssl": None if address.tls is None else address.tls_options,
        "broker_transport_options": options,
    }


def open_redis(redis_url: str, *, timeout_s: float = SOCKET_TIMEOUT_S) -> Redis:
    """Open a client whose every wait is bounded; one retry mends a connection that a restart has cut.

    Who can wait (the default ``timeout_s``) tries some more where Sentinels name the primary: it may be changing.
    Raises ``ValueError`` for a URL that is none.
    """
    address = RedisAddress.parse(redis_url)
    connection_class, place = _connection_class(address)
    patient = Retry(ConstantBackoff(0.3), SENTINEL_TRIES - 1)
    pool = BlockingConnectionPool(
        connection_class=connection_class,
        **place,
        db=address.db,
        username=address.username,
        password=address.password,
        protocol=address.protocol,
        decode_responses=True,
        max_connections=MAX_CONNECTIONS,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=min(CONNECT_TIMEOUT_S, timeout_s),
        health_check_interval=10,
        retry=patient if address.master and timeout_s >= SOCKET_TIMEOUT_S else Retry(NoBackoff(), 1),
        # Redis Enterprise's: a command more at each connection, and with it the pool no longer looks for left-over data
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return Redis.from_pool(pool)


def _connection_class(address: RedisAddress) -> tuple[type[_Ours], dict[str, Any]]:
    """Return the class of a connection, with its arguments that say where to, and how safely."""
    if address.path:
        return _Unix, {"path": address.path}
    options: dict[str, Any] = {"socket_keepalive": True, **address.tls_options}
    if address.master:
        found = _FoundTcp if address.tls is None else _FoundTls
        return found, {"find": partial(find_primary, address), **options}
    host, port = address.hosts[0]
    return _Tcp if address.tls is None else _Tls, {"host": host, "port": port, **options}
