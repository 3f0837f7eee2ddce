"""What a row gives: samples of subject and floor, what they are held to, and the table of all rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

HEAD = "| row | subject | floor | measured | must | aim | reached | CPU |"
_COLUMNS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One thing that a row is held to; ``value`` is the median of what was measured."""

    name: str
    value: float
    must: float | None
    aim: float | None
    at_most: bool = False
    """Small is good: times and bytes."""

    @property
    def reached(self) -> str:
        """Say ``aim``, ``must`` or ``no``; nothing of what is only shown."""
        if self.must is None and self.aim is None:
            return ""
        if self._holds(self.aim):
            return "aim"
        return "must" if self._holds(self.must) else "**no**"

    def _holds(self, limit: float | None) -> bool:
        return limit is not None and (self.value <= limit if self.at_most else self.value >= limit)

    def shown(self, limit: float | None) -> str:
        """Write a limit with its direction."""
        return "" if limit is None else f"{'<=' if self.at_most else '>='} {short(limit)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table."""

    row: str
    unit: str
    subject: Sequence[float]
    floor: Sequence[float] = ()
    limits: Sequence[Limit] = ()
    cpu: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds of CPU (user and system) a unit, by role; medians."""
    note: str = ""

    def line(self) -> str:
        """Write the row's line."""
        cells = [
            self.row + (f" ({self.note})" if self.note else ""),
            spread(self.subject, self.unit),
            spread(self.floor, self.unit) if self.floor else "-",
            "; ".join(f"{limit.name} {short(limit.value)}" for limit in self.limits),
            "; ".join(limit.shown(limit.must) for limit in self.limits),
            "; ".join(limit.shown(limit.aim) for limit in self.limits),
            "; ".join(limit.reached for limit in self.limits),
            ", ".join(f"{role} {value:.3f} ms" for role, value in self.cpu.items()),
        ]
        return f"| {' | '.join(cells)} |"


def ratio_limit(
    subject: Sequence[float], floor: Sequence[float], *, must: float | None, aim: float | None, name: str = "ratio"
) -> Limit:
    """Hold the median of the pairs' ratios to a share of the floor."""
    return Limit(
        name=name, value=median(one / other for one, other in zip(subject, floor, strict=True)), must=must, aim=aim
    )


def alternate(
    pairs: int, subject: Callable[[int], dict[str, Any]], floor: Callable[[int], dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Run subject and floor in turn; each is given the number of its run."""
    subjects, floors = [], []
    for number in range(pairs):
        subjects.append(subject(number))
        floors.append(floor(number))
    return subjects, floors


def column(runs: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    """Return one figure of every run."""
    return [float(run[key]) for run in runs]


def middle(runs: Sequence[Mapping[str, Any]], key: str) -> float:
    """Return the median of one figure."""
    return median(column(runs, key))


def cpu_a_unit(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the median milliseconds of CPU a unit (``count``) by role; each run has ``cpu`` in seconds by role."""
    roles = dict.fromkeys(role for run in runs for role in run["cpu"])
    return {role: median(run["cpu"].get(role, 0.0) / run["count"] * 1000 for run in runs) for role in roles}


def spread(values: Sequence[float], unit: str) -> str:
    """Write the median, and the smallest and largest in brackets."""
    return f"{short(median(values))} [{short(min(values))}-{short(max(values))}] {unit}"


def short(value: float) -> str:
    """Write a number with as many digits as tell something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """Write the Markdown table."""
    return "\n".join([HEAD, "|" + " --- |" * _COLUMNS, *(figure.line() for figure in figures)])


def as_json(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Return the figures as JSON values."""
    found = []
    for figure in figures:
        values = asdict(figure)
        values["limits"] = [asdict(limit) | {"reached": limit.reached.strip("*")} for limit in figure.limits]
        found.append(values)
    return found
