"""Waits between attempts."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.backoff import LONGEST_ASKED_S, parse_retry_after, wait_s

NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
SCHEDULE = (5.0, 30.0, 120.0, 28800.0)


@pytest.mark.parametrize(("number", "scheduled"), [(1, 5.0), (2, 30.0), (3, 120.0), (4, 28800.0)])
def test_each_wait_stays_within_a_fifth_of_the_schedule(number: int, scheduled: float) -> None:
    """Jitter moves a wait by at most 20 %, to both sides."""
    rng = Random(7)

    waits = [wait_s(SCHEDULE, number, rng=rng) or 0.0 for _ in range(500)]

    assert scheduled * 0.8 <= min(waits) < scheduled * 0.85
    assert scheduled * 1.15 < max(waits) <= scheduled * 1.2


def test_there_is_no_wait_after_the_last_one() -> None:
    """The attempt after the last wait is the last attempt."""
    assert wait_s(SCHEDULE, 4, rng=Random(1)) is not None
    assert wait_s(SCHEDULE, 5, rng=Random(1)) is None
    assert wait_s(SCHEDULE, 5, rng=Random(1), retry_after_s=60) is None


def test_the_same_seed_gives_the_same_wait() -> None:
    """Randomness is handed in."""
    assert wait_s(SCHEDULE, 2, rng=Random(3)) == wait_s(SCHEDULE, 2, rng=Random(3))


def test_waits_as_long_as_the_destination_asks() -> None:
    """A longer wait that the vendor asked for is kept to the second."""
    assert wait_s(SCHEDULE, 1, rng=Random(1), retry_after_s=77) == 77


def test_a_shorter_request_does_not_shorten_the_schedule() -> None:
    """``Retry-After: 0`` leaves the scheduled wait."""
    assert wait_s(SCHEDULE, 3, rng=Random(1)) == wait_s(SCHEDULE, 3, rng=Random(1), retry_after_s=0)


def test_a_request_beyond_four_hours_is_cut() -> None:
    """Nobody can park a delivery for a year."""
    assert wait_s(SCHEDULE, 1, rng=Random(1), retry_after_s=365 * 86400) == LONGEST_ASKED_S


def test_the_cut_never_shortens_a_longer_schedule() -> None:
    """A scheduled wait of 8 hours stands beside a request of any length."""
    wait = wait_s(SCHEDULE, 4, rng=Random(1), retry_after_s=365 * 86400)

    assert wait_s(SCHEDULE, 4, rng=Random(1)) == wait


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Sat, 21 Nov 2026 10:01:30 GMT", 90.0),
        ("Sat, 21 Nov 2026 10:01:30 -0000", 90.0),
        ("Sat, 21 Nov 2026 20:01:30 +1000", 90.0),
        ("Saturday, 21-Nov-26 10:01:30 GMT", 90.0),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("١٢", None),
        ("Sat, 99 Nov 2026 10:01:30 GMT", None),
        ("Sat, 21 Nov 999999999999 10:01:30 GMT", None),
    ],
)
def test_reads_seconds_and_dates(value: str, seconds: float | None) -> None:
    """Both forms of the header are read; anything else counts as absent."""
    assert seconds == parse_retry_after(value, NOW)


def test_reads_a_number_of_any_length() -> None:
    """Ten thousand digits are a long time, not an error."""
    wait = parse_retry_after("9" * 10_000, NOW)

    assert wait is not None
    assert wait > timedelta(days=36500).total_seconds()


@given(st.text())
def test_never_raises(value: str) -> None:
    """Whatever the header says, it is seconds or nothing."""
    seconds = parse_retry_after(value, NOW)

    assert seconds is None or seconds >= 0
