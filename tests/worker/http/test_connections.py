"""When a connection is used again, and what happens to a request whose connection fails."""

import asyncio
import gc
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from tests.worker.http.loopback import hang, post, raw_server, read_request
from tests.worker.http.reply_rows import OWN, YES, sized
from worker.errors import Transient
from worker.http.client import HttpClient
from worker.http.connection import HttpConnection
from worker.http.origin import HttpOrigin
from worker.http.reply import HttpReply

CERTIFICATE = Path(__file__).parent / "data" / "selfsigned.pem"
METHODS = ("GET", "PUT", "DELETE", "POST", "PATCH")


async def until(fact: Callable[[], bool], *, timeout_s: float = 5.0) -> None:
    """Wait for a fact; raises ``TimeoutError`` when it does not come true."""
    async with asyncio.timeout(timeout_s):
        while not fact():  # noqa: ASYNC110  what it looks at tells nobody
            await asyncio.sleep(0.002)


def arrive(connection: HttpConnection) -> None:
    """Wait, without a turn of the loop, until the system has brought a connection what was written to it."""
    patience = monotonic() + 1
    while monotonic() < patience and connection.is_quiet():
        pass


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "new"])
async def test_a_request_is_written_once_whatever_its_method(http, method, kept):
    """The connection is dropped without a byte: nobody knows whether the vendor took it, and it is not sent again."""
    requests = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            requests.append(await read_request(reader))
            if len(requests) > kept:
                return
            writer.write(sized())

    async with raw_server(handler) as port:
        request = post(f"http://127.0.0.1:{port}", method=method, json=None)
        if kept:
            assert (await http.send(request, timeout_s=5)).body == YES
        with pytest.raises(Transient) as caught:
            await http.send(request, timeout_s=5)
        await asyncio.sleep(0.05)  # time in which a second try would come

    assert ("reset", True) == (caught.value.reason, caught.value.unknown)
    assert 1 + kept == len(requests)
    assert all(sent.startswith(method.encode() + b" /lead/add?key=") for sent in requests)


async def test_bytes_that_came_just_before_the_next_request_are_not_its_reply(http):
    """They wait in the system's buffer, and the loop has not seen them yet."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        request = post(f"http://127.0.0.1:{server.getsockname()[1]}")
        sending = asyncio.ensure_future(http.send(request, timeout_s=5))
        first, _ = await loop.sock_accept(server)
        await loop.sock_recv(first, 65536)
        await loop.sock_sendall(first, sized())
        assert YES == (await sending).body

        (connection,) = next(iter(http._origins.values()))._idle
        first.sendall(sized())
        arrive(connection)
        sending = asyncio.ensure_future(http.send(request, timeout_s=5))
        second, _ = await asyncio.wait_for(loop.sock_accept(server), 5)
        assert (await loop.sock_recv(second, 65536)).startswith(b"POST")
        await loop.sock_sendall(second, sized(body=OWN))
        assert OWN == (await sending).body
        first.close()
        second.close()


async def test_a_connection_that_the_vendor_closed_just_before_is_not_used(http):
    """The same with its end."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        request = post(f"http://127.0.0.1:{server.getsockname()[1]}")
        for _ in range(3):
            sending = asyncio.ensure_future(http.send(request, timeout_s=5))
            accepted, _ = await asyncio.wait_for(loop.sock_accept(server), 5)
            await loop.sock_recv(accepted, 65536)
            await loop.sock_sendall(accepted, sized())
            assert YES == (await sending).body
            (connection,) = next(iter(http._origins.values()))._idle
            accepted.close()
            arrive(connection)


async def test_after_a_stray_reply_each_delivery_gets_its_own_answer(http):
    """A vendor that answers twice, the second time while nobody waits: no later delivery is judged by that."""
    served = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            served.append(writer.get_extra_info("peername"))
            writer.write(sized(body=b'{"success": true, "n": %d}' % len(served)))
            if len(served) == 1:
                await asyncio.sleep(0.05)
                writer.write(sized(body=b"stray"))

    async with raw_server(handler) as port:
        request = post(f"http://127.0.0.1:{port}")
        bodies = [(await http.send(request, timeout_s=5)).body]
        await asyncio.sleep(0.1)
        bodies += [(await http.send(request, timeout_s=5)).body for _ in range(3)]

    assert [b'{"success": true, "n": %d}' % n for n in (1, 2, 3, 4)] == bodies
    assert 4 == len(set(served))  # a vendor that did so once is not given the chance again


