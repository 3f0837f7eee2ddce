"""The report: what became of calls in a span of time, by destination, by service or by day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from worker.ledger import figures
from worker.ledger.figures import Counts, Facet, Known
from worker.ledger.ledger import Ledger

BY = ("destination", "service", "day")
SOON_S, FAST_S = 60.0, 5.0
COLUMNS = (
    "calls", "answered", "missed", "delivered", "skipped", "dead", "cancelled", "p50_seconds", "p95_seconds",
    "under_5_seconds", "under_60_seconds",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was counted for one destination, service or day; deliveries are creates that ended."""

    name: str
    counts: Counts
    knows_calls: bool
    """Whether calls were counted for it: a destination has deliveries alone."""

    def shape(self) -> dict[str, Any]:
        """Return it as JSON values; shares of what was delivered."""
        counts, results = self.counts, self.counts.results
        skipped = {reason: n for reason, n in sorted(counts.skipped.items()) if reason}
        known = {
            "calls": counts.calls, "answered": results.get("answered", 0),
            "missed": results.get("unanswered", 0) + results.get("busy", 0),
        }  # fmt: skip
        return {
            "name": self.name,
            **(known if self.knows_calls else {**dict.fromkeys(known), "calls": counts.ended}),
            "delivered": counts.delivered,
            "skipped": sum(counts.skipped.values()),
            "skipped_by_reason": skipped or None,
            "dead": counts.dead,
            "cancelled": counts.cancelled,
            "p50_seconds": counts.quantile(0.5),
            "p95_seconds": counts.quantile(0.95),
            "under_5_seconds": _share(counts.within(FAST_S), counts.delivered),
            "under_60_seconds": _share(counts.within(SOON_S), counts.delivered),
        }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


async def report(
    ledger: Ledger, by: str, *, since_ms: int, until_ms: int, tz: tzinfo | None, names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the lines of a report, and the sum of all at the end; ``names`` are the services' by id.

    Figures are by the hour: every hour that the span touches is counted whole. Days are those of ``tz``; where its
    offset is no whole hour, each hour belongs to the day in which it begins.
    """
    known = await figures.known(ledger)
    lines: dict[str, Line] = {}
    whole = Line(name="total", counts=Counts(), knows_calls=True)
    wanted = [] if by == "destination" else list(known.services)
    for facet, kind, hour, count in await _counted(ledger, wanted, known, since_ms=since_ms, until_ms=until_ms):
        if by == "day" and kind[0] != "c":
            continue  # how deliveries ended is counted by destination, with the reasons
        name = _day(hour, tz) if by == "day" else names.get(facet.name, facet.name) or "none"
        _line(lines, name, knows_calls=True).counts.add(kind, count, known.reasons)
        whole.counts.add(kind, count, known.reasons)
    if by != "service":
        places = list(known.destinations)
        for facet, kind, hour, count in await _counted(ledger, places, known, since_ms=since_ms, until_ms=until_ms):
            name = _day(hour, tz) if by == "day" else facet.name
            _line(lines, name, knows_calls=by == "day").counts.add(kind, count, known.reasons)
            whole.counts.add(kind, count, known.reasons)
    total = Line(name="total", counts=whole.counts, knows_calls=by != "destination")
    return [lines[name].shape() for name in sorted(lines)] + [total.shape()]


def _line(lines: dict[str, Line], name: str, *, knows_calls: bool) -> Line:
    return lines.setdefault(name, Line(name=name, counts=Counts(), knows_calls=knows_calls))


async def _counted(
    ledger: Ledger, facets: Iterable[Facet], known: Known, *, since_ms: int, until_ms: int
) -> list[tuple[Facet, str, int, int]]:
    """Return what was counted: the facet, the kind, the hour and how often."""
    series = {
        name: facet
        for facet in facets
        for name in (
            figures.service_series(facet) if facet.short[0] == "s" else figures.destination_series(facet, known.reasons)
        )
    }
    found = await figures.hours(ledger, list(series), since_ms=since_ms, until_ms=until_ms)
    return [
        (series[name], name.partition(":")[2], hour, count)
        for name, hours in found.items()
        for hour, count in hours.items()
    ]


def _day(hour_ms: int, tz: tzinfo | None) -> str:
    return datetime.fromtimestamp(hour_ms / 1000, UTC).astimezone(tz).date().isoformat()
