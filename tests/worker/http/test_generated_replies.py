"""Replies by the ten thousand: none brings down the client, and none is read from bytes that were another's."""

import asyncio
import random
import re
import socket
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from schemas.delivery import Response
from tasks.vendors import registry
from tests.destinations import make_destination, make_order
from tests.worker.http.generated_replies import Generated, generate
from tests.worker.http.loopback import post
from worker.errors import DeliveryError, Transient
from worker.http.client import HttpClient
from worker.http.connection import HttpConnection

FLAT_KB = 20 * 1024


class SocketVendor:
    """A vendor that writes at once, into the system's buffer, so that what is stray comes before the next request."""

    def __init__(self) -> None:
        self.plan: Generated
        self._loop = asyncio.get_running_loop()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._listening.setblocking(False)
        self.port: int = self._listening.getsockname()[1]
        self._written = asyncio.Event()
        self._last: socket.socket | None = None
        self._tasks = {asyncio.ensure_future(self._accept())}

    async def finish(self, waiting: Sequence[HttpConnection]) -> None:
        """Write what is stray, or close, once all else is written, and wait until that has come."""
        await self._written.wait()
        self._written.clear()
        if self._last is not None:
            with suppress(OSError):
                self._last.send(self.plan.stray)
            if self.plan.closes:
                self.hang_up()
            if self.plan.stray or self.plan.closes:
                arrive(waiting)

    def hang_up(self) -> None:
        """Close the connection that was asked last."""
        if self._last is not None:
            with suppress(OSError):
                self._last.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listening.close()

    async def _accept(self) -> None:
        while True:
            accepted, _ = await self._loop.sock_accept(self._listening)
            task = asyncio.ensure_future(self._serve(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, accepted: socket.socket) -> None:
        with accepted, suppress(OSError):
            while await self._loop.sock_recv(accepted, 65536):
                self._last = accepted
                try:
                    for piece in self.plan.pieces:
                        await self._loop.sock_sendall(accepted, piece)
                        await asyncio.sleep(0)
                finally:
                    self._written.set()


def resident_kb() -> int:
    """Return the memory of this process."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))[1])  # type: ignore[index]


def arrive(waiting: Sequence[HttpConnection]) -> None:
    """Wait, without a turn of the loop, until the system has brought a connection what was written to it."""
    patience = monotonic() + 0.05
    while waiting and monotonic() < patience and all(connection.is_quiet() for connection in waiting):
        pass


async def answered(http: HttpClient, vendor: SocketVendor) -> Response | str:
    """Send one request; a reply that never ends is cut off after a moment."""
    sending = asyncio.ensure_future(http.send(post(f"http://127.0.0.1:{vendor.port}"), timeout_s=5))
    while (await asyncio.wait({sending}, timeout=0.004))[1]:
        vendor.hang_up()
    try:
        return await sending
    except Transient as error:
        return error.reason if error.unknown else "not sent"


async def judge_generated(make_call, *, count: int) -> Counter[str]:
    """Send ``count`` requests and judge what comes back by each vendor; return what became of them."""
    vendors = [(vendor, make_order(make_call(), make_destination(vendor.spec))) for vendor in registry.VENDORS.values()]
    seen: Counter[str] = Counter()
    dice = random.Random(type(asyncio.get_running_loop()).__module__)
    vendor = SocketVendor()
    earlier: deque[bytes] = deque(maxlen=100)
    memory_kb = 0
    async with HttpClient.open() as http:
        for number in range(count):
            vendor.plan = generate(dice, number)
            reply = await answered(http, vendor)
            await vendor.finish([connection for origin in http._origins.values() for connection in origin._idle])
            if isinstance(reply, Response):
                assert not any(token in reply.body for token in earlier), vendor.plan
                seen["own"] += vendor.plan.token in reply.body
                for kind, order in vendors:
                    with suppress(DeliveryError):
                        kind.judge(order, reply)
                        seen["delivered"] += 1
            earlier.append(vendor.plan.token)
            seen[reply if isinstance(reply, str) else "read"] += 1
            for origin in http._origins.values():
                seen["kept"] += len(origin._idle)
                origin._distrusted_until = 0.0  # one vendor plays them all
            if number == count // 5:
                memory_kb = resident_kb()
    await vendor.close()
    seen["grown_kb"] = resident_kb() - memory_kb
    return seen


def assert_all_was_met(seen: Counter[str], count: int) -> None:
    """Say whether the replies were of every kind."""
    print(dict(seen))
    assert count == seen["read"] + seen["reset"]
    assert min(seen["read"], seen["own"], seen["kept"], seen["delivered"]) > count / 10
    assert seen["reset"] > count / 10
    assert seen["grown_kb"] < FLAT_KB


async def test_two_thousand_generated_replies_are_read_or_refused(make_call):
    """No exception but the client's own, and no reply from bytes that were another's."""
    assert_all_was_met(await judge_generated(make_call, count=2_000), 2_000)


@pytest.mark.load
async def test_fifty_thousand_generated_replies_are_read_or_refused(make_call):
    """Half of them on each loop; the memory stays flat."""
    assert_all_was_met(await judge_generated(make_call, count=25_000), 25_000)
