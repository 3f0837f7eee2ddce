"""One process of a local stack: started with a log of its own, watched, stopped."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path


class StackFault(Exception):
    """Raised when the stack cannot start or go on; its text is one plain sentence for the user."""

    def __init__(self, sentence: str, *, details: str = "") -> None:
        super().__init__(sentence)
        self.details = details
        """More lines for whoever looks into it, such as the end of a log."""


_PR_SET_PDEATHSIG = 1  # prctl(2)


def make_leash() -> Callable[[], None] | None:
    """Return what a child must run before its program, as ``preexec_fn`` of ``Popen``; ``None`` beyond Linux.

    The kernel watches the *thread* that starts the child: start children from a thread that
    lives as long as the process, the main one.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: little may be done between fork and exec
    parent = os.getpid()

    def leash() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died in between: nobody would tell us
            os._exit(1)

    return leash


READY_S = 60.0  # 4 s on two idle cores; a fresh clone compiles every module first, and the machine may be busy
_POLL_S = 0.05
_TAIL_LINES = 12


class Process:
    """A child in a session of its own, so that Ctrl-C in the terminal reaches whoever owns it and nobody else.

    ``answers`` says whether it is ready; ``stop_s`` is how long it may take to end after SIGTERM.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        log: Path,
        answers: Callable[[], Awaitable[bool]],
        stop_s: float,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environ = dict(environ)
        self._answers = answers
        self._stop_s = stop_s
        self._child: subprocess.Popen[bytes] | None = None
        log.unlink(missing_ok=True)

    @property
    def status(self) -> int | None:
        """Return how it ended, as ``Popen.returncode`` does; ``None`` while it runs or before it was started."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Start it, from the main thread; raises ``StackFault`` when there is no such program."""
        with self.log.open("ab") as log:
            try:
                self._child = subprocess.Popen(
                    self._command,
                    env=self._environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=make_leash(),  # noqa: PLW1509  it calls prctl and nothing that takes a lock
                )
            except OSError as error:
                raise StackFault(f"{self._command[0]} cannot be started: {error.strerror}") from error

    async def answers(self) -> bool:
        """Return whether it is ready."""
        return await self._answers()

    def check(self) -> None:
        """Raise ``StackFault`` when it has ended."""
        if self.status is not None:
            raise StackFault(f"process {self.name} {ended(self.status)}", details=self.last_words())

    async def stop(self) -> None:
        """End it by SIGTERM, by SIGKILL when that takes too long; does nothing when it does not run."""
        if self._child is None or self.status is not None:
            return
        self._child.terminate()
        self._child.send_signal(signal.SIGCONT)  # a stopped process would not hear of it
        deadline = asyncio.get_running_loop().time() + self._stop_s
        while self.status is None:
            if asyncio.get_running_loop().time() > deadline:
                self.kill()
            await asyncio.sleep(_POLL_S)

    def kill(self) -> None:
        """Kill it as ``kill -9`` does."""
        if self._child is not None and self.status is None:
            self._child.kill()
            self._child.wait()

    def last_words(self) -> str:
        """Return where its log is and how that ends."""
        try:
            lines = self.log.read_text(errors="replace").rstrip().splitlines()[-_TAIL_LINES:]
        except OSError:
            lines = []
        return "\n".join([f"{self.log}:", *(f"  {line}" for line in lines or ["(empty)"])])


async def until_ready(
    processes: Iterable[Process], *, say: Callable[[Process], None], within_s: float = READY_S
) -> None:
    """Wait until all answer, and ``say`` each that does.

    Raises ``StackFault`` when one ends instead, or takes too long.
    """
    waiting = list(processes)
    deadline = asyncio.get_running_loop().time() + within_s
    while waiting:
        for process in waiting:
            process.check()
        for process in [process for process in waiting if await process.answers()]:
            process.check()  # another program may have answered in its place
            waiting.remove(process)
            say(process)
        if waiting and asyncio.get_running_loop().time() > deadline:
            late = waiting[0]
            raise StackFault(f"process {late.name} was not ready within {within_s:.0f} s", details=late.last_words())
        await asyncio.sleep(_POLL_S if waiting else 0)


def ended(status: int) -> str:
    """Return in words how a process ended."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
