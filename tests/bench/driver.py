"""The load driver: prebuilt requests over keep-alive connections, as fast as they are answered or at a rate.

``python -m tests.bench.driver`` reads a JSON order on its standard input and prints what came of it. It is a process
of its own, so that its CPU time can be told apart.
"""

import asyncio
import gc
import math
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

import orjson
import uvloop

from tests.bench import bodies

ANSWER = b"HTTP/1.1 "
CREATE, UPDATE, EITHER = "/services/calldata/create", "/services/calldata/update", "/services/calldata"


def requests_of(kind: str, *, count: int, first: int) -> list[bytes]:
    """Build ``count`` requests: ``pairs`` starts and ends in turn, ``plain`` the same without comma, ``complete``."""
    if kind == "complete":
        return [bodies.request_of(EITHER, bodies.complete_of(first + place)) for place in range(count)]
    made = []
    for number in range(first, first + count // 2):
        made.append(bodies.request_of(CREATE, bodies.start_of(number)))
        made.append(bodies.request_of(UPDATE, bodies.end_of(number, comma=kind == "pairs")))
    return made


class Load:
    """What is still to be sent, and what became of what was."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.requests = requests
        self.next = 0
        self.refused: Counter[str] = Counter()
        """Answers other than 200, by status."""
        self.lost = 0
        self.took_s: list[float] = []
        self.answered_at: dict[int, float] = {}
        self.done = asyncio.get_running_loop().create_future()

    def answered(self, place: int, took_s: float, *, status: bytes) -> None:
        """Note an answer; the last one ends the load."""
        self.took_s.append(took_s)
        if status != b"200":
            self.refused[status.decode()] += 1
        self.answered_at[place] = time.monotonic()
        self.check_done()

    def check_done(self) -> None:
        """End the load when every request has its answer or has lost its connection."""
        if len(self.took_s) + self.lost == len(self.requests) and not self.done.done():
            self.done.set_result(None)


class Connection(asyncio.Protocol):
    """One keep-alive connection; sends its next request when the one before is answered."""

    def __init__(self, load: Load, *, pull: bool) -> None:
        self._load = load
        self._pull = pull
        self._waiting: deque[tuple[int, float]] = deque()
        self._transport: asyncio.Transport
        self.closed = False

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Count what was not answered any more."""
        self.closed = True
        self._load.lost += len(self._waiting)
        self._waiting.clear()
        self._load.check_done()

    def send_next(self) -> None:
        """Send the next request of the load, if there is one."""
        load = self._load
        if load.next < len(load.requests):
            place = load.next
            load.next += 1
            self.send(place, time.monotonic())

    def send(self, place: int, since: float) -> None:
        """Send a request whose waiting counts from ``since``."""
        self._waiting.append((place, since))
        self._transport.write(self._load.requests[place])

    @property
    def idle(self) -> bool:
        """Say whether nothing is under way here."""
        return not self._waiting and not self.closed

    def data_received(self, data: bytes) -> None:
        """Take answers: they are small and come whole, several at once where several requests were under way."""
        for answer in data.split(ANSWER)[1:]:
            if not self._waiting:
                return
            place, since = self._waiting.popleft()
            self._load.answered(place, time.monotonic() - since, status=answer[:3])
            if self._pull:
                self.send_next()


async def closed_loop(load: Load, *, port: int, connections: int) -> None:
    """Keep ``connections`` requests under way until all are answered."""
    loop = asyncio.get_running_loop()
    made = [
        (await loop.create_connection(lambda: Connection(load, pull=True), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    for connection in made:
        connection.send_next()
    await load.done


async def open_loop(load: Load, *, port: int, connections: int, rate: float) -> None:
    """Send at a rate, whatever becomes of what went before; an answer's time counts from when it was to be sent."""
    loop = asyncio.get_running_loop()
    pool = [
        (await loop.create_connection(lambda: Connection(load, pull=False), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    began = time.monotonic()
    for place in range(len(load.requests)):
        due = began + place / rate
        while (left := due - time.monotonic()) > 0:  # noqa: ASYNC110  a timer may wake early
            await asyncio.sleep(left)
        for _ in range(len(pool)):
            connection = pool.pop(0)
            pool.append(connection)
            if connection.idle:
                break
        if connection.closed:
            connection = (await loop.create_connection(lambda: Connection(load, pull=False), "127.0.0.1", port))[1]
            pool.append(connection)
        connection.send(place, due)
    await load.done


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))] if ordered else math.nan


async def drive(order: dict[str, Any]) -> dict[str, Any]:
    """Carry out one order and return what came of it; ``answered`` only when asked for."""
    load = Load(requests_of(order["kind"], count=order["count"], first=order["first"]))
    gc.freeze()
    gc.disable()
    cpu, began = time.process_time(), time.monotonic()
    if rate := order.get("rate"):
        await open_loop(load, port=order["port"], connections=order["connections"], rate=rate)
    else:
        await closed_loop(load, port=order["port"], connections=order["connections"])
    took_s = time.monotonic() - began
    return {
        "count": len(load.took_s), "refused": load.refused, "lost": load.lost, "began_s": began, "took_s": took_s,
        "per_s": len(load.took_s) / took_s, "cpu_s": time.process_time() - cpu,
        "p50_ms": percentile(load.took_s, 0.5) * 1000, "p99_ms": percentile(load.took_s, 0.99) * 1000,
        "answered": list(load.answered_at.items()) if order.get("answered") else [],
    }  # fmt: skip


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(drive(orjson.loads(sys.stdin.buffer.read())))
    sys.stdout.buffer.write(orjson.dumps(result))
