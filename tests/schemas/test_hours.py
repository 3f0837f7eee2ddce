"""Hours of the week: what lies in them, when they end, and how much of a time they hold."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schemas.hours import Hours

SYDNEY = ZoneInfo("Australia/Sydney")
OFFICE = Hours.parse("Mon-Fri 08:00-18:00")
NIGHT = Hours.parse("21:00-08:00")


def at(text: str, zone: ZoneInfo = SYDNEY) -> datetime:
    """Return a moment by a clock on a wall."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("hours", "moment", "covered"),
    [
        (OFFICE, "2026-11-30T08:00", True),  # a Monday
        (OFFICE, "2026-11-30T07:59:59", False),
        (OFFICE, "2026-11-30T18:00", False),
        (OFFICE, "2026-11-29T12:00", False),
        (NIGHT, "2026-11-29T23:30", True),
        (NIGHT, "2026-11-29T07:59", True),
        (NIGHT, "2026-11-29T08:00", False),
        (Hours.parse("Fri-Mon 22:00-02:00"), "2026-12-01T01:00", True),  # Monday's, on a Tuesday
        (Hours.parse("Fri-Mon 22:00-02:00"), "2026-12-01T22:30", False),
        (Hours.parse("00:00-24:00"), "2026-12-01T23:59:59", True),
        (Hours.parse("Mon-Fri 08:00-12:00, sat 09:00-10:00"), "2026-11-28T09:30", True),
    ],
)
def test_a_moment_lies_in_hours_or_not(hours: Hours, moment: str, covered: bool):
    """The end of a window is outside of it; one over midnight belongs to the day on which it begins."""
    assert covered is hours.covers(at(moment), SYDNEY)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2026-11-29T23:30", "2026-11-30T08:00"),
        ("2026-11-29T03:00", "2026-11-29T08:00"),
        ("2026-11-29T12:00", "2026-11-29T12:00"),
        ("2026-10-03T23:00", "2026-10-04T08:00"),  # the clocks go forward in that night
        ("2026-04-04T23:00", "2026-04-05T08:00"),  # and back in that one
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(moment: str, end: str):
    """Whatever the clocks do in between."""
    assert at(end) == NIGHT.end_after(at(moment), SYDNEY)


def test_windows_that_touch_are_one():
    """Hours that go on at once have not ended."""
    hours = Hours.parse("21:00-24:00, 00:00-08:00")

    assert at("2026-11-30T08:00") == hours.end_after(at("2026-11-29T22:00"), SYDNEY)


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        ("2026-11-27T17:59", "2026-11-30T08:04", 5 / 60),  # over a weekend
        ("2026-11-28T00:00", "2026-11-29T23:59", 0),
        ("2026-11-23T08:00", "2026-11-30T08:00", 50),
        ("2026-11-30T09:00", "2026-11-30T09:30", 0.5),
    ],
)
def test_silence_counts_the_hours_only(since: str, until: str, hours: float):
    """A weekend is no silence."""
    assert pytest.approx(hours * 3600) == OFFICE.within_s(at(since), at(until), SYDNEY)


def test_the_night_in_which_the_clocks_change_is_as_long_as_it_is():
    """An hour less in spring, an hour more in autumn."""
    whole = Hours.parse("00:00-24:00")

    assert 23 * 3600 == whole.within_s(at("2026-10-04T00:00"), at("2026-10-05T00:00"), SYDNEY)
    assert 25 * 3600 == whole.within_s(at("2026-04-05T00:00"), at("2026-04-06T00:00"), SYDNEY)


def test_a_time_of_years_is_measured_in_bounded_work():
    """Of the last 60 days."""
    now = datetime(2026, 11, 30, tzinfo=UTC)

    assert 60 * 86400 == Hours.parse("00:00-24:00").within_s(now - timedelta(days=4000), now, SYDNEY)


@pytest.mark.parametrize(
    "text", ["", "8-18", "Mon 25:00-26:00", "08:60-09:00", "08:00-08:00", "24:00-01:00", "Mo 08:00-09:00"]
)
def test_what_is_no_hours_is_refused(text: str):
    """With a sentence that says how they are written."""
    with pytest.raises(ValueError, match=r"hours|time"):
        Hours.parse(text)
