"""What is not quite HTTP, or comes too slowly, or in a crowd."""

import asyncio
import contextlib
import json
import random

import pytest
from structlog.testing import capture_logs

from receiver.doors import Doors
from receiver.server import Server
from tests.receiver.scripted import TOKEN, FakeLedger, running_receiver, until

BODY = b'{"PLA_Call_Id":"1"}'
HEAD = f"POST /services/calldata?token={TOKEN} HTTP/1.1\r\nHost: x\r\n".encode()
GOOD = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


ENDS_S = 10.0  # an end that is waited for comes, however busy the machine is


async def talk(port: int, *parts: bytes, pause: float = 0.0, silence: float = 1.0, ends: bytes = b"") -> bytes:
    """Send bytes and read until the server closes, is silent for a while, or has sent ``ends`` last."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        got = b""
        while True:
            async with asyncio.timeout(ENDS_S if ends else silence):
                chunk = await reader.read(65536)
            if not chunk:
                return got
            got += chunk
            if ends and got.endswith(ends):
                return got
    except (TimeoutError, ConnectionError):
        return got
    finally:
        writer.close()


def answers_of(raw: bytes) -> list[tuple[int, dict]]:
    """Take the answers of a connection apart: each whole, with the length it says."""
    found = []
    while raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        if status == 100:
            raw = rest
            continue
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l"))
        found.append((status, json.loads(rest[:length])))
        raw = rest[length:]
    return found


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GARBAGE\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /services/calldata HTTP/9.9\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: x\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"no colon here\r\n\r\n",
        HEAD + b"X: " + b"y" * 20000 + b"\r\n\r\n",
        HEAD + b"".join(b"X-%d: y\r\n" % i for i in range(2000)) + b"\r\n",
        b"POST /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nnot a chunk\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_400_in_the_same_shape(receiver, sent):
    """And never a 500; the connection ends."""
    (status, answer), *_ = answers_of(await talk(receiver.port, sent))

    assert 400 == status
    assert ["PLA_Call_Id", "success", "error"] == list(answer)
    assert "false" == answer["success"]
    assert {} == receiver.ledger.events


def mutated(dice: random.Random) -> bytes:
    """Spoil a good request in a few places."""
    raw = bytearray(GOOD)
    for _ in range(dice.randint(1, 6)):
        place = dice.randrange(len(raw))
        match dice.randrange(3):
            case 0:
                raw[place] = dice.randrange(256)
            case 1:
                del raw[place : place + dice.randint(1, 20)]
            case _:
                raw[place:place] = dice.choice([b"\r\n", b"\x00", b" ", b"%", b":", b"\xff" * 9, b"\r\n\r\n"])
    return bytes(raw)


async def test_spoiled_requests_bring_no_server_error(receiver):
    """Whatever byte is wrong: an answer in our shape, or none where the request never ended."""
    dice = random.Random(5)
    spoiled = [mutated(dice) for _ in range(1000)]
    statuses = set()
    for start in range(0, len(spoiled), 100):
        raws = await asyncio.gather(
            *(talk(receiver.port, request, silence=0.3) for request in spoiled[start : start + 100])
        )
        for raw in raws:
            for status, answer in answers_of(raw):
                assert ["PLA_Call_Id", "success", "error"] == list(answer)
                statuses.add(status)

    assert {200, 400, 401, 404} <= statuses
    assert statuses <= {200, 400, 401, 404, 405, 413}
    assert [200] == [status for status, _ in answers_of(await talk(receiver.port, GOOD, ends=b"}"))]


async def test_garbage_behind_good_requests_costs_them_nothing(receiver):
    """The pipelined good ones are answered in order, then the garbage, then the connection ends."""
    answers = answers_of(await talk(receiver.port, GOOD + GOOD, b"\x00\x01garbage\r\n\r\n", pause=0.1))

    assert [200, 200, 400] == [status for status, _ in answers]


async def test_what_shares_a_packet_with_garbage_is_not_acknowledged(receiver):
    """The parser drops it with the garbage: it is neither stored nor answered with success."""
    answers = answers_of(await talk(receiver.port, GOOD + b"\x00\x01garbage\r\n\r\n"))

    assert [400] == [status for status, _ in answers]
    assert {} == receiver.ledger.events


async def test_a_crowd_of_pipelined_requests_is_answered_in_full(receiver):
    """More than the parser keeps at a time."""
    answers = answers_of(await talk(receiver.port, GOOD * 200))

    assert [200] * 200 == [status for status, _ in answers]


async def test_bodies_may_come_in_pieces(receiver):
    """Byte by byte, or in chunks."""
    pieces = [HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY), *(BODY[i : i + 1] for i in range(len(BODY)))]
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (
        BODY[:5], len(BODY) - 5, BODY[5:]
    )  # fmt: skip
    one = answers_of(await talk(receiver.port, *pieces, pause=0.002, ends=b"}"))
    two = answers_of(await talk(receiver.port, chunked, ends=b"}"))

    assert [200] == [status for status, _ in one]
    assert [200] == [status for status, _ in two]


async def test_a_client_that_waits_for_100_continue_gets_it(receiver):
    """Some tools ask before they send a body."""
    raw = await talk(
        receiver.port,
        HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY),
        BODY,
        pause=0.1,
        ends=b"}",
    )

    assert raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert [200] == [status for status, _ in answers_of(raw)]


@pytest.mark.parametrize(
    "version, header, connection",
    [
        (b"HTTP/1.1", b"", None),
        (b"HTTP/1.1", b"Connection: close\r\n", "close"),
        (b"HTTP/1.0", b"", "close"),
        (b"HTTP/1.0", b"Connection: keep-alive\r\n", "keep-alive"),
    ],
)
async def test_connections_live_as_the_client_asks(receiver, version, header, connection):
    """Old clients are told what newer ones assume."""
    raw = await talk(receiver.port, GOOD.replace(b"HTTP/1.1", version).replace(b"Host: x\r\n", b"Host: x\r\n" + header))
    lines = raw.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")
    found = [line.partition(": ")[2] for line in lines if line.startswith("connection")]

    assert ([connection] if connection else []) == found


async def test_a_client_that_leaves_in_the_middle_disturbs_nobody(receiver):
    """Half a body and gone; the next one is served."""
    _, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    writer.write(HEAD + b"Content-Length: 100\r\n\r\nhalf")
    await writer.drain()
    writer.close()

    assert [200] == [status for status, _ in answers_of(await talk(receiver.port, GOOD, ends=b"}"))]


async def test_a_client_that_never_reads_is_not_served_without_end(receiver):
    """Its answers would pile up here: reading stops while it does not take them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port, limit=1024)
    sent = 0
    try:
        async with asyncio.timeout(1.5):
            while True:
                writer.write(GOOD * 100)
                sent += 100
                await writer.drain()
    except TimeoutError:
        pass
    writer.close()
    handled = sum(len(group) for group in receiver.ledger.groups)

    assert handled <= sent
    del reader


