"""The HTTP server: one handler for all paths, every fault answered in Delacon's shape, connections counted."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import structlog
from aiohttp import web

from receiver.answer import Answer, delacon_answer

log = structlog.get_logger(__name__)

Handler = Callable[[web.BaseRequest], Awaitable[Answer]]

# Longer than the idle time of the proxies that stand in front of such a service (60 s), so that they close first.
KEEPALIVE_S = 75.0
# How long a refused body is read and dropped, so that its sender can take the answer.
LINGER_S = 5.0
MAX_LINE_BYTES = 8190
MAX_HEADERS = 64
# Each costs about 20 KB.
MAX_CONNECTIONS = 4000
POLL_S = 0.02


class Connection(web.RequestHandler):
    """One client's connection: what aiohttp cannot parse or did not expect gets a JSON answer too."""

    __slots__ = ()

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


class Server(web.Server):
    """Makes a ``Connection`` for each client, up to ``max_connections``; beyond, clients are hung up on.

    Must be made on the loop that serves. Run it with ``aiohttp.web.ServerRunner``.
    """

    def __init__(self, handler: Handler, *, max_connections: int = MAX_CONNECTIONS) -> None:
        async def guarded(request: web.BaseRequest) -> web.StreamResponse:
            self._active += 1
            try:
                answer = await handler(request)
            except Exception:
                log.exception("request.failed")
                answer = delacon_answer(503, error="an unexpected error; try again", close=True)
            finally:
                self._active -= 1
            if self._closing:
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
        self._max_connections = max_connections
        self._count = 0
        self._active = 0
        self._closing = False

    async def wind_down(self, *, grace_s: Callable[[], float], within_s: float) -> None:
        """End each connection with its next answer; return when nobody waits for one, at the latest ``within_s``.

        Idle connections get ``grace_s``: hung up on at once, a sender may be writing its next webhook just then.
        Call it before ``ServerRunner.cleanup``, which drops the rest of a body that is still coming.
        """
        self._closing = True
        loop = asyncio.get_running_loop()
        begun = loop.time()
        # Polled: an event set at the end of each request would cost every request something.
        while self._count and loop.time() - begun < (within_s if self._active else grace_s()):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)

    def __call__(self) -> web.RequestHandler:
        """Make the protocol of one connection."""
        return Connection(self, loop=asyncio.get_running_loop(), **self._options)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Count a connection in."""
        super().connection_made(handler, transport)
        self._count += 1
        if self._count > self._max_connections:
            transport.abort()

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Count a connection out."""
        super().connection_lost(handler, exc)
        self._count -= 1
