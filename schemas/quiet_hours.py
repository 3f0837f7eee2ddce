"""Quiet hours: until when nobody is to be called, on the clock of whoever would be."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from schemas.hours import Hours
from schemas.phones.callee_zones import zones_of, zones_of_region
from schemas.zones import zones

_MOST_ROUNDS = 20
"""How many zones may be quiet one after another: more would go around the world."""


def quiet_until(
    number: str | None, hours: Hours, now: datetime, *, timezone: ZoneInfo | None, region: str
) -> datetime | None:
    """Return when a number (E.164) may be called, in UTC; ``None``: now.

    Where the number may be in several zones it is quiet while it is in any of them. ``timezone`` is for numbers that
    tell no country, and without it all zones of ``region`` are.
    """
    until = now
    where = _zones(number, timezone, region)
    for _ in range(_MOST_ROUNDS):
        ends = [hours.end_after(until, zone) for zone in where]
        latest = max(ends, default=until)
        if latest == until:
            break
        until = latest
    return None if until == now else until.astimezone(UTC)


def _zones(number: str | None, timezone: ZoneInfo | None, region: str) -> Sequence[ZoneInfo]:
    names = zones_of(number) if number else ()
    if not names and timezone is not None:
        return [timezone]
    found = []
    for name in names or zones_of_region(region):
        try:
            found.append(zones().zone(name))
        except LookupError:  # a zone that this machine's database does not have yet
            continue
    return found
