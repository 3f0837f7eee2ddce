"""Throttles the backlog of one destination while others in the same process have fresh deliveries."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic, thread_time
from typing import NamedTuple

FRESH_S = 1.0  # how long a destination that keeps up with its deliveries counts as having fresh ones
BEHIND_S = 2.0  # for so long, a delivery is not due before it is claimed, where a destination keeps up
PAUSE = 10.0
"""A backlog pauses so many times as long as the loop was busy, beside fresh deliveries only, and while it shrinks.

20,000 released beside 17 calls a second for another destination, on two cores, each in turn with a time without a
backlog and one with unrelated CPU-bound processes that wanted as much CPU. The others' p50 and p95 in ms (2026-11-28):

| pause | without | beside the backlog | beside unrelated processes | the backlog's pace |
| --- | --- | --- | --- | --- |
| 8 times, claims of 64 | 6, 8 | 7, 10 | 7, 9 | 730/s |
| 10 times, claims of 8 | 5.9, 7.2 | 6.5, 8.6 | 6.9, 8.4 | 557/s |
| 12 times, claims of 8 | 6, 8 | 6, 8 | 7, 9 | 384/s |

On a machine three times slower 12 times left 109/s, with which what a vendor's outage of a minute had held at 50 calls
a second took over 20 s.
"""

LOOK_S, FORGOTTEN_S = 1.0, 10.0  # between two looks at whether a backlog shrinks; later it is another one
LEAST_SHRUNK, DRAINED_S = 100, 300
"""How much a backlog must shrink in a second, as new deliveries come too: by 100, and so that it is gone in 5 minutes.

One that does not pauses half as long, and at last not at all: at 600 calls a second a destination that paused ten times
got less done than came in, for good.
"""

LEAST_PAUSE = 0.5  # times; less is none
LONGEST_PAUSE_S = 0.02
"""What was claimed must begin soon, however long the loop was kept: a claim of 64 deliveries pauses 0.6 s at most."""


class Pace(NamedTuple):
    """How many deliveries a destination takes at a time, for what is taken at once keeps others waiting.

    64 attempts started in one pass kept the loop for 20 ms, and a call for another destination waited that long at each
    of its steps: beside a flood of 100,000 it took 280 ms (8 a pass: 95 ms, 2: 55 ms, before there was a pause). A
    claim of 64 keeps Redis and the loop for a millisecond. Fewer cost more passes and round trips: 2 attempts a pass
    instead of 8 take a tenth more CPU, 1 a fifth.
    """

    claimed: int
    started: int
    """In one pass of the loop."""


ALONE = Pace(claimed=64, started=16)
BESIDE_FRESH = Pace(claimed=8, started=2)


class BacklogThrottle:
    """Shared by the pumps of a process; ``sleep`` takes seconds.

    ``clock`` gives monotonic seconds, ``busy`` those that the loop's thread has worked: what other processes take of
    the machine is no reason to pause longer.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = monotonic,
        busy: Callable[[], float] = thread_time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._busy = busy
        self._sleep = sleep
        self._fresh_at: dict[str, float] = {}
        self._backlogs: dict[str, _Backlog] = {}

    def claimed(self, destination: str, *, left: int, behind_s: float) -> None:
        """Note a claim that found something: how many more are due, and the age of the oldest."""
        if left == 0 or behind_s < BEHIND_S:
            self._backlogs.pop(destination, None)
            self._fresh_at[destination] = self._clock()
            return
        self._fresh_at.pop(destination, None)
        now, backlog = self._clock(), self._backlogs.get(destination)
        if backlog is None or now - backlog.seen > FORGOTTEN_S:
            self._backlogs[destination] = _Backlog(left, now)
        else:
            backlog.look(left, now)

    def pace(self, destination: str) -> Pace:
        """Return how many deliveries to take at a time."""
        return BESIDE_FRESH if destination in self._backlogs and self._is_any_fresh() else ALONE

    async def step(self, destination: str) -> None:
        """Yield to the loop's other work; pause where this is a backlog beside fresh deliveries."""
        if destination not in self._backlogs or not self._is_any_fresh():
            await self._sleep(0)  # without a look at the thread's clock, which takes 50 us where two processes are busy
            return
        began = self._busy()
        await self._sleep(0)
        backlog = self._backlogs.get(destination)
        if backlog is not None and self._is_any_fresh():
            await self._sleep(min((self._busy() - began) * backlog.pause, LONGEST_PAUSE_S))

    def _is_any_fresh(self) -> bool:
        now = self._clock()
        return any(now - at < FRESH_S for at in self._fresh_at.values())


class _Backlog:
    """The backlog of a destination, as seen from time to time, and the pause with which it still shrinks."""

    def __init__(self, left: int, now: float) -> None:
        self.pause = PAUSE
        self._left = left
        self.seen = now

    def look(self, left: int, now: float) -> None:
        """Halve the pause where the backlog does not shrink as it should, and lengthen it again where it does."""
        passed_s = now - self.seen
        if passed_s < LOOK_S:
            return
        shrinks = self._left - left >= max(LEAST_SHRUNK, left / DRAINED_S) * passed_s
        self.pause = min(PAUSE, max(self.pause, LEAST_PAUSE) * 1.5) if shrinks else self.pause / 2
        if self.pause < LEAST_PAUSE:
            self.pause = 0.0
        self._left, self.seen = left, now
