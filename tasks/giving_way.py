"""How the backlog of one destination gives way to fresh deliveries for others in the same process."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic, thread_time

FRESH_S = 1.0  # how long a destination that keeps up with its deliveries counts as having fresh ones
REST = 8.0
"""A backlog rests so many times as long as the loop was busy, beside fresh deliveries only.

Released beside 17 calls a second for another destination, on two cores, each in turn with a time without a backlog and
one with strangers that wanted as much CPU. The others' p50 in ms without, beside the backlog, and beside the strangers:

| rest | without | backlog | strangers | the backlog's pace |
| --- | --- | --- | --- | --- |
| none (an earlier session) | 11 to 31 | 61 | | 740/s |
| 4 times | 13 | 21 | 17 | 318/s |
| 8 times, 100,000 released | 12 | 16 | 14 | 173/s |
| 12 times | 14 | 16 | 16 | 109/s |
"""

STARTS, STARTS_BESIDE_FRESH = 8, 2
"""Attempts that a claim starts in one pass of the loop.

All at once they keep the loop for 20 ms, and a call for another destination waits that long at each of its steps:
beside a flood of 100,000 it took 280 ms (8 a pass: 95 ms, 2: 55 ms, before there was a rest). Fewer cost more passes: 2
instead of 8 takes a tenth more CPU, 1 a fifth.
"""

LONGEST_REST_S = 0.02
"""What was claimed must begin soon, however long the loop was kept: a claim of 64 deliveries rests 0.6 s at most."""


class GivingWay:
    """Shared by the pumps of a process; ``sleep`` takes seconds.

    ``clock`` gives monotonic seconds, ``busy`` those that the loop's thread has worked: what other processes take of
    the machine is no reason to rest longer.
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

    def claimed(self, destination: str, *, all_wanted: bool) -> None:
        """Note a claim that found something: whoever gets less than it has room for keeps up, and is fresh."""
        if all_wanted:
            self._fresh_at.pop(destination, None)
        else:
            self._fresh_at[destination] = self._clock()

    def starts_a_pass(self, destination: str) -> int:
        """Say how many attempts a claim may start before its next step."""
        return STARTS_BESIDE_FRESH if self._is_beside_fresh(destination) else STARTS

    async def step(self, destination: str) -> None:
        """Let the loop's other work go on; as a backlog beside fresh deliveries, rest."""
        began = self._busy()
        await self._sleep(0)
        if destination not in self._fresh_at and self._is_beside_fresh(destination):
            await self._sleep(min((self._busy() - began) * REST, LONGEST_REST_S))

    def _is_beside_fresh(self, destination: str) -> bool:
        now = self._clock()
        return any(now - at < FRESH_S for name, at in self._fresh_at.items() if name != destination)
