"""A vendor stand-in that is not the bottleneck: one protocol on uvloop that answers each vendor's yes.

``python -m tests.bench.vendor`` prints the port that it listens on. ``POST /control`` with
``{"delay_s": {"kapture": 2.0}, "trace": true, "fail_rate": 0.01}`` sets it back to nothing received; a delay below 0
never answers, and a share of ``fail_rate`` is answered 503 and not counted, as everything is for ``refuse``d names.
``GET /control`` gives what came since.
"""

import asyncio
import gc
import re
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import orjson
import uvloop

REPLIES = {
    "captorra": b'{"success":true}',
    "comunik8": b'{"saved":true,"processed":true}',
    "kapture": b'{"Message":"Customer Added Successfully","Status":"Success","Kapture Customer Id":"500001"}',
}
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
NUMBER = re.compile(rb'"(?:0|\+?61)4(\d{8})"')  # the caller, which numbers the call, in whichever form
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def answer(body: bytes) -> bytes:
    """Return a whole response."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def name_of(request: bytes) -> bytes:
    """Return the vendor that a request is for: the first part of its path."""
    return request[request.find(b" /") + 2 :].split(b"/", 1)[0].split(b" ", 1)[0]


class Vendors:
    """What came, and how to answer."""

    def __init__(self) -> None:
        self.answers = {name.encode(): answer(reply) for name, reply in REPLIES.items()}
        self.reset({})

    def reset(self, orders: dict[str, Any]) -> None:
        """Forget what came and take new orders."""
        self.delay_s = {name.encode(): float(seconds) for name, seconds in orders.get("delay_s", {}).items()}
        self.trace = bool(orders.get("trace", False))
        self.fail_rate = float(orders.get("fail_rate", 0))
        self.refuse = frozenset(name.encode() for name in orders.get("refuse", ()))
        self.refused = 0
        self.rng = Random(1)
        self.count = 0
        self.bytes = 0
        self.first_s = self.last_s = 0.0
        self.seen: list[tuple[bytes, bytes, float]] = []

    def report(self) -> dict[str, Any]:
        """Return what came: times are of the machine's monotonic clock; ``seen`` only while tracing."""
        by_number: dict[str, dict[int, float]] = {name: {} for name in REPLIES}
        doubled: Counter[str] = Counter()
        for name, number, at in self.seen:
            times = by_number[name.decode()]
            if int(number) in times:
                doubled[name.decode()] += 1
            times.setdefault(int(number), at)
        return {
            "count": self.count, "refused": self.refused,
            "first_s": self.first_s, "last_s": self.last_s, "doubled": doubled,
            "cpu_s": time.process_time(), "seen": {name: list(times.items()) for name, times in by_number.items()},
        }  # fmt: skip


class Connection(asyncio.Protocol):
    """One client; requests come one after the other."""

    def __init__(self, vendors: Vendors) -> None:
        self._vendors = vendors
        self._buffer = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._buffer = self._buffer + data if self._buffer else data
        while True:
            head_end = self._buffer.find(b"\r\n\r\n")
            if head_end < 0:
                return
            found = _LENGTH.search(self._buffer, 0, head_end)
            end = head_end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < end:
                return
            request, self._buffer = self._buffer[:end], self._buffer[end:]
            self.take(request, head_end + 4)

    def take(self, request: bytes, body_at: int) -> None:
        """Answer a request whose body begins at ``body_at``."""
        vendors = self._vendors
        name = name_of(request)
        if name == b"control":
            if request.startswith(b"POST"):
                vendors.reset(orjson.loads(request[body_at:]))
            reply = answer(orjson.dumps(vendors.report(), option=orjson.OPT_NON_STR_KEYS))
            self.transport.write(reply)
            return
        if name in vendors.refuse:
            vendors.refused += 1
            self.transport.write(UNAVAILABLE)
            return
        if vendors.fail_rate and vendors.rng.random() < vendors.fail_rate:
            self.transport.write(UNAVAILABLE)
            return
        now = time.monotonic()
        vendors.count += 1
        vendors.first_s = vendors.first_s or now
        vendors.last_s = now
        if vendors.trace and (number := NUMBER.search(request, body_at)):
            vendors.seen.append((name, number[1], now))
        reply = vendors.answers.get(name) or vendors.answers[b"captorra"]
        delay_s = vendors.delay_s.get(name, 0.0) if vendors.delay_s else 0.0
        if delay_s > 0:
            asyncio.get_running_loop().call_later(delay_s, self.transport.write, reply)
        elif delay_s == 0:
            self.transport.write(reply)


async def serve(connection: Callable[[], Connection]) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", 0, backlog=4096)
    gc.freeze()
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        everything = Vendors()
        runner.run(serve(lambda: Connection(everything)))
