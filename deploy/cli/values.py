"""Values that options take: moments and rates."""

import time
from datetime import UTC, datetime, tzinfo
from typing import Any

import click

from schemas.options import parse_duration, zone
from worker.config.values import rate_per_s


class Moment(click.ParamType[int]):
    """A moment as ISO 8601 (without a zone: UTC) or as an age such as ``2h``; returns epoch milliseconds."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it; anything else is wrong use."""
        if isinstance(value, int):
            return value
        try:
            return round((time.time() - parse_duration(value)) * 1000)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither ISO 8601 nor an age such as 30m, 2h or 7d", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)


class Rate(click.ParamType[float]):
    """A rate such as ``10/s`` or ``600/m``; returns items a second."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it; a bare number is a second's."""
        if isinstance(value, float):
            return value
        try:
            return rate_per_s(value if "/" in value else f"{value}/s")
        except ValueError as error:
            self.fail(str(error), param, ctx)


since_option = click.option(
    "--since", "since_ms", type=Moment(), help="Not older than this: ISO 8601, or an age such as 2h."
)
until_option = click.option(
    "--until", "until_ms", type=Moment(), help="Not newer than this: ISO 8601, or an age such as 2h."
)


def _read_zone(_: click.Context, __: click.Parameter, name: str | None) -> tzinfo | None:
    if name is None:
        return None
    try:
        return zone(name)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


tz_option = click.option(
    "--tz", callback=_read_zone, metavar="ZONE", help="Show times in this zone.  [default: the system's]"
)


def at_zone(text: str | None, tz: tzinfo | None) -> str | None:
    """Write a moment (ISO 8601) in a zone, ``None`` the system's, whole and with its offset, to be copied."""
    return datetime.fromisoformat(text).astimezone(tz).isoformat(timespec="seconds") if text else None


def iso(ms: float | None) -> str | None:
    """Write epoch milliseconds as ISO 8601 UTC; ``None`` and 0 stay absent."""
    if not ms:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