async def test_a_vendor_that_speaks_before_it_is_asked_gets_no_request(http):
    """What stands on a new connection is no reply either, and nothing was sent."""
    requests = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sized())
        with suppress(ConnectionError):
            requests.append(await read_request(reader))

    async with raw_server(handler) as port:
        origin = HttpOrigin("127.0.0.1", port, tls=None)
        connection = await origin.connect(within_s=5)
        await until(lambda: connection.closed)
        with pytest.raises(Transient) as caught:
            await connection.exchange(b"POST / HTTP/1.1\r\n\r\n", until=monotonic() + 5)
        origin.close()

    assert ("reset", False) == (caught.value.reason, caught.value.unknown)
    assert [] == requests


async def test_a_connection_that_waited_too_long_is_closed():
    """Routers forget silent connections, so none waits for long."""
    ends = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            assert data.startswith(b"POST")
            writer.write(sized())
        ends.append(True)

    async with HttpClient.open(idle_s=0.1) as http, raw_server(handler) as port:
        await http.send(post(f"http://127.0.0.1:{port}"), timeout_s=5)
        await until(lambda: ends == [True])
        await http.send(post(f"http://127.0.0.1:{port}"), timeout_s=5)


async def test_replies_of_many_at_once_are_not_mixed_up(http):
    """Each of a thousand requests, a hundred at a time, gets the answer to its own number."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await read_request(reader)
            await asyncio.sleep(0)
            writer.write(sized(body=request.partition(b"\r\n\r\n")[2]))

    async with raw_server(handler, backlog=200) as port:

        async def ask(worker: int) -> None:
            for number in range(10):
                reply = await http.send(post(f"http://127.0.0.1:{port}", json=[worker, number]), timeout_s=10)
                assert reply.body == b"[%d,%d]" % (worker, number)

        await asyncio.gather(*(ask(worker) for worker in range(100)))


async def test_a_cancelled_attempt_leaves_nothing_behind_wherever_it_was(http):
    """Cancelled after each number of turns of the loop: no later delivery gets its answer, no connection stays."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await read_request(reader)
            writer.write(sized(body=request.partition(b"\r\n\r\n")[2]))

    async with raw_server(handler) as port:
        url = f"http://127.0.0.1:{port}"
        ended = set()
        for turns in range(60):
            sending = asyncio.ensure_future(http.send(post(url, json=["cancelled", turns]), timeout_s=5))
            for _ in range(turns):
                await asyncio.sleep(0)
            sending.cancel()
            ended |= {(await asyncio.gather(sending, return_exceptions=True))[0].__class__.__name__}
            reply = await http.send(post(url, json=turns), timeout_s=5)
            assert b"%d" % turns == reply.body
            if turns % 2:
                for origin in http._origins.values():
                    for connection in tuple(origin._open):
                        connection.drop()  # so that connecting is cancelled too
        assert {"CancelledError", "Response"} == ended
        assert all(len(origin._open) == len(origin._idle) <= 1 for origin in http._origins.values())


