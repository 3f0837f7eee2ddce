"""Generated replies read by our parser and by aiohttp's client: each difference is a row of the table of replies."""

import asyncio
import random
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from aiohttp.client_proto import ResponseHandler

from tests.worker.http.generated_replies import Generated, generate
from tests.worker.http.reply_rows import BROKEN
from tests.worker.http.reply_table import ROWS
from worker.http.reply import MAX_HEADER_BYTES, MAX_HEADERS, MAX_REPLY_BYTES, BrokenReply, HttpReply

MANY_TURNS = 30
_CODED = re.compile(rb"(?i)content-encoding: *(gzip|deflate)")

READ_BY_US_ALONE = {
    r"Invalid header token|Invalid HTTP header": "a header without a name",
    r"Invalid character in Content-Length": "a length and more",
    r"Invalid status code": "the reason at once",
    r"Invalid response status": "two blanks",
    r"Expected dot|Invalid HTTP version": "HTTP/2 over HTTP/1.1",
    r"can't be present with": "a length and chunks",
    r"Content-Length overflow": "a length beyond measure",
    r"Duplicate Content-Length": "the same length twice",
    r"Data after `Connection: close`": "the connection is to be closed",
    r"chunk extension|in chunk size": "an extension without its mark",
    r"Expected HTTP/": "a body longer than its length",
    r"Empty Content-Length": "204 with a body",
    r"Missing expected (LF|CR)|Expected LF after": "a carriage return in a value",
    r"decode content-encoding: brotli": "an unknown coding of the content",
    r"decode content-encoding: (gzip|deflate)|deflate": "gzip told and none sent",
}
"""What aiohttp says of a reply that we read, and the row that says, with curl's reading, why we do."""

READ_BY_AIOHTTP_ALONE = {
    rb"\A(HTTP/1.1 100 C\r\n\r\n){100}": "100 without end",
    rb"\A\r?\n|\n\r?\n\r?\n(\r?\n)*HTTP/": "a blank line first",
    rb"(\A|\n)HTTP[^\n]*\0": "a zero byte",
    rb"(?i)(encoding|length) +:": "a blank before the colon of a length",
    rb"(?i)transfer-encoding:": "an unknown coding",
}
"""What is in a reply that aiohttp reads and we do not, and the row of it."""

_OUTCOMES = {row.name: row.outcome for row in ROWS}


@dataclass(frozen=True)
class Reading:
    """What became of a reply: its status and body or, where it is none, what was said of it."""

    status: int = 0
    body: bytes = b""
    fault: str = ""


class _Wire(asyncio.Transport):
    """A connection to nobody; closed, it tells its protocol."""

    def __init__(self, protocol: ResponseHandler) -> None:
        super().__init__()
        self._protocol = protocol
        self._closing = False

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def ours(made: Generated) -> Reading:
    """Read as ``HttpConnection`` does."""
    reply = HttpReply()
    try:
        for piece in made.pieces:
            if reply.feed(piece):
                return Reading(reply.status, reply.body())
        if made.closes:
            reply.feed_end()
            return Reading(reply.status, reply.body())
    except BrokenReply:
        return Reading(fault="broken")
    return Reading(fault="waits")


async def aiohttps(made: Generated) -> Reading:
    """Read as aiohttp's client does, with as much room as we have."""
    protocol = ResponseHandler(asyncio.get_running_loop())
    wire = _Wire(protocol)
    protocol.connection_made(wire)
    protocol.set_response_params(
        read_until_eof=True, max_line_size=MAX_HEADER_BYTES, max_field_size=MAX_HEADER_BYTES, max_headers=MAX_HEADERS
    )

    async def read() -> Reading:
        while True:
            message, payload = await protocol.read()
            if message.code not in range(100, 200) or message.code == 101:
                return Reading(message.code, await payload.read())

    reading = asyncio.ensure_future(read())
    for piece in made.pieces:
        await asyncio.sleep(0)
        if wire.is_closing():
            break
        protocol.data_received(piece)
    if made.closes:
        wire.close()
    for _ in range(MANY_TURNS):
        await asyncio.sleep(0)
    if not reading.done():
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        return Reading(fault="waits")
    error = reading.exception()
    return reading.result() if error is None else Reading(fault=f"{type(error).__name__} {error}")


def row_of(made: Generated, mine: Reading, other: Reading) -> str:
    """Return the row that tells of a difference; empty text: none does."""
    raw = made.raw
    if not mine.fault:
        if len(mine.body) == MAX_REPLY_BYTES:
            return "a body of 300 KB"
        if not other.fault or other.fault == "waits":
            # It inflates what is there; we give what breaks off as it came, and no vendor's words are read from that.
            return "gzip that breaks off" if _CODED.search(raw) and other.status in {0, mine.status} else ""
        return next((row for said, row in READ_BY_US_ALONE.items() if re.search(said, other.fault)), "")
    if other.status < 200:
        return "101" if other.status == 101 else "status 000"
    found = [row for bytes_of, row in READ_BY_AIOHTTP_ALONE.items() if re.search(bytes_of, raw)]
    return next((row for row in found if (_OUTCOMES[row] == BROKEN) == (mine.fault == "broken")), "")


async def differences(count: int, *, seed: int) -> tuple[Counter[str], list[tuple[Generated, Reading, Reading]]]:
    """Read ``count`` replies by both; return how often each row told of a difference, and what none tells of."""
    dice = random.Random(seed)
    rows: Counter[str] = Counter()
    untold = []
    for number in range(count):
        made = generate(dice, number)
        mine, other = ours(made), await aiohttps(made)
        if other.fault == "waits" and not mine.fault:
            # It tells whoever reads a body nothing of a fault in it; of one that comes with the head it does.
            other = await aiohttps(replace(made, pieces=(made.raw,)))
        if mine.fault and other.fault:
            rows["read by none"] += 1
        elif (mine.status, mine.body, mine.fault) == (other.status, other.body[:MAX_REPLY_BYTES], other.fault):
            rows["the same"] += 1
        elif name := row_of(made, mine, other):
            rows[name] += 1
        else:
            untold.append((made, mine, other))
    return rows, untold


def assert_each_is_told(rows: Counter[str], untold: list[tuple[Generated, Reading, Reading]], count: int) -> None:
    """Say that a row tells of each difference, and that it says who of the two reads it."""
    print(dict(rows))
    assert [] == untold[:3]
    named = set(rows) - {"read by none", "the same"}
    assert named <= _OUTCOMES.keys()
    assert BROKEN not in {_OUTCOMES[name] for name in named & set(READ_BY_US_ALONE.values())}
    assert min(rows["the same"], rows["read by none"]) > count / 10


async def test_two_thousand_replies_are_read_as_by_aiohttp_or_a_row_says_why_not():
    """The words of a vendor are the same by both."""
    assert_each_is_told(*await differences(2_000, seed=1), 2_000)


@pytest.mark.load
async def test_a_hundred_thousand_replies_are_read_as_by_aiohttp_or_a_row_says_why_not():
    """The words of a vendor are the same by both."""
    assert_each_is_told(*await differences(100_000, seed=2), 100_000)
