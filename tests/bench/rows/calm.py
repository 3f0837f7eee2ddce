"""What a call costs where few come: all CPU of receiver, worker and Redis, idle work included, by the calls."""

import sys
from collections.abc import Callable
from typing import Any

from tests.bench.figures import Figure, Limit, column, cpu_a_unit, middle
from tests.bench.rows.drain import is_drained
from tests.bench.scale import Scale
from tests.bench.system import READY_S, System, drive, running, spent, wait_until

ROLES = ("receiver", "workers", "redis")
SETTLED_S = 60.0
AIM_MS = {1: 9.0, 20: 6.0}
MUST_OF_FLOOR = 2.0
SECONDS = {1: 30, 20: 10}
FLOOR = "tests.bench.floors.calm"


def at_rate(system: System, *, rate: int, calls: int, number: int) -> dict[str, Any]:
    """Push starts and ends in turn at ``rate`` calls a second, and wait for the third delivery of each."""
    system.vendor.reset()
    before = system.cpu()
    drive(system.stack.port, kind="plain", count=calls * 2, first=number * 10_000, rate=rate * 2, connections=2)
    wait_until(lambda: system.vendor.report()["count"] >= calls * 3, SETTLED_S, "the third deliveries")
    wait_until(lambda: is_drained(system), SETTLED_S, "the ends of the last attempts")
    cpu = spent(before, system.cpu())
    return {"count": calls, "cpu": cpu, "ours_ms": sum(cpu[role] for role in ROLES) / calls * 1000}


def _ours(system: System) -> None:
    system.start_receiver()
    system.start_workers(1)


def _floor(system: System) -> None:
    stack = system.stack
    stack.environ["VENDOR_URL"] = system.vendor.url
    stack.spawn("receiver", [sys.executable, "-m", FLOOR])
    stack.start_worker("worker0", "-P", "threads", "-c", "4", app=FLOOR)
    stack.wait_for(stack.receiver_answers, READY_S, "the floor's receiver")
    stack.wait_for(
        lambda: any(one["cmd"] == "brpop" for one in system.client.client_list()), READY_S, "the floor's worker"
    )


def _runs(start: Callable[[System], None], scale: Scale) -> dict[int, list[dict[str, Any]]]:
    with running() as system:
        start(system)
        at_rate(system, rate=20, calls=40, number=999)  # opens the connections
        return {
            rate: [
                at_rate(system, rate=rate, calls=scale.of(SECONDS[rate] * rate), number=rate * 100 + pair)
                for pair in range(scale.pairs)
            ]
            for rate in AIM_MS
        }


def calm(scale: Scale) -> list[Figure]:
    """Measure one call a second and twenty, one worker, three deliveries a call, beside the libraries alone."""
    ours, floors = _runs(_ours, scale), _runs(_floor, scale)
    figures = []
    for rate, aim in AIM_MS.items():
        runs, floor = ours[rate], floors[rate]
        cost = middle(runs, "ours_ms")
        limits = [
            Limit(name="CPU ms a call", value=cost, must=None, aim=aim, at_most=True),
            Limit(
                name="of the floor", value=cost / middle(floor, "ours_ms"), must=MUST_OF_FLOOR, aim=None, at_most=True
            ),
        ]
        figures.append(
            Figure(
                row=f"calm, {rate} a second", unit="ms of CPU a call", subject=column(runs, "ours_ms"),
                floor=column(floor, "ours_ms"), limits=limits, cpu=cpu_a_unit(runs),
            )
        )  # fmt: skip
    return figures
