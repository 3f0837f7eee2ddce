"""How long to wait before a delivery's next attempt; pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

JITTER = 0.2
"""Each scheduled wait is spread by this share to both sides, so that a crowd that failed together comes back apart."""

LONGEST_ASKED_S = 4 * 3600.0
"""The longest ``Retry-After`` that we obey, in seconds (contract, section 6)."""


def wait_s(schedule: Sequence[float], number: int, *, rng: Random, retry_after_s: float | None = None) -> float | None:
    """Return the seconds between attempt ``number`` (from 1), which failed, and the next; ``None`` after the last wait.

    What the vendor asked for is honoured between the scheduled wait and 4 hours, and never shortened by jitter.
    """
    if number > len(schedule):
        return None
    scheduled = schedule[number - 1] * rng.uniform(1 - JITTER, 1 + JITTER)
    if retry_after_s is None:
        return scheduled
    return max(scheduled, min(retry_after_s, LONGEST_ASKED_S))


def parse_retry_after(value: str, now: datetime) -> float | None:
    """Read a ``Retry-After`` header as seconds from ``now`` (aware); ``None`` when it is unreadable.

    Both forms of RFC 9110, section 10.2.3: seconds and HTTP date. A date in the past is 0.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:15])  # longer than the age of the universe is long enough
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # "-0000": UTC without a known zone
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
