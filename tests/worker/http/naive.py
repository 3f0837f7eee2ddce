"""An HTTP client as it is written in an afternoon, to show that the table of replies finds its faults."""

import asyncio

from schemas.delivery import Request, Response
from worker.errors import Transient


class NaiveClient:
    """Keeps one connection and believes whatever stands on it."""

    def __init__(self) -> None:
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send and read, by the letter of the first page on HTTP."""
        try:
            async with asyncio.timeout(min(timeout_s, 1)):
                return await self._send(request)
        except TimeoutError:
            reason = "timeout"
        except (OSError, ValueError, LookupError, EOFError, asyncio.LimitOverrunError):
            reason = "reset"
        self.close()
        raise Transient(reason, unknown=True)

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _send(self, request: Request) -> Response:
        if self._streams is None:
            port = int(request.url.split(":")[2].split("/")[0])
            self._streams = await asyncio.open_connection("127.0.0.1", port, limit=8190)
        reader, writer = self._streams
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
        head = await reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head.decode().split("\r\n")[:-2]
        headers = dict(line.lower().split(": ", 1) for line in lines)
        if len(headers) != len(lines):
            raise ValueError
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Response(status=int(status_line.split(" ")[1]), headers={}, body=body, elapsed_ms=0)
