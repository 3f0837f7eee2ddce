"""Hours of the week, such as ``Mon-Fri 08:00-18:00``: whether a moment lies in them, and how much of a time does."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(_DAYS)
_PART = re.compile(
    rf"(?:(?P<first>{_DAY})(?:\s*-\s*(?P<last>{_DAY}))?\s+)?(?P<begin>\d\d:\d\d)\s*-\s*(?P<end>\d\d:\d\d)"
)
_LONGEST = timedelta(days=60)
"""Of a time that is measured: nobody waits longer for a webhook, and the work stays bounded."""
_DAY_MINUTES = 24 * 60
_MOST_TOUCHING = 15


@dataclass(frozen=True, slots=True)
class _Window:
    days: frozenset[int]
    """On which it begins; Monday is 0."""
    begin: int
    """In minutes of the day."""
    end: int
    """The same; not after ``begin`` where it ends on the next day."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Windows of the week on a clock on the wall, in a time zone that is named when it is asked."""

    text: str
    windows: tuple[_Window, ...]

    @classmethod
    def parse(cls, text: str) -> "Hours":
        """Read ``Mon-Fri 08:00-18:00, Sat 09:00-12:00``; without days every day is meant.

        A window whose end is not after its begin ends on the next day. Raises ``ValueError``.
        """
        return cls(text, tuple(_window(part.strip()) for part in text.split(",")))

    def covers(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Return whether an aware moment lies in a window; the end of one is outside of it."""
        local = moment.astimezone(zone)
        yesterday = local.date() - timedelta(days=1)
        return any(begin <= moment < end for begin, end in self._spans(yesterday, local.date(), zone))

    def end_after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Return when the window ends that an aware moment lies in, or the moment itself where it lies in none.

        Windows that touch are one; those that hold a whole week end in some days, when it may be asked again.
        """
        for _ in range(_MOST_TOUCHING):
            yesterday = moment.astimezone(zone).date() - timedelta(days=1)
            today = yesterday + timedelta(days=1)
            ends = [end for begin, end in self._spans(yesterday, today, zone) if begin <= moment < end]
            if not ends:
                break
            moment = max(ends)
        return moment

    def within_s(self, since: datetime, until: datetime, zone: ZoneInfo) -> float:
        """Return how many seconds between two aware moments lie in the windows; of the last 60 days at most."""
        since = max(since, until - _LONGEST)
        first = since.astimezone(zone).date() - timedelta(days=1)
        spans = self._spans(first, until.astimezone(zone).date(), zone)
        parts = ((min(end, until) - max(begin, since)).total_seconds() for begin, end in spans)
        return sum(seconds for seconds in parts if seconds > 0)

    def _spans(self, first: date, last: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        """Return the windows that begin on these days as moments, those of one day side by side."""
        day = first
        while day <= last:
            for window in self.windows:
                if day.weekday() in window.days:
                    later = timedelta(days=1 if window.end <= window.begin else 0)
                    yield _moment(day, window.begin, zone), _moment(day + later, window.end, zone)
            day += timedelta(days=1)


def _moment(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """Return when a clock on the wall shows this; a time that the clocks leave out is when they jump over it."""
    if minutes == _DAY_MINUTES:
        day, minutes = day + timedelta(days=1), 0
    return datetime.combine(day, time(minutes // 60, minutes % 60), tzinfo=zone).astimezone(UTC)


def _window(text: str) -> _Window:
    match = _PART.fullmatch(text.lower())
    if match is None:
        raise ValueError("must be hours such as 08:00-18:00, or with days such as Mon-Fri 08:00-18:00, Sat 09:00-12:00")
    days = frozenset(range(7))
    if match["first"]:
        first = _DAYS.index(match["first"])
        count = (_DAYS.index(match["last"] or match["first"]) - first) % 7 + 1
        days = frozenset((first + number) % 7 for number in range(count))
    begin, end = _minutes(match["begin"]), _minutes(match["end"])
    if begin in {_DAY_MINUTES, end}:
        raise ValueError(f"{match['begin']}-{match['end']} holds no time; all day is 00:00-24:00")
    return _Window(days, begin, end)


def _minutes(text: str) -> int:
    hours, minutes = int(text[:2]), int(text[3:])
    found = hours * 60 + minutes
    if minutes > 59 or found > _DAY_MINUTES:  # noqa: PLR2004  of an hour
        raise ValueError(f"{text} is no time of the day")
    return found
