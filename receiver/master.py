"""Several receivers on one port: started, watched, and replaced one for one while no connection is refused."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

log = structlog.get_logger(__name__)

START_S = 30.0  # a receiver that does not serve by then has failed
STOP_S = 27.0  # a receiver ends within 25 s of SIGTERM; platforms kill after 30 s
RESTART_S = 1.0  # between tries to start, so that a receiver that dies at once does not keep the machine busy
SERVES = b"r"


class NotServing(Exception):
    """Raised when a receiver ended, with this exit status, or was ended before it served."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Child:
    """A receiver's process, and our end of the line to it: when that is closed, it ends without hurry."""

    process: asyncio.subprocess.Process
    line: socket.socket

    async def end(self) -> None:
        """End it by SIGTERM, by SIGKILL when that takes too long."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        await self.leave()

    async def leave(self) -> None:
        """Let it end when its clients have, by SIGKILL when that takes too long."""
        self.line.close()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


class Master:
    """Keeps one receiver a place; make it on the loop it runs on.

    ``places`` are the listening sockets of each: they stay open here, so that what waits in them while a receiver is
    replaced, or after one has died, is taken by the next. ``command`` starts a receiver, less the arguments that name
    its sockets.
    """

    def __init__(self, places: Sequence[Sequence[socket.socket]], *, command: Sequence[str]) -> None:
        self._places = places
        self._command = command
        self._stop = asyncio.Event()
        self._reloads = [asyncio.Event() for _ in places]
        self._one_at_a_time = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()
        self._status = 0

    def stop(self) -> None:
        """End all receivers."""
        self._stop.set()

    def reload(self) -> None:
        """Replace each receiver by one that reads the configuration anew; the old one stays if that does not serve."""
        for wanted in self._reloads:
            wanted.set()

    async def run(self) -> int:
        """Keep the receivers until ``stop``; give the exit status, that of a receiver which did not even begin."""
        await asyncio.gather(*map(self._keep, range(len(self._places))))
        await asyncio.gather(*self._leaving)
        return self._status

    async def _keep(self, place: int) -> None:
        try:
            child = await self._start(place)
        except NotServing as error:
            self._status = self._status or error.status
            self._stop.set()
            return
        while not self._stop.is_set():
            await _first(child.process.wait(), self._stop.wait(), self._reloads[place].wait())
            if self._stop.is_set():
                break
            if child.process.returncode is not None:
                child = await self._revive(place, child)
            else:
                child = await self._replace(place, child)
        await child.end()

    async def _revive(self, place: int, child: Child) -> Child:
        """Start receivers until one serves; give the dead one when everything is to end."""
        log.error("receiver.died", place=place, status=child.process.returncode)
        while not self._stop.is_set():
            await _first(self._stop.wait(), within_s=RESTART_S)
            with contextlib.suppress(NotServing):
                fresh = await self._start(place)
                child.line.close()
                return fresh
        return child

    async def _replace(self, place: int, child: Child) -> Child:
        """Start another receiver on the same sockets; once it serves, the old one answers what it has and goes."""
        self._reloads[place].clear()
        try:
            async with self._one_at_a_time:
                fresh = await self._start(place)
        except NotServing as error:
            log.error("receiver.not_reloaded", place=place, status=error.status)  # noqa: TRY400  expected, no traceback
            return child
        log.info("receiver.reloaded", place=place)
        task = asyncio.create_task(child.leave())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return fresh

    async def _start(self, place: int) -> Child:
        """Start a receiver and wait until it serves; raises ``NotServing``."""
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        numbers = [sock.fileno() for sock in self._places[place]]
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *("--sockets", ",".join(map(str, numbers)), "--line", str(theirs.fileno())),
                pass_fds=[*numbers, theirs.fileno()],
            )
        child = Child(process, ours)
        said = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(ours, len(SERVES)))
        await _first(said, self._stop.wait(), within_s=START_S)
        if said.done() and not said.cancelled() and said.exception() is None and said.result() == SERVES:
            return child
        await child.end()
        raise NotServing(process.returncode or 0)


async def _first(*waited: Awaitable[Any], within_s: float | None = None) -> None:
    """Wait until one of these is done, at the longest ``within_s``; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in waited]
    await asyncio.wait(tasks, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
