"""Two trees in turn on one machine: ``python -m tests.bench.beside CHECKOUT`` prints what this one takes of the other.

Each measure is made of both trees, one after the other, with this tree's harness; a ratio is that of the medians.
"""

import argparse
import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.acceptance.stack import ROOT
from tests.bench.rows.calm import at_rate
from tests.bench.rows.drain import drained
from tests.bench.rows.latency import VENDORS, latencies
from tests.bench.rows.path import at_full_speed
from tests.bench.system import System, running

Measure = Callable[[System, int], dict[str, Any]]


def _latency(system: System, number: int) -> dict[str, Any]:
    system.vendor.reset(trace=True)
    return latencies(system, calls=300, rate=20, number=number, vendors=VENDORS)


RUNNING: Mapping[int, Mapping[str, tuple[Measure, tuple[str, ...]]]] = {
    2: {"path": (lambda system, number: at_full_speed(system, calls=3_000, number=number), ("per_s", "ours_ms"))},
    1: {
        "20 calls a second": (_latency, ("p50_ms", "p99_ms")),
        "50 calls a second": (
            lambda system, number: at_rate(system, rate=50, calls=1_000, number=100 + number),
            ("ours_ms",),
        ),
    },
}
"""By the workers that run meanwhile: measures, and which of their values to show."""


def compare(trees: tuple[Path, Path], *, pairs: int) -> None:
    """Print each measure."""
    for workers, measures in RUNNING.items():
        with ExitStack() as stack:
            systems = [stack.enter_context(running(code=checkout)) for checkout in trees]
            for system in systems:
                system.start_receiver()
                system.start_workers(workers)
                at_full_speed(system, calls=400, number=9_000)
            for name, (measure, shown) in measures.items():
                runs = [[measure(system, number) for system in systems] for number in range(1, pairs + 1)]
                _print(name, runs, shown)
    for workers in (1, 2):
        with ExitStack() as stack:
            systems = [stack.enter_context(running(code=checkout)) for checkout in trees]
            runs = [[drained(system, calls=4_000, workers=workers) for system in systems] for _ in range(pairs)]
            _print(f"drain, workers: {workers}", runs, ("per_s",))


def _print(name: str, runs: list[list[dict[str, Any]]], shown: tuple[str, ...]) -> None:
    for value in shown:
        here, there = (statistics.median(pair[place][value] for pair in runs) for place in range(2))
        print(f"{name}, {value}: {here:,.2f} here, {there:,.2f} there, {here / there:.2f} times", flush=True)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.beside", description=__doc__)
    parser.add_argument("checkout", type=Path, help="another tree, after its `make setup`")
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    compare((ROOT, options.checkout), pairs=options.pairs)


if __name__ == "__main__":
    main()
