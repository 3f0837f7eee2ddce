"""The report: what became of calls in a span of time, by destination, service, day or tracking number."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from worker.ledger import figures
from worker.ledger.delacon_days import Figures, audited_days
from worker.ledger.figures import Counts, Facet, Known
from worker.ledger.ledger import Ledger

BY = ("destination", "service", "day", "number")
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
    knows_ends: bool = True
    """Whether anything but delivered ones was counted: of a tracking number it was not."""

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
            "skipped": sum(counts.skipped.values()) if self.knows_ends else None,
            "skipped_by_reason": skipped or None,
            "dead": counts.dead if self.knows_ends else None,
            "cancelled": counts.cancelled if self.knows_ends else None,
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
    if by == "number":
        return await _by_number(ledger, known, since_ms=since_ms, until_ms=until_ms)
    lines: dict[str, Line] = {}
    whole = Counts()
    facets = {"destination": known.destinations, "service": known.services, "day": known.services + known.destinations}
    span = {"since_ms": since_ms, "until_ms": until_ms}
    found = _by_day(ledger, known, tz, **span) if by == "day" else _by_facet(ledger, facets[by], known, **span)
    async for found_name, kind, count in found:
        name = (names.get(found_name, found_name) or "none") if by == "service" else found_name
        line = lines.setdefault(name, Line(name=name, counts=Counts(), knows_calls=by != "destination"))
        line.counts.add(kind, count, known.reasons)
        whole.add(kind, count, known.reasons)
    total = Line(name="total", counts=whole, knows_calls=by != "destination")
    return [lines[name].shape() for name in sorted(lines)] + [total.shape()]


async def audits(ledger: Ledger, *, since_ms: int, until_ms: int, tz: tzinfo | None) -> dict[str, Any] | None:
    """Return what the audits against Delacon's own list found of the days of a span; ``None``: none was audited."""
    first, last = (datetime.fromtimestamp(ms / 1000, UTC).astimezone(tz).date() for ms in (since_ms, until_ms - 1))
    found = [one for one in await audited_days(ledger) if first <= one.day <= last]
    if not found:
        return None
    total = sum((one.total for one in found), Figures())
    return {
        "days": len(found), **asdict(total), "faults": sum(bool(one.fault) for one in found),
        "incomplete": sorted(one.day.isoformat() for one in found if one.fault or not one.total.complete),
    }  # fmt: skip


def audits_sentence(found: Mapping[str, Any]) -> str:
    """Say it as people do."""
    days = "1 day" if found["days"] == 1 else f"{found['days']} days"
    text = (
        f"Delacon's own list of {days}: {found['there']:,} calls there, {found['here']:,} here, "
        f"{found['missing']:,} missing, {found['delivered']:,} delivered everywhere they should be"
    )
    return f"{text}; not complete: {', '.join(found['incomplete'])}." if found["incomplete"] else f"{text}."


async def _by_number(ledger: Ledger, known: Known, *, since_ms: int, until_ms: int) -> list[dict[str, Any]]:
    """Return how fast the calls of each tracking number got to their CRMs; a call with several counts for each."""
    lines: dict[str, Counts] = {}
    whole = Counts()
    async for name, kind, count in _by_facet(ledger, known.numbers, known, since_ms=since_ms, until_ms=until_ms):
        lines.setdefault(name, Counts()).add(kind, count, known.reasons)
        whole.add(kind, count, known.reasons)
    found = [*sorted(lines.items()), ("total", whole)]
    return [
        {**Line(name=name, counts=counts, knows_calls=False, knows_ends=False).shape(), "calls": None}
        for name, counts in found
    ]


async def _by_facet(
    ledger: Ledger, facets: Iterable[Facet], known: Known, *, since_ms: int, until_ms: int
) -> AsyncIterator[tuple[str, str, int]]:
    """Return what was counted: the service or destination, the kind, and how often."""
    series = {name: facet for facet in facets for name in _series(facet, known)}
    found = await figures.sums(ledger, list(series), since_ms=since_ms, until_ms=until_ms)
    for name, count in found.items():
        yield series[name].name, name.partition(":")[2], count


async def _by_day(
    ledger: Ledger, known: Known, tz: tzinfo | None, *, since_ms: int, until_ms: int
) -> AsyncIterator[tuple[str, str, int]]:
    """Return what was counted: the day, the kind, and how often.

    Calls are counted by service; how deliveries ended by destination, with the reasons.
    """
    kinds: dict[str, list[str]] = {}
    for facet in (*known.services, *known.destinations):
        for name in _series(facet, known):
            kind = name.partition(":")[2]
            if (kind[0] == "c") == (facet.short[0] == "s"):
                kinds.setdefault(kind, []).append(name)
    for kind, series in kinds.items():
        found = await figures.sums_by_hour(ledger, series, since_ms=since_ms, until_ms=until_ms)
        for hour, count in found.items():
            yield _day(hour, tz), kind, count


def _series(facet: Facet, known: Known) -> list[str]:
    match facet.short[0]:
        case "s":
            return figures.service_series(facet)
        case "n":
            return figures.number_series(facet)
        case _:
            return figures.destination_series(facet, known.reasons)


def _day(hour_ms: int, tz: tzinfo | None) -> str:
    return datetime.fromtimestamp(hour_ms / 1000, UTC).astimezone(tz).date().isoformat()
