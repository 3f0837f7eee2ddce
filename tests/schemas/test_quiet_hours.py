"""Quiet hours on the callee's clock, wherever the firm is."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from schemas.hours import Hours
from schemas.quiet_hours import quiet_until

NIGHT = Hours.parse("21:00-08:00")
SYDNEY = ZoneInfo("Australia/Sydney")


def at(local: str, zone: str) -> datetime:
    """Return a moment by a clock on a wall."""
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("number", "now", "until"),
    [
        ("+61892001234", ("2026-11-29T23:30", "Australia/Perth"), ("2026-11-30T08:00", "Australia/Perth")),
        ("+61892001234", ("2026-11-29T22:30", "Australia/Sydney"), None),  # 19:30 in Perth
        ("+61740311234", ("2026-11-29T21:30", "Australia/Sydney"), None),  # Cairns has no summer time: 20:30
        ("+61740311234", ("2026-11-30T08:30", "Australia/Sydney"), ("2026-11-30T08:00", "Australia/Brisbane")),
        ("+61889991234", ("2026-11-30T08:00", "Australia/Adelaide"), ("2026-11-30T08:00", "Australia/Darwin")),
        ("+61255501234", ("2026-11-30T08:00", "Australia/Sydney"), None),
        # Mobiles and 1300 may be anywhere: quiet from Sydney's evening until Perth's morning.
        ("+61491570156", ("2026-11-29T21:00", "Australia/Sydney"), ("2026-11-30T08:00", "Australia/Perth")),
        ("+61491570156", ("2026-11-30T08:30", "Australia/Sydney"), ("2026-11-30T08:00", "Australia/Perth")),
        ("+611300123456", ("2026-11-30T07:59", "Australia/Perth"), ("2026-11-30T08:00", "Australia/Perth")),
        ("+61491570156", ("2026-11-30T08:00", "Australia/Perth"), None),
        ("+14155551234", ("2026-11-29T23:00", "America/Los_Angeles"), ("2026-11-30T08:00", "America/Los_Angeles")),
        ("+14155551234", ("2026-11-29T23:00", "America/New_York"), None),
        # Over both changes of the clocks, by the clock on the wall.
        ("+61255501234", ("2026-10-03T23:00", "Australia/Sydney"), ("2026-10-04T08:00", "Australia/Sydney")),
        ("+61255501234", ("2026-04-04T23:00", "Australia/Sydney"), ("2026-04-05T08:00", "Australia/Sydney")),
        ("+61892001234", ("2026-10-03T23:00", "Australia/Perth"), ("2026-10-04T08:00", "Australia/Perth")),
    ],
)
def test_the_callees_clock_counts(number: str, now: tuple[str, str], until: tuple[str, str] | None):
    """By the area code; where that tells no zone, the strictest of the country."""
    found = quiet_until(number, NIGHT, at(*now), timezone=SYDNEY, region="AU")

    assert found == (None if until is None else at(*until))


@pytest.mark.parametrize("number", [None, "+80012345678"])
def test_a_number_of_no_country_goes_by_the_zone_of_the_configuration(number: str | None):
    """Without one, by all zones of the destination's country."""
    now = at("2026-11-30T08:00", "Australia/Sydney")

    assert quiet_until(number, NIGHT, now, timezone=SYDNEY, region="AU") is None
    assert at("2026-11-30T08:00", "Australia/Perth") == quiet_until(number, NIGHT, now, timezone=None, region="AU")


@pytest.mark.parametrize("number", ["+18005551234", "+7495", "+61491570156"])
def test_what_is_quiet_is_free_when_it_ends(number: str):
    """Asked again at the end it is quiet no more, for a country as wide as the United States too."""
    now = datetime(2026, 11, 29, 9, 0, tzinfo=UTC)
    for _ in range(48):
        until = quiet_until(number, NIGHT, now, timezone=None, region="US")
        assert until is None or until > now
        assert until is None or quiet_until(number, NIGHT, until, timezone=None, region="US") is None
        now = datetime.fromtimestamp(now.timestamp() + 1800, UTC)


def test_hours_that_leave_no_time_free_never_end_in_endless_work():
    """It is asked again later; the lead grows too old meanwhile."""
    always = Hours.parse("00:00-12:00, 12:00-24:00")

    assert quiet_until("+61892001234", always, at("2026-11-30T08:00", "Australia/Perth"), timezone=None, region="AU")
