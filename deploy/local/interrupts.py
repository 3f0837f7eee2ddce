"""Ctrl-C and SIGTERM: the first one ends the work in order, the next one kills."""

import asyncio
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """While entered, the first signal cancels the task that entered and says so; any further one calls ``kill``."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self.kill: Callable[[], None] = lambda: None
        self._say = say
        self._came = False
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)

    def _on_signal(self) -> None:
        if self._came:
            self.kill()
            return
        self._came = True
        if self._task is not None:
            self._task.cancel()
        self._say("stopping ... (Ctrl-C again kills)")  # last: the terminal may be gone
