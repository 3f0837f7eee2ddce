"""Ctrl-C and SIGTERM: the first one ends the work, so that all can be stopped in order; the next one kills."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_S = 0.2

T = TypeVar("T")


class Interrupted(Exception):
    """Raised when the user ended the work."""


class Interrupts:
    """Takes the signals while entered; any but the first one calls ``kill``."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self.kill: Callable[[], None] = lambda: None
        self._say = say
        self._came = asyncio.Event()

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work until a signal comes; raises ``Interrupted`` then, when the work has ended."""
        task = asyncio.create_task(work)
        signal_came = asyncio.create_task(self._came.wait())
        await asyncio.wait({task, signal_came}, return_when=asyncio.FIRST_COMPLETED)
        signal_came.cancel()
        while not task.done():
            # Again and again: wait_for of Python 3.11, which redis-py sends with, may swallow a cancellation.
            task.cancel()
            await asyncio.wait({task}, timeout=_AGAIN_S)
        if task.cancelled():
            raise Interrupted
        return task.result()

    def _on_signal(self) -> None:
        if self._came.is_set():
            self.kill()
            return
        self._came.set()
        self._say("stopping ... (Ctrl-C again kills)")  # last: the terminal may be gone
