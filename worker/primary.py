"""Connections that leave a server which says that it is not the primary, and resolve its name anew.

redis-py keeps such connections in its pools for ever. A mixin for each of its two families, asyncio and blocking.
"""

import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, ClassVar
from weakref import WeakSet

from redis.asyncio.connection import AbstractConnection as AsyncConnection
from redis.asyncio.connection import Connection as AsyncTcpConnection
from redis.connection import AbstractConnection as BlockingConnection
from redis.exceptions import BusyLoadingError, MasterDownError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

CLIENT_NAME = "switchboard"

_REFUSED = (BusyLoadingError, MasterDownError, ReadOnlyError)  # redis-py takes the word itself off their text
_REFUSALS = re.compile(r"\b(READONLY|UNBLOCKED|MASTERDOWN|LOADING|NOREPLICAS)\b")
"""What a server answers, also from within a script, that is a replica (READONLY, MASTERDOWN), has just become one while
somebody waited for a list (UNBLOCKED), starts (LOADING) or has lost its replicas, as the old primary has in a failover
(NOREPLICAS). It did nothing of what it was asked, so asking again is safe. One whose disk or memory is full (MISCONF,
OOM) is the primary still."""


class NotPrimaryError(RedisConnectionError):
    """Raised when a server says that it is not, or not now, the primary; its connection is closed already."""


def says_not_primary(error: Exception) -> bool:
    """Return whether a server's answer means that the primary is elsewhere, or may be."""
    return isinstance(error, _REFUSED) or _REFUSALS.search(str(error)) is not None


class _Era:
    """How often this process was told that a server is not the primary; it has one Redis.

    A connection of an earlier era may lead to the old one, though nothing that it was asked has told so yet.
    """

    number: ClassVar[int] = 0


Address = tuple[str, int]

BELIEVED_S = 15.0
"""How long a switch that one Sentinel told of counts more than what another says; those tell each other every 2 s."""


CHANGES_WITHIN_S = 15.0  # a change of which no Sentinel tells the end


class _Switch:
    """The last switch that this process was told of, and its blocking connections."""

    old: ClassVar[Address] = ("", 0)
    new: ClassVar[Address] = ("", 0)
    until: ClassVar[float] = 0.0
    changing_until: ClassVar[float] = 0.0
    lock: ClassVar[threading.Lock] = threading.Lock()
    blocking: ClassVar[WeakSet[BlockingConnection]] = WeakSet()


def begin_change() -> None:
    """Stop trusting the primary: a Sentinel is about to promote a replica, and the others still follow the old one."""
    _Switch.changing_until = time.monotonic() + CHANGES_WITHIN_S


def end_change() -> None:
    """Trust the primary again: the change has ended or was given up."""
    _Switch.changing_until = 0.0


def standing() -> int | None:
    """Return a number that stays the same as long as the primary; ``None`` while it is being changed."""
    return _Era.number if time.monotonic() > _Switch.changing_until else None


def leave(old: Address, new: Address) -> bool:
    """Leave the old primary, idle connections at their next use; ``False``: this switch was known already."""
    with _Switch.lock:
        if (old, new) == (_Switch.old, _Switch.new) and time.monotonic() < _Switch.until:
            return False
        _Switch.old, _Switch.new, _Switch.until = old, new, time.monotonic() + BELIEVED_S
        _Era.number += 1
        blocking: list[Any] = list(_Switch.blocking)
    for connection in blocking:  # whoever reads from it, in another thread, is told that it is closed
        sock = connection._sock  # noqa: SLF001
        if sock is not None and (connection.host, int(connection.port)) == old:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
    return True


def follow(address: Address) -> Address:
    """Return the new primary where a Sentinel names the one that was left just now."""
    switched = address == _Switch.old and time.monotonic() < _Switch.until
    return _Switch.new if switched else address


def _left(error: Exception, era: int) -> NotPrimaryError:
    if era == _Era.number:  # the first to be told; the other connections of its era tell nothing new
        _Era.number += 1
    return NotPrimaryError(str(error))


class AsyncPrimary(AsyncConnection):
    """A mixin for redis-py's asyncio connections; it goes before the connection's class."""

    _era = -1

    async def connect(self) -> None:
        """Connect, anew where the connection is of an earlier era; a pool calls it before each use."""
        if self.is_connected:
            if self._era == _Era.number:
                return  # redis-py finds the same, by way of its retries: makes up for what the rest here costs
            await self.disconnect(nowait=True)
        await super().connect()  # type: ignore[no-untyped-call]

    async def _connect(self) -> None:
        self._era = _Era.number
        parent: Any = super()
        await parent._connect()  # noqa: SLF001  the connection's own

    async def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: FBT001, FBT002  redis-py's
        """Log in, and name the connection where the user may do that."""
        await super().on_connect_check_health(check_health=check_health)
        await self.send_command("CLIENT", "SETNAME", CLIENT_NAME, check_health=False)
        with suppress(ResponseError):
            await super().read_response()

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read an answer; raises ``NotPrimaryError`` for one that says so."""
        try:
            return await super().read_response(*args, **options)
        except (ResponseError, BusyLoadingError) as error:
            if not says_not_primary(error):
                raise
            await self.disconnect(nowait=True)
            raise _left(error, self._era) from error


class AsyncFound(AsyncTcpConnection):
    """Connects to whichever server the Sentinels name as the primary. Put it before the connection's class."""

    def __init__(self, *, find: Callable[[], Awaitable[tuple[str, int]]], **options: Any) -> None:
        super().__init__(**options)
        self._find = find

    async def _connect(self) -> None:
        self.host, self.port = await self._find()
        await super()._connect()  # type: ignore[no-untyped-call]


class BlockingPrimary(BlockingConnection):
    """For redis-py's blocking connections, which kombu uses. Put it before the connection's class.

    Each leaves by itself. Kombu waits on two of them for what comes, and must be told when they are gone: one that was
    made anew behind its back has no subscription, and kombu would wait on it for ever.
    """

    def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: FBT001, FBT002  redis-py's
        """Log in, and name the connection where the user may do that."""
        with _Switch.lock:
            _Switch.blocking.add(self)
        super().on_connect_check_health(check_health=check_health)
        self.send_command("CLIENT", "SETNAME", CLIENT_NAME, check_health=False)  # type: ignore[no-untyped-call]
        with suppress(ResponseError):
            super().read_response()

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Read an answer; raises ``NotPrimaryError`` for one that says so."""
        try:
            return super().read_response(*args, **options)
        except (ResponseError, BusyLoadingError) as error:
            if not says_not_primary(error):
                raise
            self.disconnect()  # type: ignore[no-untyped-call]
            raise NotPrimaryError(str(error)) from error
