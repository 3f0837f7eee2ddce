"""A backlog is throttled beside fresh deliveries for others; nobody else waits."""

from typing import Any

import pytest

from tasks.delivery.backlog_throttle import (
    ALONE,
    BEHIND_S,
    BESIDE_FRESH,
    FRESH_S,
    LONGEST_PAUSE_S,
    PAUSE,
    BacklogThrottle,
)

BACKLOG: dict[str, Any] = {"left": 10_000, "behind_s": 60.0}
FRESH: dict[str, Any] = {"left": 0, "behind_s": 0.0}
BUSY_S = 1 / 1024  # seconds; a power of two, so that sums are exact


class Loop:
    """A loop whose every pass works ``busy_s`` and takes three times that, for others want the machine too."""

    def __init__(self) -> None:
        self.now = 100.0
        self.busy_s = BUSY_S
        self.worked = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """Return the seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.slept.append(seconds)
        self.worked += 0 if seconds else self.busy_s
        self.now += seconds or 3 * self.busy_s


@pytest.fixture
def loop() -> Loop:
    """Return a loop."""
    return Loop()


@pytest.fixture
def throttle(loop: Loop) -> BacklogThrottle:
    """Return what the pumps of a process share."""
    return BacklogThrottle(clock=loop.clock, busy=lambda: loop.worked, sleep=loop.sleep)


async def test_a_backlog_alone_does_not_pause(throttle: BacklogThrottle, loop: Loop):
    """Nobody would have anything from it."""
    throttle.claimed("law", **BACKLOG)
    await throttle.step("law")

    assert [0] == loop.slept


async def test_a_backlog_pauses_beside_fresh_deliveries(throttle: BacklogThrottle, loop: Loop):
    """It pauses the longer, the busier the loop is."""
    throttle.claimed("law", **BACKLOG)
    throttle.claimed("crm", **FRESH)
    await throttle.step("law")

    assert [0, BUSY_S * PAUSE] == loop.slept


async def test_a_backlog_pauses_for_a_moment_only(throttle: BacklogThrottle, loop: Loop):
    """However long the loop was kept: what is claimed has a lease."""
    throttle.claimed("law", **BACKLOG)
    throttle.claimed("crm", **FRESH)
    loop.busy_s = 0.3
    await throttle.step("law")

    assert [0, LONGEST_PAUSE_S] == loop.slept


async def test_fresh_deliveries_do_not_pause(throttle: BacklogThrottle, loop: Loop):
    """Neither beside a backlog nor beside each other."""
    throttle.claimed("law", **BACKLOG)
    throttle.claimed("crm", **FRESH)
    throttle.claimed("dialler", **FRESH)
    await throttle.step("crm")
    await throttle.step("dialler")

    assert [0, 0] == loop.slept


def test_fewer_deliveries_are_taken_at_a_time_beside_fresh_deliveries_for_others(throttle: BacklogThrottle, loop: Loop):
    """They wait for every pass of the loop; its own fresh deliveries are no others."""
    throttle.claimed("law", **BACKLOG)
    throttle.claimed("crm", **FRESH)

    assert (BESIDE_FRESH, ALONE) == (throttle.pace("law"), throttle.pace("crm"))

    loop.now += FRESH_S
    assert ALONE == throttle.pace("law")


async def test_backlogs_do_not_pause_for_each_other(throttle: BacklogThrottle, loop: Loop):
    """After an outage of everything, all are worked off as fast as the process can."""
    throttle.claimed("crm", **FRESH)
    for name in ("law", "crm"):
        throttle.claimed(name, **BACKLOG)
    await throttle.step("law")
    await throttle.step("crm")

    assert [0, 0] == loop.slept


async def test_a_destination_without_calls_is_soon_not_fresh_any_more(throttle: BacklogThrottle, loop: Loop):
    """A backlog goes on at full pace between the calls of the day."""
    throttle.claimed("law", **BACKLOG)
    throttle.claimed("crm", **FRESH)
    loop.now += FRESH_S
    await throttle.step("law")

    assert [0] == loop.slept


async def test_what_has_only_just_become_due_is_no_backlog(throttle: BacklogThrottle, loop: Loop):
    """However much it is: at a high rate of calls there is always more to claim."""
    throttle.claimed("law", left=10_000, behind_s=BEHIND_S / 2)
    throttle.claimed("crm", **FRESH)
    await throttle.step("law")

    assert [0] == loop.slept


@pytest.mark.parametrize(
    ("lefts", "pause"),
    [
        ([10_000, 9_900, 9_800], PAUSE),
        ([10_000, 9_901], PAUSE / 2),
        ([10_000, 10_600, 11_200], PAUSE / 4),
        ([10_000, 10_600, 10_000], PAUSE * 3 / 4),
        ([100_000, 99_800], PAUSE / 2),
        ([10_000, *[10_000] * 5], 0),
    ],
    ids=["shrinks", "too slowly", "grows", "grows, then shrinks", "too slowly for its size", "stands still"],
)
async def test_a_backlog_that_does_not_shrink_pauses_less(
    throttle: BacklogThrottle, loop: Loop, lefts: list[int], pause: float
):
    """Or a destination would never catch up with the calls of the day."""
    for left in lefts:
        throttle.claimed("law", left=left, behind_s=60.0)
        loop.now += 1.0
    throttle.claimed("crm", **FRESH)
    loop.busy_s = BUSY_S
    await throttle.step("law")

    assert [0, BUSY_S * pause] == loop.slept


async def test_a_backlog_of_another_time_begins_with_the_full_pause(throttle: BacklogThrottle, loop: Loop):
    """While a destination was held nothing could shrink."""
    for left in (10_000, 10_000):
        throttle.claimed("law", left=left, behind_s=60.0)
        loop.now += 20.0
    throttle.claimed("crm", **FRESH)
    await throttle.step("law")

    assert [0, BUSY_S * PAUSE] == loop.slept
