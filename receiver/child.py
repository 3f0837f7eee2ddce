"""One receiver's process, as its master sees it."""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass

STOP_S = 27.0  # a receiver ends within 25 s of SIGTERM; platforms kill after 30 s
SERVES = b"r"
"""What a receiver says on its line once it serves."""


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
