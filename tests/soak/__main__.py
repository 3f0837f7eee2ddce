"""``make soak``: a steady load for a long time; memory and the ledger must come to rest, and nothing may be lost.

200 calls a second, start and end apart, three deliveries a call, 1 % of the vendors' answers are 503. Calls are kept
for two minutes, so that after the warm-up as much leaves the ledger as enters it. Writes a plot (SVG); the status is 1
when a process or the ledger still grew, or a record was lost or doubled.
"""

import argparse
import json
import statistics
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.bench.system import System, drive, running, wait_until
from tests.bench.usage import family, rss_mb
from tests.soak.plot import svg_of

WORKERS = ("worker0", "worker1")
COMMON = 'concurrency = 64\nretry = ["1s", "1s", "2s", "2s", "5s", "5s", "10s", "10s"]'
CALLS = '[calls]\nretention = "2m"\ndead_retention = "2m"\nremember = "2m"'
FAIL_RATE = 0.01
SLICE_S = 30  # the driver builds its requests beforehand, so many seconds at a time
SAMPLE_S = 5.0
GROWTH = 1.10  # the last quarter against the second: beyond noise, below a leak that matters within a day
SETS = ("sb:calls", "sb:waits", "sb:leases", "sb:due:law", "sb:due:dialler", "sb:due:crm")

Series = dict[str, list[tuple[float, float]]]


class Watch:
    """Samples every process's memory and what Redis holds, from a thread of its own."""

    def __init__(self, system: System) -> None:
        self.series: Series = defaultdict(list)
        self._system = system
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            at = time.monotonic() - self._began
            for name, process in self._system.stack.processes.items():
                self.series[f"{name}, MB"].append((at, sum(map(rss_mb, family(process.pid)))))
            client = self._system.client
            self.series["Redis, MB in use"].append((at, client.info("memory")["used_memory"] / 1e6))
            self.series["Redis, keys"].append((at, client.dbsize()))
            for name in SETS:
                self.series[name].append((at, client.zcard(name)))


def grown(points: Sequence[tuple[float, float]]) -> float:
    """Return the last quarter's median as a multiple of the second quarter's."""
    values = [value for _, value in points]
    quarter = len(values) // 4
    second, last = (statistics.median(part) for part in (values[quarter : 2 * quarter], values[-quarter:]))
    return last / second if second else 1.0


def load(system: System, *, minutes: float, rate: int) -> tuple[int, Counter[str]]:
    """Push calls; return how many, and how many webhooks were not acknowledged, by status or as lost."""
    calls, refused = 0, Counter[str]()
    until = time.monotonic() + minutes * 60
    while time.monotonic() < until:
        run = drive(
            system.stack.port, kind="pairs", count=2 * rate * SLICE_S, first=calls, rate=2 * rate, connections=64
        )
        calls += rate * SLICE_S
        refused += Counter(run["refused"] | {"connection lost": run["lost"]})
    return calls, refused


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="at least 10: the ledger is full after five")
    parser.add_argument("--rate", type=int, default=200, help="calls a second")
    parser.add_argument("--plot", type=Path, default=Path("var/soak.svg"))
    options = parser.parse_args()
    with running(common=COMMON) as system:
        config = Path(system.stack.environ["SWITCHBOARD_CONFIG"])
        config.write_text(config.read_text().replace("[calls]", CALLS))
        system.start_receiver()
        for name in WORKERS:
            system.stack.start_worker(name, app="tests.soak.app")
        wait_until(lambda: all(" ready" in system.stack.log(name) for name in WORKERS), 60, "the workers")
        system.vendor.reset(trace=True, fail_rate=FAIL_RATE)
        watch = Watch(system)
        calls, refused = load(system, minutes=options.minutes, rate=options.rate)
        watch.stop()
        landed = _landed(system, calls)
        warnings = _warnings(system)
    options.plot.parent.mkdir(parents=True, exist_ok=True)
    options.plot.write_text(svg_of(watch.series, title=f"Soak: {options.rate} calls/s, {options.minutes:g} min"))
    growths = {name: grown(points) for name, points in watch.series.items()}
    for name, points in watch.series.items():
        print(f"{name}: {points[-1][1]:,.0f} at the end, {growths[name]:.2f} of the second quarter")
    print("Warnings in the logs:", ", ".join(f"{event} {count}" for event, count in warnings.most_common()) or "none")
    lost, doubled = 3 * calls - landed[0], landed[1]
    print(f"Webhooks not answered 200: {dict(refused) or 'none'}")
    print(f"{calls:,} calls, {lost} deliveries lost, {doubled} doubled; {options.plot}")
    leaking = [name for name, growth in growths.items() if growth > GROWTH and not name.startswith("sb:")]
    return int(bool(leaking or refused or lost or doubled or growths["sb:calls"] > GROWTH))


def _warnings(system: System) -> Counter[str]:
    """Count what the processes warned of, by event."""
    texts = (text for name in system.stack.processes for text in system.stack.log(name).splitlines())
    lines = (json.loads(text) for text in texts if text.startswith("{"))
    return Counter(line["event"].splitlines()[0][-60:] for line in lines if line["level"] not in {"debug", "info"})


def _landed(system: System, calls: int) -> tuple[int, int]:
    """Wait for the last deliveries; return how many different ones came, and how often one came again."""

    def report() -> tuple[int, int]:
        found = system.vendor.report()
        return sum(map(len, found["seen"].values())), sum(found["doubled"].values())

    deadline = time.monotonic() + 120
    while report()[0] < 3 * calls and time.monotonic() < deadline:
        time.sleep(1)
    return report()


if __name__ == "__main__":
    sys.exit(main())
