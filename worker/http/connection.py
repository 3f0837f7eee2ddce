"""One connection to a vendor: a request is written once, and what comes back is its reply or nothing."""

import asyncio
import select
from contextlib import suppress
from time import monotonic
from typing import Protocol, cast

from worker.errors import Transient
from worker.http.reply import BrokenReply, HttpReply


class Keeper(Protocol):
    """The owner of connections between their requests."""

    def keep(self, connection: "HttpConnection") -> None:
        """Take back a connection that can carry another request."""
        ...

    def lose(self, connection: "HttpConnection") -> None:
        """Forget a connection that is closed."""
        ...

    def distrust(self) -> None:
        """Note that the other side writes bytes that nobody asked for."""
        ...


class HttpConnection(asyncio.Protocol):
    """Carries one request at a time."""

    def __init__(self, keeper: Keeper) -> None:
        self.idle_since = 0.0
        """When the owner took it back, by the loop's clock."""
        self.closed = False
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[HttpReply] | None = None
        self._reply: HttpReply | None = None
        self._poll = select.poll()
        self._transport: asyncio.Transport

    def is_quiet(self) -> bool:
        """Return whether it is open and nothing unread waits on it, in the system's buffer either."""
        return not (self.closed or self._transport.is_closing() or self._poll.poll(0))

    async def exchange(self, request: bytes, *, until: float) -> HttpReply:
        """Write a request and return its reply, all ``until`` then, in monotonic seconds. Raises ``Transient``.

        Later nothing is written: the process may have stood still since whoever asks looked at a clock. The loop's own
        clock will not do, for it stands still with the process until the next pass.
        """
        if self.closed or self._transport.is_closing():
            raise Transient("reset", "the connection was lost")
        left_s = until - monotonic()
        if left_s <= 0:
            self.drop()
            raise Transient("timeout", "no time left for a request", counts=False)
        future: asyncio.Future[HttpReply] = self._loop.create_future()
        self._future = future
        self._reply = HttpReply()
        timer = self._loop.call_later(left_s, self._time_out)
        try:
            self._transport.write(request)
            return await future
        finally:
            timer.cancel()
            if self._future is future:  # cancelled: a reply may still come
                self.drop()
            del future  # its exception holds this frame

    def drop(self) -> None:
        """Close it, whatever is under way."""
        self.closed = True
        self._future = self._reply = None
        with suppress(AttributeError):  # Python 3.11.2 raises it where a TLS connection has ended already
            self._transport.abort()
        self._keeper.lose(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Read what came; what nobody asked for ends the connection."""
        if self._reply is None:
            if not self.closed:
                self._keeper.distrust()
                self.drop()
            return
        try:
            whole = self._reply.feed(data)
        except BrokenReply:
            self._fail("reset", "the reply broke off or was no HTTP")
        else:
            if whole:
                self._finish(self._reply)

    def eof_received(self) -> bool:
        """End a reply that the end of the connection completes; the connection cannot be used again."""
        self._end()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Close; an error completes no reply."""
        if error is None:
            self._end()
        else:
            self._fail("reset", "the connection was lost")

    def _end(self) -> None:
        reply = self._reply
        if reply is not None:
            try:
                reply.feed_end()
            except BrokenReply:
                begun = reply.begun
                self._fail("reset", "the reply broke off or was no HTTP" if begun else "the connection was lost")
            else:
                self._finish(reply)
        self.drop()

    def _finish(self, reply: HttpReply) -> None:
        future = self._future
        self._future = self._reply = None
        if reply.excess:
            self._keeper.distrust()
        written = self._transport.get_write_buffer_size() == 0
        if reply.keeps_connection and not reply.excess and written and future is not None and not future.done():
            self._keeper.keep(self)
        else:
            self.drop()
        if future is not None and not future.done():
            future.set_result(reply)

    def _time_out(self) -> None:
        self._fail("timeout", "no whole reply in time")

    def _fail(self, reason: str, detail: str) -> None:
        """End the connection and its exchange; the vendor may have taken the request."""
        future = self._future
        self.drop()
        if future is not None and not future.done():
            future.set_exception(Transient(reason, detail, unknown=True))
