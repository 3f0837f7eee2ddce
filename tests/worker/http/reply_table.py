"""Runs a row of the table of replies: by the product's client, or any other, and by curl."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from schemas.delivery import Order, Response
from tasks.vendors.captorra import Captorra
from tasks.vendors.protocol import Http
from tests.worker.http.loopback import post, raw_server
from tests.worker.http.reply_rows import BROKEN, KEPT, NEW, OWN, TIMED_OUT, Row, sized
from tests.worker.http.reply_rows_bodies import CHUNKED_BODIES, CODINGS, ENDS, STRAY
from tests.worker.http.reply_rows_heads import HEADERS, INFORMATIONAL, LENGTHS, STATUS_LINES
from worker.errors import Blocked, DeliveryError, Permanent, Transient

ROWS = [*STATUS_LINES, *HEADERS, *INFORMATIONAL, *LENGTHS, *CHUNKED_BODIES, *ENDS, *CODINGS, *STRAY]
OWN_OUTCOME = "dead rejected: Invalid ANI"
VENDOR = Captorra()
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_TIMED_OUT = 28


@dataclass
class RawVendor:
    """Answers its first request by a row and each other one by its own."""

    row: Row
    port: int = 0
    connections: int = 0
    served_on: list[int] = field(default_factory=list)
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the reply was read: what is stray may go out."""
    done: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once all of the row went out."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        self.connections += 1
        mine = self.connections
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
            self.served_on.append(mine)
            if len(self.served_on) > 1:
                writer.write(sized(body=OWN))
                continue
            for piece in self.row.pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if self.row.stray:
                await self.taken.wait()
                writer.write(self.row.stray)
            if self.row.closes:
                writer.close()
                await writer.wait_closed()
            self.done.set()
            if self.row.closes:
                return


@asynccontextmanager
async def raw_vendor(row: Row) -> AsyncIterator[RawVendor]:
    """Open a vendor on a free port."""
    vendor = RawVendor(row)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await vendor.serve(reader, writer)

    async with raw_server(serve) as vendor.port:
        yield vendor


@dataclass(frozen=True)
class Seen:
    """What became of a row's delivery and of the next one."""

    outcome: str
    next_outcome: str
    next_on: str

    def faults(self, row: Row) -> list[str]:
        """Return what the row does not say."""
        faults = []
        if self.outcome.partition(":")[0] != row.outcome:
            faults.append(f"the outcome is {self.outcome}, not {row.outcome}")
        if self.next_outcome != OWN_OUTCOME:
            faults.append(f"the next delivery got {self.next_outcome}")
        if self.next_on != row.next_on:
            faults.append(f"the next delivery went out on a {self.next_on} connection")
        return faults


async def run(row: Row, http: Http, order: Order) -> Seen:
    """Make a row's delivery and the next one by a client."""
    async with raw_vendor(row) as vendor:
        first = await outcome_of(http, vendor.port, order, timeout_s=row.timeout_s)
        vendor.taken.set()
        if row.stray or row.closes:
            await vendor.done.wait()
        second = await outcome_of(http, vendor.port, order, timeout_s=5)
        return Seen(first, second, KEPT if vendor.served_on[1:] == [1] else NEW)


async def outcome_of(http: Http, port: int, order: Order, *, timeout_s: float) -> str:
    """Deliver once; return what it comes to, with the words of a refusal."""
    try:
        response = await http.send(post(f"http://127.0.0.1:{port}"), timeout_s=timeout_s)
    except Transient as error:
        return f"retry {error.reason}"
    return judged(order, response)


def judged(order: Order, response: Response) -> str:
    """Return what a response comes to."""
    try:
        VENDOR.judge(order, response)
    except DeliveryError as error:
        decisions = {Transient: "retry", Permanent: "dead", Blocked: "held"}
        return f"{decisions[type(error)]} {error.reason}: {error.detail}"
    return "delivered"


async def curls_outcome(row: Row, order: Order) -> str:
    """Return what a row comes to when curl reads it."""
    curl = shutil.which("curl")
    assert curl, "curl is not installed; the table is compared with it"
    async with raw_vendor(row) as vendor:
        process = await asyncio.create_subprocess_exec(
            curl, "-q", "-sS", "--noproxy", "*", "--compressed", "--max-time", str(row.timeout_s), "--data", "{}",
            "--write-out", "\n%{http_code}", f"http://127.0.0.1:{vendor.port}/",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        written, _ = await process.communicate()
    body, _, status = written.rpartition(b"\n")
    if process.returncode == 0:
        return judged(order, Response(status=int(status), headers={}, body=body, elapsed_ms=0)).partition(":")[0]
    return TIMED_OUT if process.returncode == _TIMED_OUT else BROKEN
