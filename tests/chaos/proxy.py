"""A TCP proxy that can turn into a black hole (connections stay open and nothing goes through), or lead elsewhere."""

import asyncio
import ssl
import threading
from contextlib import suppress


class Proxy:
    """Forwards to ``port`` from a port of its own, on a thread of its own; ``tls`` is spoken by those who connect.

    ``delay_s``: what comes back from ``port`` is so late.
    """

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s
        self.port = 0
        self._tls = tls
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._forwarding: set[asyncio.Task[None] | None] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._writers: list[asyncio.StreamWriter] = []
        self._ended = False

    def start(self) -> None:
        """Listen; ``port`` is set when this returns."""
        self._thread.start()
        self._ready.wait(10)

    def swallow(self) -> None:
        """Let nothing through, as a network that lost the way does."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def restore(self) -> None:
        """Let new connections through; those of before are dead, as after a failover."""
        self._loop.call_soon_threadsafe(self._open.set)

    def lead_to(self, port: int, *, cut: bool = False) -> None:
        """Lead new connections to another port, as a name that resolves anew; ``cut`` drops those of before."""

        def switch() -> None:
            self._target = port
            if cut:
                for writer in self._writers:
                    _drop(writer)
                self._writers.clear()

        self._loop.call_soon_threadsafe(switch)

    def stop(self) -> None:
        """End, and drop every connection, dead ones too."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._open.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._drop_all(server))
        self._loop.close()

    async def _drop_all(self, server: asyncio.Server) -> None:
        server.close()
        self._ended = True
        self._open.set()
        for writer in self._writers:
            _drop(writer)
        # Not cancelled: they end by themselves, and asyncio tells of a cancelled one as of an error.
        if forwarding := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(forwarding, timeout=5)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._forwarding.add(asyncio.current_task())  # else a half-open pair is garbage, and collected
        self._writers.append(writer)
        await self._open.wait()
        if self._ended:
            return
        with suppress(OSError):
            there, out = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.append(out)
            back = self._pipe_late(there, writer) if self._delay_s else self._pipe(there, writer)
            await asyncio.gather(self._pipe(reader, out), back)

    async def _pipe_late(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand each chunk on when its time has come, and the end too; what is on its way when that ends is lost."""
        with suppress(OSError):
            while chunk := await reader.read(65536):
                self._loop.call_later(self._delay_s, self._write_late, writer, chunk)
            # Redis 8.2 sends a replica the whole set over a second connection, and closes that when it has written it.
            self._loop.call_later(self._delay_s, writer.close)

    @staticmethod
    def _write_late(writer: asyncio.StreamWriter, chunk: bytes) -> None:
        if not writer.is_closing():
            writer.write(chunk)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                if not self._open.is_set():
                    return  # swallowed, and the connection left half-open
                writer.write(chunk)
                await writer.drain()
            writer.close()


def _drop(writer: asyncio.StreamWriter) -> None:
    """Drop a connection; Python 3.11.2 raises where a TLS connection has ended already."""
    with suppress(AttributeError):
        writer.transport.abort()
