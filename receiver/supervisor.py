"""Several receivers on one port: started, watched, and replaced one for one while no connection is refused."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import structlog

log = structlog.get_logger(__name__)


STOP_S = 27.0  # a receiver ends within 25 s of SIGTERM; platforms kill after 30 s
SERVES = b"r"
"""The byte that a receiver sends on its control socket once it serves."""


class NotServing(Exception):
    """Raised when a receiver ended, with this exit status, or was ended before it served."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Child:
    """A receiver's process, and our end of its control socket: when that is closed, it ends without hurry."""

    process: asyncio.subprocess.Process
    line: socket.socket

    def terminate(self) -> None:
        """Send SIGTERM."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    async def gone(self, *, within_s: float = STOP_S) -> None:
        """Wait for its end; kill it when that takes too long."""
        try:
            await asyncio.wait_for(self.process.wait(), within_s)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        self.line.close()


async def spawn(command: Sequence[str], sockets: Sequence[socket.socket]) -> Child:
    """Start a receiver that takes over listening sockets; raises ``OSError``."""
    numbers = [sock.fileno() for sock in sockets]
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    try:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *command,
                *("--sockets", ",".join(map(str, numbers)), "--line", str(theirs.fileno())),
                pass_fds=[*numbers, theirs.fileno()],
            )
    except BaseException:
        ours.close()
        raise
    return Child(process, ours)


START_S = 30.0  # a receiver that does not serve by then has failed
RESTART_S = 1.0  # between tries to start, so that a receiver that dies at once does not keep the machine busy
CONFIGURATION_FAULT = 2  # exit status: starting again would not mend it


class Supervisor:
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
        self._serving: dict[int, Child] = {}
        self._leaving: dict[Child, asyncio.Task[None]] = {}
        self._status = 0

    def stop(self) -> None:
        """End all receivers, and refuse connections from now on."""
        self._stop.set()
        for sock in chain.from_iterable(self._places):
            sock.close()
        for child in (*self._serving.values(), *self._leaving):
            child.terminate()

    def reload(self) -> None:
        """Replace each receiver by one that reads the configuration anew; the old one stays if that does not serve."""
        for wanted in self._reloads:
            wanted.set()

    async def run(self) -> int:
        """Keep the receivers until ``stop``; return the exit status, or that of a receiver that could not start."""
        await asyncio.gather(*map(self._keep, range(len(self._places))))
        await asyncio.gather(*self._leaving.values())
        return self._status

    async def _keep(self, place: int) -> None:
        try:
            child = await self._start(place)
        except NotServing as error:
            self._fail(error.status)
            return
        while not self._stop.is_set():
            await _first(child.process.wait(), self._stop.wait(), self._reloads[place].wait())
            if self._stop.is_set():
                break
            if child.process.returncode is not None:
                log.error("receiver.died", place=place, status=child.process.returncode)
                child = await self._revive(place, child)
            else:
                child = await self._replace(place, child)
        await child.gone()

    def _fail(self, status: int) -> None:
        """End everything, unless it is ending anyway."""
        if not self._stop.is_set():
            self._status = status
            self.stop()

    async def _revive(self, place: int, dead: Child) -> Child:
        """Start receivers until one serves; return the dead one when everything is to end."""
        del self._serving[place]
        dead.line.close()
        while not self._stop.is_set():
            await _first(self._stop.wait(), within_s=RESTART_S)
            try:
                return await self._start(place)
            except NotServing as error:
                if error.status == CONFIGURATION_FAULT and not self._serving:
                    self._fail(error.status)  # nobody serves, and nobody will: better refused than kept waiting
        return dead

    async def _replace(self, place: int, child: Child) -> Child:
        """Start another receiver on the same sockets; once it serves, the old one answers what it has and goes."""
        self._reloads[place].clear()
        try:
            async with self._one_at_a_time:
                fresh = await self._start(place)
        except NotServing:
            return child
        log.info("receiver.reloaded", place=place)
        child.line.close()
        task = asyncio.create_task(child.gone())
        self._leaving[child] = task
        task.add_done_callback(lambda _: self._leaving.pop(child))
        return fresh

    async def _start(self, place: int) -> Child:
        """Start a receiver and wait until it serves; raises ``NotServing``."""
        if self._stop.is_set():
            raise NotServing(1)
        try:
            child = await spawn(self._command, self._places[place])
        except OSError as error:
            log.error("receiver.not_started", place=place, error=type(error).__name__)  # noqa: TRY400  one line will do
            raise NotServing(1) from None
        said = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(child.line, len(SERVES)))
        await _first(said, self._stop.wait(), within_s=START_S)
        answered = said.done() and not said.cancelled() and said.exception() is None
        if answered and said.result() == SERVES:
            self._serving[place] = child
            if self._stop.is_set():
                child.terminate()
            return child
        if not answered:
            child.terminate()  # otherwise it is ending, and its own status tells why
        await child.gone()
        status = child.process.returncode or 0
        if not self._stop.is_set():
            log.error("receiver.not_started", place=place, status=status)
        raise NotServing(status if status > 0 else 1)


async def _first(*waited: Awaitable[Any], within_s: float | None = None) -> None:
    """Wait until one of these is done, at the longest ``within_s``; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in waited]
    await asyncio.wait(tasks, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
