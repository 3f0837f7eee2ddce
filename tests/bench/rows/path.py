"""From webhook to the third vendor: everything on this machine at full speed, beside what a textbook would write."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.acceptance.stack import ROOT
from tests.bench.figures import Figure, Limit, alternate, column, cpu_a_unit, middle, ratio_limit
from tests.bench.rows.drain import is_drained
from tests.bench.scale import Scale
from tests.bench.system import System, drive, running, spent, wait_until
from tests.bench.usage import cpu_of, family

WORKERS = 2
FLOOR_SHARE = 5  # the floor takes as much longer
LIMIT_S = 600.0


def _measured(run: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    deliveries = report["count"]
    return {"count": run["count"], "per_s": deliveries / (report["last_s"] - run["began_s"]), "p99_ms": run["p99_ms"]}


def at_full_speed(system: System, *, calls: int, number: int) -> dict[str, Any]:
    """Push complete calls as fast as they are answered, and wait for the third delivery of each."""
    system.vendor.reset()
    before = system.cpu()
    run = drive(system.stack.port, kind="complete", count=calls, first=number * calls)
    wait_until(lambda: system.vendor.report()["count"] >= calls * 3, LIMIT_S, "the third deliveries")
    # Ends are written after the vendor's answer, and belong to the cost of a call.
    wait_until(lambda: is_drained(system), LIMIT_S, "the ends of the last attempts")
    cpu = spent(before, system.cpu())
    ours_ms = sum(cpu[role] for role in ("receiver", "workers", "redis")) / run["count"] * 1000
    return _measured(run, system.vendor.report()) | {"cpu": cpu | {"driver": run["cpu_s"]}, "ours_ms": ours_ms}


@contextmanager
def _textbook(system: System) -> Iterator[tuple[int, Callable[[], list[int]]]]:
    """Run the textbook's receiver and worker; returns the port, and the processes of the moment: the worker forks."""
    environ = {**os.environ, "REDIS_URL": f"{system.redis.url.removesuffix('/0')}/1", "VENDOR_URL": system.vendor.url}
    worker = [sys.executable, "-m", "celery", "-A", "tests.bench.textbook.app", "worker", "-c", "4", "-P", "prefork"]
    with (system.stack.folder / "textbook.log").open("wb") as log:
        receiver = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.textbook.receiver"],
            cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        celery = subprocess.Popen(worker, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        assert receiver.stdout
        port = int(receiver.stdout.readline())
        yield port, lambda: [receiver.pid, *family(celery.pid)]
    finally:
        for process in (receiver, celery):
            process.terminate()
            process.wait(30)


def _theirs(system: System, *, calls: int, number: int) -> dict[str, Any]:
    with _textbook(system) as (port, pids):
        drive(port, kind="complete", count=40, first=10_000_000 + number * calls)
        wait_until(lambda: system.vendor.report()["count"] >= 120, LIMIT_S, "the first deliveries")
        system.vendor.reset()
        before = cpu_of(pids())
        run = drive(port, kind="complete", count=calls, first=number * calls)
        wait_until(lambda: system.vendor.report()["count"] >= calls * 3, LIMIT_S, "the textbook's deliveries")
        return _measured(run, system.vendor.report()) | {"cpu": {"textbook": cpu_of(pids()) - before}}


def path(scale: Scale) -> list[Figure]:
    """Measure complete calls at full speed, 64 connections, three deliveries a call."""
    calls = scale.of(5_000)
    with running() as system:
        system.start_receiver()
        system.start_workers(WORKERS)
        at_full_speed(system, calls=400, number=1_000)

        def theirs(number: int) -> dict[str, Any]:
            system.vendor.reset()
            return _theirs(system, calls=max(40, calls // FLOOR_SHARE), number=number)

        runs, floors = alternate(scale.pairs, lambda number: at_full_speed(system, calls=calls, number=number), theirs)
    rate, floor = column(runs, "per_s"), column(floors, "per_s")
    limits = [
        ratio_limit(rate, floor, must=5, aim=8, name="times"),
        Limit(name="deliveries/s", value=middle(runs, "per_s"), must=3_000, aim=5_400),
        Limit(name="CPU ms a call", value=middle(runs, "ours_ms"), must=1.6, aim=1.0, at_most=True),
    ]
    cpu = cpu_a_unit(runs) | cpu_a_unit(floors)
    return [Figure(row="path", unit="deliveries/s", subject=rate, floor=floor, limits=limits, cpu=cpu)]
