"""Long work on many keys: step by step, at a rate if there is one, and stopped by Ctrl-C between two steps."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from deploy.cli.output import progress
from schemas.delivery import DeliveryKey

STEP = 200  # keys a round trip, each of which is whole
PAUSE_S = 0.2  # between the steps of a rate

Act = Callable[[Sequence[DeliveryKey]], Awaitable[list[bool]]]


@dataclass(frozen=True, slots=True)
class Done:
    """How many were acted on, and whether Ctrl-C came before the end."""

    count: int
    stopped: bool


async def in_steps(keys: Sequence[DeliveryKey], act: Act, *, rate: float | None, label: str) -> Done:
    """Act on keys step by step; Ctrl-C ends it between two steps, so that nothing is half done."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stopped.set)
    step = STEP if rate is None else min(STEP, max(1, round(rate * PAUSE_S)))
    began, count = monotonic(), 0
    try:
        with progress(len(keys), label) as advance:
            for start in range(0, len(keys), step):
                if stopped.is_set():
                    return Done(count, stopped=True)
                count += sum(await act(keys[start : start + step]))
                advance(step)
                if rate is not None and start + step < len(keys):
                    await _wait(stopped, began + (start + step) / rate - monotonic())
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    return Done(count, stopped=False)


async def _wait(stopped: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopped.wait(), max(0.0, seconds))
    except TimeoutError:
        return
