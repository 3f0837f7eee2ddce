"""The HTTP server: one handler for all paths, every fault answered in Delacon's shape, connections bounded."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import structlog
from aiohttp import web

from receiver.doors import Doors, Visitor
from receiver.responses import Answer, delacon_answer

log = structlog.get_logger(__name__)

Handler = Callable[[web.BaseRequest], Awaitable[Answer]]

# Longer than the idle time of the proxies that stand in front of such a service (60 s), so that they close first.
KEEPALIVE_S = 75.0
# How long a refused body is read and dropped, so that its sender can take the answer.
LINGER_S = 5.0
MAX_LINE_BYTES = 8190
MAX_HEADERS = 64
# Beyond this no further request of a connection is served until its client reads.
MAX_UNSENT_BYTES = 1024
POLL_S = 0.02
SWEEP_S = 0.1
CALM_SWEEP_S = 0.4  # while every connection has sent a request
TRACEBACK_EVERY_S = 60.0


class Connection(web.RequestHandler):
    """One client's connection: what aiohttp cannot parse or did not expect gets a JSON answer too."""

    __slots__ = ("server", "visitor")

    def __init__(self, server: "Server", **options: Any) -> None:
        super().__init__(server, **options)
        self.server = server
        self.visitor: Visitor | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or hang up at once: then nothing is read, and no task is started."""
        self.visitor = self.server.doors.enter(cast("asyncio.Transport", transport))
        if self.visitor is None:
            cast("asyncio.Transport", transport).abort()
            return
        self.visitor.transport.set_write_buffer_limits(high=MAX_UNSENT_BYTES)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End, if it had begun."""
        if self.visitor is not None:
            self.server.doors.leave(self.visitor)
            super().connection_lost(exc)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log what aiohttp did not expect, with one traceback a minute."""
        del args
        self.server.tell_of(kw.get("exc_info"))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  it may quote what was sent
    ) -> web.StreamResponse:
        """Answer what is not HTTP with 400; the connection ends with it."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        log.debug("request.unparsed", error=type(exc).__name__)
        answer = delacon_answer(400 if status < 500 else 503, error="the request is not valid HTTP", close=True)  # noqa: PLR2004
        return cast("web.StreamResponse", answer)


def welcome(request: web.BaseRequest) -> None:
    """Let the connection of this request stay: whoever sent it may post, or look. Others end with their answer."""
    connection: Any = request.protocol
    if connection.visitor is not None:
        connection.server.doors.welcome(connection.visitor)


class Server(web.Server):
    """Makes a ``Connection`` for each client that ``doors`` let in.

    Must be made on the loop that serves. Run it with ``aiohttp.web.ServerRunner``.
    """

    def __init__(self, handler: Handler, *, doors: Doors, each_sweep: Callable[[], None] = lambda: None) -> None:
        async def guarded(request: web.BaseRequest) -> web.StreamResponse:
            self._active += 1
            try:
                answer = await handler(request)
            except Exception as error:  # noqa: BLE001  it is told
                self.tell_of(error)
                answer = delacon_answer(503, error="an unexpected error; try again", close=True)
            finally:
                self._active -= 1
            protocol: Any = request.protocol
            if self._closing or (protocol.visitor is not None and protocol.visitor.is_stranger):
                answer.force_close()
            return cast("web.StreamResponse", answer)

        self._options: dict[str, Any] = {
            "keepalive_timeout": KEEPALIVE_S,
            "lingering_time": LINGER_S,
            "max_line_size": MAX_LINE_BYTES,
            "max_field_size": MAX_LINE_BYTES,
            "max_headers": MAX_HEADERS,
            "auto_decompress": False,
            # Tokens stand in URLs, and every line would cost as much as the answer.
            "access_log": None,
        }
        super().__init__(guarded, **self._options)
        self.doors = doors
        self._each_sweep = each_sweep
        self._active = 0
        self._closing = False
        self._told_at = time.monotonic() - TRACEBACK_EVERY_S
        self._untold = 0

    async def watch(self) -> None:
        """Close connections that are silent or do not read, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S if self.doors.strangers else CALM_SWEEP_S)
            self.doors.sweep()
            self._each_sweep()

    def tell_of(self, error: BaseException | None) -> None:
        """Log an unexpected error, with one traceback a minute however many there are."""
        self._untold += 1
        if time.monotonic() - self._told_at >= TRACEBACK_EVERY_S:
            log.error("request.failed", exc_info=error, count=self._untold)
            self._told_at, self._untold = time.monotonic(), 0

    async def wind_down(self, *, grace_s: Callable[[], float], within_s: float) -> None:
        """End each connection with its next answer; return when nobody waits for one, at the latest ``within_s``.

        Idle connections get ``grace_s``: hung up on at once, a sender may be writing its next webhook just then.
        Call it before ``ServerRunner.cleanup``, which drops the rest of a body that is still coming.
        """
        self._closing = True
        loop = asyncio.get_running_loop()
        begun = loop.time()
        # Polled: an event set at the end of each request would cost every request something.
        while self.doors and loop.time() - begun < (within_s if self._active else grace_s()):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)

    def __call__(self) -> web.RequestHandler:
        """Make the protocol of one connection."""
        return Connection(self, loop=asyncio.get_running_loop(), **self._options)
