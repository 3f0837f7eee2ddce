"""One vendor's host: its addresses, how a connection to it is made, and the connections that wait for a request."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

import aiohappyeyeballs

from worker.errors import Transient
from worker.http.connection import HttpConnection

DNS_CACHE_S = 60
"""How long a name's addresses are reused, in seconds; a vendor that moves is found again after it."""

IDLE_S = 15.0
"""How long a connection waits for its next request; routers forget those that are silent for long."""

DISTRUST_S = 600.0
"""How long connections to a host that wrote what nobody asked for carry one request each.

Nobody can tell such bytes from the reply to a request that is under way.
"""

NEXT_ADDRESS_S = 0.25
"""How long an address has to answer before the next one is tried beside it (RFC 8305)."""


class HttpOrigin:
    """A scheme, host and port."""

    def __init__(
        self, host: str, port: int, *, tls: Callable[[], ssl.SSLContext] | None, idle_s: float = IDLE_S
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._idle: dict[HttpConnection, None] = {}
        self._open: set[HttpConnection] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._distrusted_until = 0.0
        self._lookup: asyncio.Task[list[Any]] | None = None
        self._looked_up_at = 0.0

    def take(self) -> HttpConnection | None:
        """Return the connection used last that is fit for another request; ``None``: there is none."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if self._loop.time() - connection.idle_since < self._idle_s and connection.is_quiet():
                return connection
            connection.drop()
        return None

    async def connect(self, *, within_s: float) -> HttpConnection:
        """Return a new connection; raises ``Transient``, never ``unknown``, for nothing was sent yet."""
        try:
            async with asyncio.timeout(within_s):
                return await self._connect(await self._addresses())
        except TimeoutError:
            raise Transient("timeout", "no connection in time") from None
        except ssl.SSLCertVerificationError as error:
            raise Transient("tls", f"certificate refused: {error.verify_message}") from None
        except ssl.SSLError:
            raise Transient("tls", "no TLS handshake") from None
        except OSError:
            self._lookup = None  # it may have moved
            raise Transient("connect", "no connection") from None

    def close(self) -> None:
        """Close every connection."""
        if self._sweep is not None:
            self._sweep.cancel()
        if self._lookup is not None:
            self._lookup.cancel()
        for connection in tuple(self._open):
            connection.drop()

    def keep(self, connection: HttpConnection) -> None:
        """Keep a connection for the next request."""
        connection.idle_since = self._loop.time()
        if connection.idle_since < self._distrusted_until:
            connection.drop()
            return
        self._idle[connection] = None
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._idle_s, self._drop_idle)

    def lose(self, connection: HttpConnection) -> None:
        """Forget a connection."""
        self._idle.pop(connection, None)
        self._open.discard(connection)

    def distrust(self) -> None:
        """Use each connection only once for a while."""
        self._distrusted_until = self._loop.time() + DISTRUST_S
        for connection in tuple(self._idle):
            connection.drop()

    def _drop_idle(self) -> None:
        before = self._loop.time() - self._idle_s
        for connection in [one for one in self._idle if one.idle_since <= before]:
            connection.drop()
        self._sweep = self._loop.call_later(self._idle_s, self._drop_idle) if self._idle else None

    async def _connect(self, addresses: list[Any]) -> HttpConnection:
        connected = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=NEXT_ADDRESS_S, interleave=1, loop=self._loop
        )
        try:
            _, connection = await self._loop.create_connection(
                lambda: HttpConnection(self),
                sock=connected,
                ssl=None if self._tls is None else self._tls(),
                server_hostname=None if self._tls is None else self._host,
            )
        except BaseException:
            connected.close()
            raise
        if not connection.closed:  # nothing came before the request
            self._open.add(connection)
        return connection

    async def _addresses(self) -> list[Any]:
        """Return the host's addresses; all who wait for them wait for one look-up."""
        lookup = self._lookup
        if lookup is None or not self._is_fresh(lookup):
            lookup = self._lookup = self._loop.create_task(self._look_up())
            self._looked_up_at = self._loop.time()
        try:
            return await asyncio.shield(lookup)
        except (socket.gaierror, UnicodeError):
            raise Transient("dns", "the host's name was not resolved") from None

    def _is_fresh(self, lookup: asyncio.Task[list[Any]]) -> bool:
        if not lookup.done():
            return True
        failed = lookup.cancelled() or lookup.exception() is not None
        return not failed and self._loop.time() - self._looked_up_at < DNS_CACHE_S

    async def _look_up(self) -> list[Any]:
        return await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
