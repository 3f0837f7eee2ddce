"""A backlog gives way to fresh deliveries for others; nobody else waits."""

from typing import Any

import pytest

from tasks.delivery.backlog_throttle import ALONE, BEHIND_S, BESIDE_FRESH, FRESH_S, LONGEST_REST_S, REST, GivingWay

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
        """Give the seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.slept.append(seconds)
        self.worked += 0 if seconds else self.busy_s
        self.now += seconds or 3 * self.busy_s


@pytest.fixture
def loop() -> Loop:
    """Give a loop."""
    return Loop()


@pytest.fixture
def giving_way(loop: Loop) -> GivingWay:
    """Give what the pumps of a process share."""
    return GivingWay(clock=loop.clock, busy=lambda: loop.worked, sleep=loop.sleep)


async def test_a_backlog_alone_does_not_rest(giving_way: GivingWay, loop: Loop):
    """Nobody would have anything from it."""
    giving_way.claimed("law", **BACKLOG)
    await giving_way.step("law")

    assert [0] == loop.slept


async def test_a_backlog_rests_beside_fresh_deliveries(giving_way: GivingWay, loop: Loop):
    """It rests the longer, the busier the loop is."""
    giving_way.claimed("law", **BACKLOG)
    giving_way.claimed("crm", **FRESH)
    await giving_way.step("law")

    assert [0, BUSY_S * REST] == loop.slept


async def test_a_backlog_rests_for_a_moment_only(giving_way: GivingWay, loop: Loop):
    """However long the loop was kept: what is claimed has a lease."""
    giving_way.claimed("law", **BACKLOG)
    giving_way.claimed("crm", **FRESH)
    loop.busy_s = 0.3
    await giving_way.step("law")

    assert [0, LONGEST_REST_S] == loop.slept


async def test_fresh_deliveries_do_not_rest(giving_way: GivingWay, loop: Loop):
    """Neither beside a backlog nor beside each other."""
    giving_way.claimed("law", **BACKLOG)
    giving_way.claimed("crm", **FRESH)
    giving_way.claimed("dialler", **FRESH)
    await giving_way.step("crm")
    await giving_way.step("dialler")

    assert [0, 0] == loop.slept


def test_fewer_deliveries_are_taken_at_a_time_beside_fresh_deliveries_for_others(giving_way: GivingWay, loop: Loop):
    """They wait for every pass of the loop; its own fresh deliveries are no others."""
    giving_way.claimed("law", **BACKLOG)
    giving_way.claimed("crm", **FRESH)

    assert (BESIDE_FRESH, ALONE) == (giving_way.pace("law"), giving_way.pace("crm"))

    loop.now += FRESH_S
    assert ALONE == giving_way.pace("law")


async def test_backlogs_do_not_rest_for_each_other(giving_way: GivingWay, loop: Loop):
    """After an outage of everything, all are worked off as fast as the process can."""
    giving_way.claimed("crm", **FRESH)
    for name in ("law", "crm"):
        giving_way.claimed(name, **BACKLOG)
    await giving_way.step("law")
    await giving_way.step("crm")

    assert [0, 0] == loop.slept


async def test_a_destination_without_calls_is_soon_not_fresh_any_more(giving_way: GivingWay, loop: Loop):
    """A backlog goes on at full pace between the calls of the day."""
    giving_way.claimed("law", **BACKLOG)
    giving_way.claimed("crm", **FRESH)
    loop.now += FRESH_S
    await giving_way.step("law")

    assert [0] == loop.slept


async def test_what_has_only_just_become_due_is_no_backlog(giving_way: GivingWay, loop: Loop):
    """However much it is: at a high rate of calls there is always more to claim."""
    giving_way.claimed("law", left=10_000, behind_s=BEHIND_S / 2)
    giving_way.claimed("crm", **FRESH)
    await giving_way.step("law")

    assert [0] == loop.slept


@pytest.mark.parametrize(
    ("lefts", "rest"),
    [
        ([10_000, 9_900, 9_800], REST),
        ([10_000, 9_901], REST / 2),
        ([10_000, 10_600, 11_200], REST / 4),
        ([10_000, 10_600, 10_000], REST * 3 / 4),
        ([100_000, 99_800], REST / 2),
        ([10_000, *[10_000] * 5], 0),
    ],
    ids=["shrinks", "too slowly", "grows", "grows, then shrinks", "too slowly for its size", "stands still"],
)
async def test_a_backlog_that_does_not_shrink_rests_less(
    giving_way: GivingWay, loop: Loop, lefts: list[int], rest: float
):
    """Or a destination would never catch up with the calls of the day."""
    for left in lefts:
        giving_way.claimed("law", left=left, behind_s=60.0)
        loop.now += 1.0
    giving_way.claimed("crm", **FRESH)
    loop.busy_s = BUSY_S
    await giving_way.step("law")

    assert [0, BUSY_S * rest] == loop.slept


async def test_a_backlog_of_another_time_begins_with_the_full_rest(giving_way: GivingWay, loop: Loop):
    """While a destination was held nothing could shrink."""
    for left in (10_000, 10_000):
        giving_way.claimed("law", left=left, behind_s=60.0)
        loop.now += 20.0
    giving_way.claimed("crm", **FRESH)
    await giving_way.step("law")

    assert [0, BUSY_S * REST] == loop.slept
