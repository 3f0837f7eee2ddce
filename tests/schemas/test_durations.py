"""Durations of the configuration."""

import pytest

from schemas.options import parse_duration, parse_duration_or_off


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10.0),
        ("30m", 1800.0),
        ("4h", 14400.0),
        ("30d", 2592000.0),
        ("1.5h", 5400.0),
        (" 0s ", 0.0),
        ("2 m", 120.0),
    ],
)
def test_reads_a_number_and_a_unit(text: str, seconds: float) -> None:
    """Every unit of the configuration becomes seconds."""
    assert seconds == parse_duration(text)


@pytest.mark.parametrize("text", ["", "10", "s", "-5s", "10 min", "1h30m", "off", "1e3s", "١s", "10S"])
def test_refuses_anything_else(text: str) -> None:
    """A text that is no number with one unit is refused with an example of the right form."""
    with pytest.raises(ValueError, match="10s"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["off", " OFF "])
def test_off_is_no_duration_at_all(text: str) -> None:
    """Where a setting can be switched off, ``off`` stands for no limit."""
    assert parse_duration_or_off(text) is None


def test_off_or_a_duration() -> None:
    """A setting that can be off takes durations too."""
    assert 86400.0 == parse_duration_or_off("1d")