@pytest.mark.parametrize("flood", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 E\r\nLink: </a>\r\n\r\n"])
async def test_informational_replies_in_drips_end_with_the_timeout(http, flood):
    """They do not put off the end of an attempt."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        while True:
            writer.write(flood)
            await writer.drain()
            await asyncio.sleep(0.002)

    async with raw_server(handler) as port:
        started = monotonic()
        with pytest.raises(Transient) as caught:
            await http.send(post(f"http://127.0.0.1:{port}"), timeout_s=0.5)
        took = monotonic() - started

    assert ("timeout", True) == (caught.value.reason, caught.value.unknown)
    assert 0.45 < took < 0.7


class Elsewhere(HttpOrigin):
    """A host whose addresses a test gives."""

    addresses: tuple[str, ...] = ()
    fault: Exception | None = None
    takes_s = 0.01
    looked_up = 0

    async def _look_up(self):
        self.looked_up += 1
        await asyncio.sleep(self.takes_s)
        if self.fault is not None:
            raise self.fault
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, self._port)) for address in self.addresses]


async def test_addresses_are_tried_in_turn_and_looked_up_once(http):
    """The first of three refuses and the second is silent; who asks together shares one look-up."""
    async with raw_server(hang) as port:
        origin = Elsewhere("crm.example.com", port, tls=None)
        origin.addresses = ("127.0.0.2", "127.0.0.3", "127.0.0.1")
        connections = await asyncio.gather(*(origin.connect(within_s=5) for _ in range(5)))
        assert 1 == origin.looked_up
        assert all(connection.is_quiet() for connection in connections)
        origin.close()
        assert not any(connection.is_quiet() for connection in connections)


async def test_a_name_is_looked_up_again_once_it_fails(http):
    """Neither a failed look-up nor an address that refuses is remembered."""
    async with raw_server(hang) as port:
        origin = Elsewhere("crm.example.com", port, tls=None)
        origin.fault = socket.gaierror(-2, "Name or service not known")
        with pytest.raises(Transient) as unknown:
            await origin.connect(within_s=5)
        origin.fault, origin.addresses = None, ("127.0.0.2",)
        with pytest.raises(Transient) as refused:
            await origin.connect(within_s=5)
        origin.addresses = ("127.0.0.1",)
        await origin.connect(within_s=5)
        origin.close()

    assert [("dns", False), ("connect", False)] == [(e.value.reason, e.value.unknown) for e in (unknown, refused)]
    assert 3 == origin.looked_up


async def test_a_look_up_that_hangs_ends_with_the_time_for_connecting():
    """And with its last waiter gone nothing is left to fail."""
    origin = Elsewhere("crm.example.com", 1, tls=None)
    origin.takes_s = 60
    with pytest.raises(Transient) as caught:
        await origin.connect(within_s=0.1)
    origin.close()

    assert ("timeout", False) == (caught.value.reason, caught.value.unknown)


async def test_connections_with_tls_are_kept_and_dropped_alike():
    """Three requests: one connection, then a stray record, then another."""
    served = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            served.append(writer.get_extra_info("peername"))
            writer.write(sized(body=b"%d" % len(served)))
            if len(served) == 2:
                writer.write(sized(body=b"stray"))

    async def ask(origin: HttpOrigin) -> bytes:
        connection = origin.take() or await origin.connect(within_s=5)
        return (await connection.exchange(b"POST / HTTP/1.1\r\n\r\n", until=monotonic() + 5)).body()

    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(CERTIFICATE))
    server.load_cert_chain(CERTIFICATE)
    async with raw_server(handler, ssl=server) as port:
        origin = HttpOrigin("localhost", port, tls=lambda: client)
        answers = [await ask(origin) for _ in range(3)]
        origin.close()

    assert [b"1", b"2", b"3"] == answers
    assert served[0] == served[1] != served[2]


async def test_the_end_of_a_tls_connection_ends_a_reply_without_a_length():
    """As without TLS."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + YES)

    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(CERTIFICATE))
    server.load_cert_chain(CERTIFICATE)
    async with raw_server(handler, ssl=server) as port:
        origin = HttpOrigin("localhost", port, tls=lambda: client)
        connection: HttpConnection = await origin.connect(within_s=5)
        reply = await connection.exchange(b"POST / HTTP/1.1\r\n\r\n", until=monotonic() + 5)
        origin.close()

    assert YES == reply.body()


async def test_a_line_break_never_reaches_the_head_of_a_request(http):
    """Neither in a URL nor in a header."""
    for changes in (
        {"url": "http://127.0.0.1:1/a\r\nX: b"},
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X\n": "a"}},
    ):
        with pytest.raises(ValueError, match="must be"):
            await http.send(post("http://127.0.0.1:1", **changes), timeout_s=1)


async def test_neither_replies_nor_failures_wait_for_the_garbage_collector(http):
    """A worker collects seldom, and a reply may hold 256 KB."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in (sized(), b"garbage"):
            await read_request(reader)
            writer.write(reply)

    async with raw_server(handler) as port:
        gc.collect()
        before = {id(made) for made in gc.get_objects() if isinstance(made, HttpReply | Transient)}
        gc.disable()
        try:
            for _ in range(21):
                with suppress(Transient):
                    await http.send(post(f"http://127.0.0.1:{port}"), timeout_s=5)
            found = [made for made in gc.get_objects() if isinstance(made, HttpReply | Transient)]
            kept = [made for made in found if id(made) not in before]
        finally:
            gc.enable()

    assert len(kept) <= 1  # the last one
