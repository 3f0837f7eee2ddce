"""What happened, hour by hour and minute by minute, as the ledger's scripts have counted it."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.ledger.keys import FACETS_KEY, HOURS_KEY, MINUTES_KEY
from worker.ledger.ledger import Ledger

SPAN = 120  # hours, or minutes, of one hash (figures.lua)
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
KEPT_HOURS = 400 * 24
KEPT_MINUTES = 48 * 60
LATENCIES_S = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
"""The upper bounds of the buckets of the time from call to CRM (figures.lua); the last bucket has none."""
RESULTS = {"a": "answered", "u": "unanswered", "b": "busy", "o": "other", "n": "none"}
_HOURS, _MINUTES = (HOURS_KEY, HOUR_MS), (MINUTES_KEY, MINUTE_MS)
_AT_ONCE = 2_000  # hashes a round trip
_A_RUN = 200  # hashes that a script adds up, some 2 ms of Redis


@dataclass(slots=True)
class Counts:
    """Counts of calls and of deliveries (creates) that ended."""

    results: dict[str, int] = field(default_factory=dict)
    """Calls by their result: ``answered``, ``unanswered``, ``busy``, ``other``, ``none``."""
    latencies: list[int] = field(default_factory=lambda: [0] * (len(LATENCIES_S) + 1))
    """Delivered ones by the bucket of the time from call to CRM."""
    skipped: dict[str, int] = field(default_factory=dict)
    """By reason; empty reason: not known by reason."""
    dead: int = 0
    cancelled: int = 0
    failed: int = 0
    """Attempts that are tried again."""

    @property
    def calls(self) -> int:
        """Return how many calls became ready."""
        return sum(self.results.values())

    @property
    def delivered(self) -> int:
        """Return how many were delivered."""
        return sum(self.latencies)

    @property
    def ended(self) -> int:
        """Return how many deliveries ended."""
        return self.delivered + sum(self.skipped.values()) + self.dead + self.cancelled

    def within(self, seconds: float) -> int:
        """Return how many were delivered within one of ``LATENCIES_S``."""
        return sum(self.latencies[: LATENCIES_S.index(seconds) + 1])

    def quantile(self, share: float) -> float | None:
        """Return one of ``LATENCIES_S`` within which this share was delivered; the last also where it took longer.

        Nothing between two bounds is guessed: of 40 calls that took 80 s it would say that some took 288.
        """
        wanted, below = share * self.delivered, 0
        if not self.delivered:
            return None
        for count, most in zip(self.latencies, (*LATENCIES_S, LATENCIES_S[-1]), strict=True):
            if count and below + count >= wanted:
                return most
            below += count
        return LATENCIES_S[-1]

    def add(self, kind: str, count: int, reasons: Mapping[str, str]) -> None:
        """Add what one series counted; ``kind`` is its name behind its facet."""
        letter, rest = kind[0], kind[1:]
        match letter:
            case "c":
                self.results[RESULTS[rest]] = self.results.get(RESULTS[rest], 0) + count
            case "D" if rest:
                self.latencies[int(rest)] += count
            case "S":
                reason = reasons.get(rest.removeprefix(":"), "other" if rest else "")
                self.skipped[reason] = self.skipped.get(reason, 0) + count
            case "X" if not rest:
                self.dead += count
            case "C" if not rest:
                self.cancelled += count
            case "F":
                self.failed += count
            case _:
                pass


@dataclass(frozen=True, slots=True)
class Facet:
    """A service or a destination under its short name, such as ``s12``."""

    short: str
    name: str


@dataclass(frozen=True, slots=True)
class Known:
    """The services, destinations and reasons that were ever counted."""

    services: tuple[Facet, ...]
    destinations: tuple[Facet, ...]
    numbers: tuple[Facet, ...]
    """Tracking numbers, as Delacon writes them."""
    reasons: Mapping[str, str]
    """Short name to reason."""


async def known(ledger: Ledger) -> Known:
    """Read the short names; the names beyond their bound share one, ``other``."""
    found: Any = await ledger.redis.hgetall(FACETS_KEY)
    kinds: dict[str, list[Facet]] = {"s": [], "d": [], "r": [], "n": []}
    for text, number in found.items():
        kind, _, name = text.partition(":")
        if kind in kinds and not text.startswith("#"):
            kinds[kind].append(Facet(f"{kind}{number}", name))
    reasons = {one.short: one.name for one in kinds["r"]} | {"r0": "other"}
    services = (*sorted(kinds["s"], key=lambda one: one.name), Facet("s0", "other"))
    destinations = (*sorted(kinds["d"], key=lambda one: one.name), Facet("d0", "other"))
    numbers = (*sorted(kinds["n"], key=lambda one: one.name), Facet("n0", "other"))
    return Known(services, destinations, numbers, reasons)


_ENDS = ("D0", "D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "X", "C")


def service_series(facet: Facet) -> list[str]:
    """Return the series of a service."""
    return [f"{facet.short}:{kind}" for kind in (*(f"c{letter}" for letter in RESULTS), *_ENDS, "S")]


def number_series(facet: Facet) -> list[str]:
    """Return the series of a tracking number: how fast its calls got to their CRMs."""
    return [f"{facet.short}:{kind}" for kind in _ENDS if kind[0] == "D"]


def destination_series(facet: Facet, reasons: Iterable[str]) -> list[str]:
    """Return the series of a destination; skipped ones by their reasons."""
    return [f"{facet.short}:{kind}" for kind in (*_ENDS, "F", *(f"S:{reason}" for reason in reasons))]


async def hours(ledger: Ledger, series: Sequence[str], *, since_ms: int, until_ms: int) -> dict[str, dict[int, int]]:
    """Return the counts of series by the hour (epoch milliseconds of its begin) of every hour that the span touches."""
    return await _read(ledger, series, _HOURS, since_ms=since_ms, until_ms=until_ms)


async def sums(ledger: Ledger, series: Sequence[str], *, since_ms: int, until_ms: int) -> dict[str, int]:
    """Return how often each series counted in the hours that the span touches; those that did not are left out."""
    found: dict[str, int] = {}
    async for some, counts in _added(ledger, series, since_ms=since_ms, until_ms=until_ms, together=False):
        found |= {name: count for name, count in zip(some, counts, strict=True) if count}
    return found


async def sums_by_hour(ledger: Ledger, series: Sequence[str], *, since_ms: int, until_ms: int) -> dict[int, int]:
    """Return how often these series together counted in each hour (epoch milliseconds of its begin) of the span."""
    found: dict[int, int] = {}
    async for _, counts in _added(ledger, series, since_ms=since_ms, until_ms=until_ms, together=True):
        for at, count in zip(counts[::2], counts[1::2], strict=True):
            found[at * HOUR_MS] = found.get(at * HOUR_MS, 0) + count
    return found


async def _added(
    ledger: Ledger, series: Sequence[str], *, since_ms: int, until_ms: int, together: bool
) -> AsyncIterator[tuple[Sequence[str], list[int]]]:
    first, last = since_ms // HOUR_MS, until_ms // HOUR_MS
    a_run = max(1, _A_RUN // (last // SPAN - first // SPAN + 1))
    for start in range(0, len(series), a_run):
        some = series[start : start + a_run]
        yield some, await ledger.scripts.run("sums", HOURS_KEY, first, last, int(together), *some)


async def minutes(ledger: Ledger, series: Sequence[str], *, since_ms: int, until_ms: int) -> dict[str, dict[int, int]]:
    """Return the counts of series by the minute, of the last 48 hours at most."""
    return await _read(ledger, series, _MINUTES, since_ms=since_ms, until_ms=until_ms)


async def _read(
    ledger: Ledger, series: Sequence[str], where: tuple[str, int], *, since_ms: int, until_ms: int
) -> dict[str, dict[int, int]]:
    prefix, unit = where
    first, last = since_ms // unit, until_ms // unit
    asked = [(name, span) for name in series for span in range(first // SPAN, last // SPAN + 1)]
    counts: dict[str, dict[int, int]] = {}
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        async with ledger.redis.pipeline(transaction=False) as pipe:
            for name, span in some:
                pipe.hgetall(f"{prefix}{name}:{span}")
            found: list[dict[str, Any]] = await pipe.execute()
        for (name, span), fields in zip(some, found, strict=True):
            for text, count in fields.items():
                at = span * SPAN + int(text)
                if first <= at <= last:
                    counts.setdefault(name, {})[at * unit] = int(count)
    return counts
