"""What a call costs where few come: all CPU of receiver, worker and Redis, idle work included, by the calls."""

from typing import Any

from tests.bench.figures import Figure, Limit, column, cpu_a_unit, middle
from tests.bench.rows.drain import is_drained
from tests.bench.scale import Scale
from tests.bench.system import System, drive, running, spent, wait_until

ROLES = ("receiver", "workers", "redis")
SETTLED_S = 60.0
MUST_MS = {1: 9.0, 20: 6.0}
SECONDS = {1: 30, 20: 10}


def _measured(system: System, *, rate: int, calls: int, number: int) -> dict[str, Any]:
    """Push starts and ends in turn at ``rate`` calls a second, and wait for the third delivery of each."""
    system.vendor.reset()
    before = system.cpu()
    drive(system.stack.port, kind="pairs", count=calls * 2, first=number * 10_000, rate=rate * 2, connections=2)
    wait_until(lambda: system.vendor.report()["count"] >= calls * 3, SETTLED_S, "the third deliveries")
    wait_until(lambda: is_drained(system), SETTLED_S, "the ends of the last attempts")
    cpu = spent(before, system.cpu())
    return {"count": calls, "cpu": cpu, "ours_ms": sum(cpu[role] for role in ROLES) / calls * 1000}


def calm(scale: Scale) -> list[Figure]:
    """Measure one call a second and twenty, one worker, three deliveries a call."""
    figures = []
    with running() as system:
        system.start_receiver()
        system.start_workers(1)
        _measured(system, rate=20, calls=40, number=999)  # opens the connections
        for rate, must in MUST_MS.items():
            runs = [
                _measured(system, rate=rate, calls=scale.of(SECONDS[rate] * rate), number=rate * 100 + pair)
                for pair in range(scale.pairs)
            ]
            limit = Limit(name="CPU ms a call", value=middle(runs, "ours_ms"), must=must, aim=None, at_most=True)
            figures.append(
                Figure(
                    row=f"calm, {rate} a second", unit="ms of CPU a call", subject=column(runs, "ours_ms"),
                    limits=[limit], cpu=cpu_a_unit(runs),
                )
            )  # fmt: skip
    return figures