async def test_connections_are_counted_and_the_crowd_beyond_is_hung_up_on():
    """Each costs memory; a closed one makes room."""

    async def handler(request):
        raise AssertionError

    server = Server(handler, doors=Doors(most=2, refused=lambda *_: None))
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(server, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    first = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    third, third_writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        assert b"" == await third.read()
    third_writer.close()
    first[0][1].close()
    await until(lambda: len(server.connections) == 1)
    again, again_writer = await asyncio.open_connection("127.0.0.1", port)
    again_writer.write(b"junk\r\n\r\n")

    assert (await again.read()).startswith(b"HTTP/1.1 400")
    again_writer.close()
    first[1][1].close()
    listener.close()
    await server.shutdown(1)


async def test_an_unexpected_error_of_ours_is_503_and_not_500():
    """The sender tries again, and the connection ends."""

    class Broken(FakeLedger):
        async def accept(self, items):
            return []

    async with running_receiver(ledger=Broken()) as receiver:
        answers = answers_of(await talk(receiver.port, GOOD, ends=b"}"))

    assert [503] == [status for status, _ in answers]


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /services/calldata?token=wrong HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\nhalf",
        b"GET /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\nhalf",
        b"POST /services/calldata HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf",
    ],
)
async def test_strangers_make_room_whatever_they_send(sent, monkeypatch):
    """A full house of them keeps nobody out who has a token, and comes from elsewhere."""
    monkeypatch.setattr("receiver.server.LINGER_S", 0.1)
    async with running_receiver(ledger=FakeLedger(), max_connections=3) as receiver:
        strangers = [
            await asyncio.open_connection("127.0.0.1", receiver.port, local_addr=("127.0.0.2", 0)) for _ in range(3)
        ]
        for _, writer in strangers:
            writer.write(sent)

        assert [200] == [status for status, _ in answers_of(await talk(receiver.port, GOOD, ends=b"}"))]
        assert 1 == receiver.refused("", "connections")
        for _, writer in strangers:
            writer.close()


@pytest.mark.parametrize(
    "request_line",
    [b"GET /healthz", b"GET /readyz", b"GET /nothing", b"GET /services/calldata", b"POST /services/calldata"],
)
async def test_a_connection_without_a_right_token_ends_with_its_answer(request_line):
    """Whatever it asked; nobody holds a door with questions that anyone may ask."""
    async with running_receiver(ledger=FakeLedger(), ops_tokens=("ops-token-0123456789",)) as receiver:
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(request_line + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 2)
        writer.close()

    assert b"\r\nConnection: close\r\n" in answer


async def test_an_error_outside_of_the_views_is_503_and_told_once_a_minute():
    """With one traceback, however many requests meet it; what was not answered is tried again."""

    async def handler(request):
        raise ZeroDivisionError

    server = Server(handler, doors=Doors(most=9, refused=lambda *_: None))
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with capture_logs() as logs:
        answers = [answers_of(await talk(port, GOOD, ends=b"}")) for _ in range(3)]
    listener.close()
    await server.shutdown(1)

    assert [503] * 3 == [status for [(status, _)] in answers]
    assert [1] == [line["count"] for line in logs if line["event"] == "request.failed"]
