"""The HTTP client against servers that fail: what each failure is called, and that no key shows in it."""

import asyncio
import socket
import ssl
import traceback
from pathlib import Path
from time import monotonic

import pytest

from tests.worker.http.loopback import SECRET, answer, hang, post, raw_server
from worker.errors import Transient
from worker.http.client import HttpClient

SELF_SIGNED = Path(__file__).parent / "data" / "selfsigned.pem"


async def failure(http: HttpClient, port: int, *, scheme: str = "http", timeout_s: float = 5.0) -> Transient:
    """Send to a bad server and return the failure, after a look that nothing secret is in it."""
    with pytest.raises(Transient) as caught:
        await http.send(post(f"{scheme}://127.0.0.1:{port}"), timeout_s=timeout_s)
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + error.detail + repr(error)
    assert SECRET not in shown
    assert "/lead/add" not in shown
    return error


async def test_a_server_that_hangs_is_a_timeout_after_sending(http):
    """No reply in time: the request may have been taken."""
    started = monotonic()
    async with raw_server(hang) as port:
        error = await failure(http, port, timeout_s=0.3)

    assert ("timeout", True) == (error.reason, error.unknown)
    assert monotonic() - started < 2


async def test_a_slow_drip_ends_in_time(http):
    """A byte now and then does not hold an attempt beyond its timeout."""
    drip = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *[b"x"] * 100, pause_s=0.05)
    started = monotonic()
    async with raw_server(drip) as port:
        error = await failure(http, port, timeout_s=0.4)

    assert ("timeout", True) == (error.reason, error.unknown)
    assert monotonic() - started < 2


async def test_a_dripping_head_ends_in_time(http):
    """The same holds while the head of the reply drips."""
    drip = answer(b"HTTP/1.1 200 OK\r\n", *[b"X-A: b\r\n"] * 100, pause_s=0.05)
    async with raw_server(drip) as port:
        error = await failure(http, port, timeout_s=0.4)

    assert ("timeout", True) == (error.reason, error.unknown)


async def test_refused_is_known_not_to_have_arrived(http):
    """Nobody listens: nothing was sent."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = await failure(http, unused.getsockname()[1])

    assert ("connect", False) == (error.reason, error.unknown)


async def test_a_connection_that_never_opens_is_known_not_to_have_arrived(http):
    """A full backlog swallows the handshake: the attempt ends in time, and nothing was sent."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        error = await failure(http, port, timeout_s=0.4)
        for filler in fillers:
            filler.close()

    assert ("timeout", False) == (error.reason, error.unknown)


async def test_a_drop_after_the_request_leaves_the_outcome_unknown(http):
    """The connection closes without a reply: the vendor may have stored it."""
    async with raw_server(answer()) as port:
        error = await failure(http, port)

    assert ("reset", True) == (error.reason, error.unknown)


async def test_a_reset_leaves_the_outcome_unknown(http):
    """The same with a hard reset."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with raw_server(handler) as port:
        error = await failure(http, port)

    assert ("reset", True) == (error.reason, error.unknown)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\ngarbage\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x00\xff\x00\xff\r\n\r\n",
    ],
)
async def test_a_garbled_reply_leaves_the_outcome_unknown(http, reply):
    """Bytes that are no whole HTTP reply are a failure of the connection."""
    async with raw_server(answer(reply)) as port:
        error = await failure(http, port)

    assert ("reset", True) == (error.reason, error.unknown)


async def test_a_handshake_that_hangs_is_known_not_to_have_arrived(http):
    """TLS that never comes up ends in time, and nothing was sent."""
    async with raw_server(hang) as port:
        error = await failure(http, port, scheme="https", timeout_s=0.4)

    assert ("timeout", False) == (error.reason, error.unknown)


async def test_a_server_that_answers_a_handshake_with_text_is_a_tls_failure(http):
    """No handshake, so nothing was sent."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with raw_server(handler) as port:
        error = await failure(http, port, scheme="https")

    assert ("tls", False) == (error.reason, error.unknown)


async def test_an_untrusted_certificate_is_a_tls_failure(http):
    """A self-signed certificate is refused, and nothing was sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    async with raw_server(answer(b"HTTP/1.1 200 OK\r\n\r\n"), ssl=context) as port:
        error = await failure(http, port, scheme="https")

    assert ("tls", False) == (error.reason, error.unknown)
    assert "self-signed" in error.detail


async def test_an_unknown_host_is_a_dns_failure(http):
    """A name under ``.invalid`` never resolves (RFC 2606)."""
    with pytest.raises(Transient) as caught:
        await http.send(post("http://switchboard.invalid"), timeout_s=20)

    assert ("dns", False) == (caught.value.reason, caught.value.unknown)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_a_cancelled_attempt_stays_cancelled(http):
    """Shutdown's cancellation is not mistaken for a failure of the vendor."""
    async with raw_server(hang) as port:
        sending = asyncio.ensure_future(http.send(post(f"http://127.0.0.1:{port}"), timeout_s=5))
        done, _ = await asyncio.wait({sending}, timeout=0.1)
        assert not done
        sending.cancel()

        with pytest.raises(asyncio.CancelledError):
            await sending
