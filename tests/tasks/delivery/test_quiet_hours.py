"""A lead that is due at night waits for the caller's own morning, to the millisecond, over changes of clocks too."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.ledgers import Driver
from tests.tasks.delivery_harness import make_harness

QUIET = {"quiet_hours": "21:00-08:00", "timezone": "Australia/Sydney"}
"""Of a firm in Sydney."""


def ms(local: str, zone: str) -> int:
    """Return a moment by a clock on a wall, in epoch milliseconds."""
    return round(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("caller", "due", "morning"),
    [
        # 23:30 in Perth is 02:30 in Sydney; Sydney's morning is three hours too early for Perth.
        ("+61892001234", ("2026-11-29T23:30", "Australia/Perth"), ("2026-11-30T08:00", "Australia/Perth")),
        # The night in which Sydney's clocks go forward, and that in which they go back.
        ("+61255501234", ("2026-10-03T23:30", "Australia/Sydney"), ("2026-10-04T08:00", "Australia/Sydney")),
        ("+61255501234", ("2026-04-04T23:30", "Australia/Sydney"), ("2026-04-05T08:00", "Australia/Sydney")),
        # In Perth nothing changes then, and Sydney is two hours ahead on one side and three on the other.
        ("+61892001234", ("2026-10-03T23:30", "Australia/Perth"), ("2026-10-04T08:00", "Australia/Perth")),
        ("+61892001234", ("2026-04-04T23:30", "Australia/Perth"), ("2026-04-05T08:00", "Australia/Perth")),
        # A mobile may be in any zone: the strictest holds, on both sides of each change.
        ("+61491570156", ("2026-10-03T21:00", "Australia/Sydney"), ("2026-10-04T08:00", "Australia/Perth")),
        ("+61491570156", ("2026-10-04T20:59", "Australia/Perth"), ("2026-10-05T08:00", "Australia/Perth")),
        ("+61491570156", ("2026-04-04T21:00", "Australia/Sydney"), ("2026-04-05T08:00", "Australia/Perth")),
        ("+611300123456", ("2026-04-05T07:59", "Australia/Perth"), ("2026-04-05T08:00", "Australia/Perth")),
    ],
)
async def test_it_waits_for_the_callers_morning(
    driver: Driver, caller: str, due: tuple[str, str], morning: tuple[str, str]
):
    """Not a millisecond less, without a try and without a wait of the schedule; then it goes out."""
    harness = make_harness(driver, table=QUIET)
    driver.time.ms = ms(*due)
    await harness.make(caller=caller)
    driver.time.ms = ms(*due)
    await harness.runner.deliver(await driver.take_one())
    waiting = await driver.delivery("c1")

    assert ("queued", "quiet_hours", 0, 0) == (str(waiting.state), waiting.reason, waiting.number, waiting.step)
    assert [] == harness.http.requests
    driver.time.ms = ms(*morning) - 1
    assert [] == await driver.take()
    driver.time.ms = ms(*morning)
    assert "delivered" == await harness.again()


async def test_a_day_is_no_night(driver: Driver):
    """What is due by day goes out at once, though it is night where the firm is."""
    harness = make_harness(driver, table=QUIET)
    driver.time.ms = ms("2026-11-29T20:30", "Australia/Perth")

    await harness.make(caller="+61892001234")
    driver.time.ms = ms("2026-11-29T20:30", "Australia/Perth")
    assert "delivered" == await harness.again()
