"""Servers on loopback for tests of the HTTP client: well-behaved ones, and ones that write any bytes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from schemas.delivery import Request

SECRET = "key-9f8e7d6c5b4a"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(handler: Handler, **options) -> AsyncIterator[int]:
    """Serve bytes on a free port; return the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, **options)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def app_server(handler) -> AsyncIterator[str]:
    """Serve every request by ``handler``; return the base URL."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def post(base: str, **changes) -> Request:
    """Make a request whose URL holds a key."""
    return Request(**{"method": "POST", "url": f"{base}/lead/add?key={SECRET}", "json": {"a": 1}, **changes})


def answer(*pieces: bytes, pause_s: float = 0.0) -> Handler:
    """Make a handler that reads the head of a request and writes ``pieces``."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return handler


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Read whatever comes and answer nothing."""
    await reader.read()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Read a request of at most one packet; raises at the end of the connection."""
    data = await reader.read(65536)
    if not data:
        raise ConnectionResetError
    return data
