"""How long a call takes to the vendors: at ease, and while one of them hangs."""

from typing import Any

from tests.bench.driver import percentile
from tests.bench.figures import Figure, Limit, alternate, column, middle
from tests.bench.scale import Scale
from tests.bench.system import System, drive, running, spent, wait_until

VENDORS = ("captorra", "comunik8", "kapture")
HANGING = "kapture"
HEALTHY = tuple(name for name in VENDORS if name != HANGING)
SETTLED_S = 60.0
ADDED_MS = 10


def latencies(system: System, *, calls: int, rate: float, number: int, vendors: tuple[str, ...]) -> dict[str, Any]:
    """Push starts and ends in turn; return the times from acknowledged end to receipt at each of ``vendors``."""
    first = number * 1_000_000
    before = system.cpu()
    run = drive(system.stack.port, kind="pairs", count=calls * 2, first=first, rate=rate * 2, answered=True)

    def receipts() -> dict[str, dict[int, float]]:
        return {name: dict(times) for name, times in system.vendor.report()["seen"].items() if name in vendors}

    wait_until(lambda: all(len(times) >= calls for times in receipts().values()), SETTLED_S, "the deliveries")
    ready = {first + place // 2: at for place, at in run["answered"] if place % 2}
    took_ms = [(at - ready[call]) * 1000 for times in receipts().values() for call, at in times.items()]
    return {
        "p50_ms": percentile(took_ms, 0.5), "p95_ms": percentile(took_ms, 0.95), "p99_ms": percentile(took_ms, 0.99),
        "count": calls, "cpu": spent(before, system.cpu()),
    }  # fmt: skip


def idle(scale: Scale) -> list[Figure]:
    """Measure 20 calls a second."""
    runs = []
    with running() as system:
        system.start_receiver()
        system.start_workers(1)
        for number in range(scale.pairs + 1):
            system.vendor.reset(trace=True)
            calls = scale.of(300) if number else 20
            runs.append(latencies(system, calls=calls, rate=20, number=number, vendors=VENDORS))
    runs = runs[1:]  # the first opened the connections
    limits = [
        Limit(name="p50 ms", value=middle(runs, "p50_ms"), must=20, aim=8, at_most=True),
        Limit(name="p99 ms", value=middle(runs, "p99_ms"), must=80, aim=25, at_most=True),
    ]
    return [Figure(row="idle latency", unit="ms p50", subject=column(runs, "p50_ms"), limits=limits)]


def isolation(scale: Scale) -> list[Figure]:
    """Measure the two healthy vendors at 50 calls a second while the third never answers, each time from the start."""
    calls = scale.of(1_000)

    def measure(delays: dict[str, float]) -> dict[str, Any]:
        with running() as system:
            system.start_receiver()
            system.start_workers(1)
            system.vendor.reset(trace=True)
            latencies(system, calls=50, rate=50, number=0, vendors=VENDORS)
            system.vendor.reset(trace=True, delay_s=delays)
            found = latencies(system, calls=calls, rate=50, number=1, vendors=HEALTHY)
            system.stack.kill("worker0")  # what hangs would hold up its end for 22 s
            return found

    runs, floors = alternate(scale.pairs, lambda _: measure({HANGING: -1}), lambda _: measure({}))
    hanging, healthy = middle(runs, "p95_ms"), middle(floors, "p95_ms")
    must = max(1.3, 1 + ADDED_MS / healthy)
    limits = [Limit(name="times", value=hanging / healthy, must=must, aim=1.1, at_most=True)]
    return [
        Figure(
            row="isolation", unit="ms p95", subject=column(runs, "p95_ms"), floor=column(floors, "p95_ms"),
            limits=limits, note=f"1.3 times or {ADDED_MS} ms more",
        )
    ]  # fmt: skip
