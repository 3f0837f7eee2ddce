"""The one Redis, opened for the ledger and named for kombu."""

from functools import partial
from typing import Any

import hiredis
from kombu import Exchange, Queue
from redis.asyncio import (
    BlockingConnectionPool,
    Connection,
    Redis,
    Sentinel,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from worker.primary import AsyncFound, AsyncPrimary
from worker.redis_address import RedisAddress

SOCKET_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 4.0
MAX_CONNECTIONS = 16  # a process; scripts are short, so a few serve hundreds of attempts
SENTINEL_TIMEOUT_S = 1.0  # of one Sentinel; then the next one is asked


class _Ours(AsyncPrimary):
    """Writes commands by hiredis; redis-py's own way on asyncio takes 0.5 us an argument instead of 0.06."""

    def pack_command(self, *args: Any) -> list[bytes]:
        return [hiredis.pack_command((*str(args[0]).split(), *args[1:]))]


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


def sentinel_options(address: RedisAddress) -> dict[str, Any]:
    """Return the arguments by which to connect to a Sentinel."""
    return {
        "socket_timeout": SENTINEL_TIMEOUT_S,
        "socket_connect_timeout": SENTINEL_TIMEOUT_S,
        **address.sentinel_login,
        **({} if address.tls is None else {"ssl": True, **address.tls_options}),
    }


def open_redis(redis_url: str, *, timeout_s: float = SOCKET_TIMEOUT_S) -> Redis:
    """Open a client whose every wait is bounded; one retry mends a connection that a restart has cut.

    Raises ``ValueError`` for a URL that is none.
    """
    address = RedisAddress.parse(redis_url)
    connection_class, place = _connection_class(address)
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
        retry=Retry(NoBackoff(), 1),
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


async def find_primary(address: RedisAddress) -> tuple[str, int]:
    """Ask the Sentinels, one after the other, where the primary is; raises ``redis.ConnectionError``.

    Nothing stays open: it is asked when a connection is made, and that is seldom.
    """
    options = {**sentinel_options(address), "retry": Retry(NoBackoff(), 0)}
    sentinels = Sentinel(address.hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
    try:
        host, port = await sentinels.discover_master(address.master)
    finally:
        await sentinels.aclose()
    return str(host), int(port)
