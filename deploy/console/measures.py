"""The figures of the last 24 hours, from the ledger's counters, for the charts and the texts beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from deploy.console.charts import Series, bars, lines
from worker.ledger import figures
from worker.ledger.figures import HOUR_MS, Counts
from worker.ledger.keys import CALLS_KEY
from worker.ledger.ledger import Ledger

HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The counts of destinations by the hour, the oldest hour first."""

    begins_ms: tuple[int, ...]
    by_destination: dict[str, list[Counts]]

    @classmethod
    async def read(cls, ledger: Ledger, names: Iterable[str], *, now_ms: int, hours: int = HOURS) -> "Measures":
        """Read the counts of destinations; the last hour is the present one."""
        last = now_ms // HOUR_MS
        begins = tuple((last - back) * HOUR_MS for back in reversed(range(hours)))
        known = await figures.known(ledger)
        wanted = set(names)
        facets = {facet.name: facet for facet in known.destinations if facet.name in wanted}
        series = {
            name: (facet, kind)
            for facet in facets.values()
            for name in figures.destination_series(facet, known.reasons)
            for kind in [name.partition(":")[2]]
        }
        found = await figures.hours(ledger, list(series), since_ms=begins[0], until_ms=now_ms)
        counts = {name: [Counts() for _ in begins] for name in wanted}
        for name, at in found.items():
            facet, kind = series[name]
            for begin, count in at.items():
                counts[facet.name][begins.index(begin)].add(kind, count, known.reasons)
        return cls(begins_ms=begins, by_destination=counts)

    def whole(self, name: str) -> Counts:
        """Return what was counted for a destination in all the hours."""
        return added(self.by_destination.get(name, []))

    def skipped(self) -> dict[str, int]:
        """Return how many deliveries of all destinations were skipped, by reason, the most first."""
        found = added(one for counts in self.by_destination.values() for one in counts).skipped
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def chart(self, names: Iterable[str], *, zone: ZoneInfo) -> Markup:
        """Draw the ends of deliveries by the hour and outcome."""
        columns = [
            added([self.by_destination[name][place] for name in names if name in self.by_destination])
            for place in range(len(self.begins_ms))
        ]
        series = [
            Series("delivered", "good", [one.delivered for one in columns]),
            Series("not sent or cancelled", "plain", [sum(one.skipped.values()) + one.cancelled for one in columns]),
            Series("given up", "bad", [one.dead for one in columns]),
            Series("tries that failed", "warn", [one.failed for one in columns]),
        ]
        told = ", ".join(f"{sum(filter(None, one.values)):g} {one.name}" for one in series)
        return bars(self._labels(zone), series, title=f"The last {len(columns)} hours: {told}")

    def latencies(self, name: str, *, zone: ZoneInfo) -> Markup:
        """Draw the time from call to CRM by the hour."""
        columns = self.by_destination.get(name, [])
        series = [
            Series("half of them within", "good", [one.quantile(0.5) for one in columns]),
            Series("19 of 20 within", "warn", [one.quantile(0.95) for one in columns]),
        ]
        whole = added(columns)
        told = f"half within {whole.quantile(0.5) or 0:g} s, 19 of 20 within {whole.quantile(0.95) or 0:g} s"
        return lines(self._labels(zone), series, title=f"From the call's end to the vendor: {told}", unit="s")

    def _labels(self, zone: ZoneInfo) -> list[str]:
        return [f"{datetime.fromtimestamp(begin / 1000, UTC).astimezone(zone):%H:%M}" for begin in self.begins_ms]


def added(counts: Iterable[Counts]) -> Counts:
    """Return the sum of counts."""
    whole = Counts()
    for one in counts:
        for name, count in one.results.items():
            whole.results[name] = whole.results.get(name, 0) + count
        for reason, count in one.skipped.items():
            whole.skipped[reason] = whole.skipped.get(reason, 0) + count
        whole.latencies = [a + b for a, b in zip(whole.latencies, one.latencies, strict=True)]
        whole.dead += one.dead
        whole.cancelled += one.cancelled
        whole.failed += one.failed
    return whole


async def calls_today(ledger: Ledger, *, now_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    """Return how many calls came today, and how many until the same time of the same weekday a week ago."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone)
    begin = now.replace(hour=0, minute=0, second=0, microsecond=0)
    spans = [(begin, now), (begin - timedelta(days=7), now - timedelta(days=7))]
    async with ledger.redis.pipeline(transaction=False) as pipe:
        for since, until in spans:
            pipe.zcount(CALLS_KEY, round(since.timestamp() * 1000), round(until.timestamp() * 1000))
        today, before = await pipe.execute()
    return int(today), int(before)
