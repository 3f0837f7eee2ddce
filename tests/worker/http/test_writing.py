"""When a request is written: with those of its pass, and never after its time."""

import asyncio
from contextlib import suppress
from time import monotonic

import pytest

from tests.worker.http.loopback import post, raw_server, read_request
from tests.worker.http.reply_rows import sized
from worker.errors import Transient
from worker.http.connection import HttpConnection
from worker.http.origin import HttpOrigin
from worker.http.reply import HttpReply


async def test_requests_of_one_pass_are_written_in_a_row(http, monkeypatch):
    """Whoever reads them wakes once for all, and not between each and the next."""
    order, exchange = [], HttpConnection.exchange

    async def noted(connection: HttpConnection, request: bytes, *, until: float) -> HttpReply:
        order.append("written")
        return await exchange(connection, request, until=until)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(sized())

    async def deliver(url: str) -> None:
        order.append("prepared")
        await http.send(post(url), timeout_s=5)

    monkeypatch.setattr(HttpConnection, "exchange", noted)
    async with raw_server(handler) as port:
        url = f"http://127.0.0.1:{port}"
        await asyncio.gather(*(deliver(url) for _ in range(3)))  # each makes a connection
        order.clear()
        await asyncio.gather(*(deliver(url) for _ in range(3)))

    assert [*["prepared"] * 3, *["written"] * 3] == order


async def test_a_process_that_stood_still_writes_nothing_late():
    """Between two looks at the loop's own clock, which stands still with it."""
    requests = []

    async def handler(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            requests.append(await read_request(reader))

    async with raw_server(handler) as port:
        origin = HttpOrigin("127.0.0.1", port, tls=None)
        connection = await origin.connect(within_s=5)
        await asyncio.sleep(0)
        end = monotonic() + 0.02
        while monotonic() < end:
            pass  # as a process that is stopped, and goes on
        with pytest.raises(Transient) as caught:
            await connection.exchange(b"POST / HTTP/1.1\r\n\r\n", until=end)
        origin.close()

    assert ("timeout", False) == (caught.value.reason, caught.value.unknown)
    assert connection.closed
    assert [] == requests


async def test_nothing_is_written_after_the_deadline(http):
    """The process stood still since somebody looked at a clock: what is not sent by now may be another worker's."""
    requests = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            requests.append(await read_request(reader))
            writer.write(sized())

    async with raw_server(handler) as port:
        await http.send(post(f"http://127.0.0.1:{port}"), timeout_s=5)
        with pytest.raises(Transient) as raised:
            await http.send(post(f"http://127.0.0.1:{port}"), timeout_s=0)
        await http.send(post(f"http://127.0.0.1:{port}"), timeout_s=5)

    assert ("timeout", False, False) == (raised.value.reason, raised.value.unknown, raised.value.counts)
    assert 2 == len(requests)
