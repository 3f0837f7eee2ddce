"""How fast a full queue is delivered: by one worker and by two, and to a vendor that takes its time."""

import threading
import time
from typing import Any

from tests.bench.figures import Figure, Limit, alternate, column, cpu_a_unit, middle, ratio_limit
from tests.bench.floors.process import result_of
from tests.bench.scale import Scale
from tests.bench.seed import pause_all, resume_all, seed
from tests.bench.system import DESTINATIONS, System, running, spent, wait_until
from tests.bench.usage import rss_mb

FLOOR = "tests.bench.floors.delivery"
SLOW_S = 2.0
SLOTS = 2_000
LIMIT_S = 600.0


def is_drained(system: System, destinations: tuple[str, ...] = DESTINATIONS) -> bool:
    """Say whether nothing is due and nothing is under way."""
    with system.client.pipeline(transaction=False) as pipe:
        for name in destinations:
            pipe.zcard(f"sb:due:{name}")
        pipe.zcard("sb:leases")
        return not any(pipe.execute())


def start_paused(system: System, *, workers: int) -> None:
    """Start workers that find all destinations paused, and let them come to rest; the vendor counts from here."""
    pause_all(system.redis.url)
    system.start_workers(workers)
    time.sleep(1.0)  # what a worker does once at its start, after it has said that it is ready
    system.vendor.reset()


def drained(system: System, *, calls: int, workers: int) -> dict[str, Any]:
    """Fill the ledger, let workers empty it, and return what that took; the workers are ready before it begins."""
    system.flush()
    seed(system.redis.url, calls=calls)
    start_paused(system, workers=workers)
    before = system.cpu()
    resume_all(system.redis.url)
    wait_until(lambda: is_drained(system), LIMIT_S, "the deliveries")
    report, cpu = system.vendor.report(), spent(before, system.cpu())
    system.stop_processes()
    if report["count"] != calls * 3:
        raise AssertionError(f"{report['count']} requests for {calls * 3} deliveries")
    return {"count": report["count"], "per_s": report["count"] / (report["last_s"] - report["first_s"]), "cpu": cpu}


def _floor(system: System, *, calls: int) -> dict[str, Any]:
    run = result_of(FLOOR, system.vendor.port, calls * 3)
    return run | {"cpu": {"floor": run["cpu_s"]}}


def _drain(scale: Scale, *, workers: int, must: float, aim: float) -> list[Figure]:
    calls = scale.of(20_000)
    with running() as system:
        runs, floors = alternate(
            scale.pairs,
            lambda _: drained(system, calls=calls, workers=workers),
            lambda _: _floor(system, calls=calls),
        )
    rate, floor = column(runs, "per_s"), column(floors, "per_s")
    return [
        Figure(
            row=f"drain, {'one process' if workers == 1 else 'two processes'}",
            unit="deliveries/s",
            subject=rate,
            floor=floor,
            limits=[ratio_limit(rate, floor, must=must, aim=aim)],
            cpu=cpu_a_unit(runs) | cpu_a_unit(floors),
        )
    ]


def drain_one(scale: Scale) -> list[Figure]:
    """Measure one worker process."""
    return _drain(scale, workers=1, must=0.50, aim=0.60)


def drain_two(scale: Scale) -> list[Figure]:
    """Measure two worker processes."""
    return _drain(scale, workers=2, must=0.70, aim=0.85)


def slow_vendor(scale: Scale) -> list[Figure]:
    """Measure a vendor that answers after 2 s, with 2,000 attempts side by side in one process."""
    count = max(3 * SLOTS, scale.of(20_000))
    runs = []
    for _ in range(scale.pairs):
        with running(common=f"concurrency = {SLOTS}") as system:
            seed(system.redis.url, calls=count, destinations=("law",))
            pause_all(system.redis.url)
            system.start_workers(1)
            system.vendor.reset(delay_s={"captorra": SLOW_S})
            before = system.cpu()
            memory = _Peak(system.pids()["workers"][0])
            resume_all(system.redis.url)
            wait_until(lambda: is_drained(system, ("law",)), LIMIT_S, "the deliveries")
            ended, report = time.monotonic(), system.vendor.report()
            cpu = spent(before, system.cpu())
            runs.append(
                {"count": count, "per_s": count / (ended - report["first_s"]), "rss_mb": memory.stop(), "cpu": cpu}
            )
    rate, ideal = column(runs, "per_s"), SLOTS / SLOW_S
    limits = [
        ratio_limit(rate, [ideal] * len(rate), must=0.85, aim=0.95, name="of 1,000/s"),
        Limit(name="RSS MB", value=middle(runs, "rss_mb"), must=220, aim=220, at_most=True),
    ]
    return [Figure(row="slow vendor", unit="deliveries/s", subject=rate, limits=limits, cpu=cpu_a_unit(runs))]


class _Peak:
    """Watches the memory of a process from a thread of its own."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            self._peak = max(self._peak, rss_mb(self._pid))

    def stop(self) -> float:
        """Return the most it had, in MB."""
        self._ended.set()
        self._thread.join()
        return self._peak
