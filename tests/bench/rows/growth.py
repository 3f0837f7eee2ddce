"""Whether anything slows down as the ledger grows: webhooks, claims and ticks, and a worker before a large backlog."""

import asyncio
import time
from pathlib import Path
from statistics import median
from typing import Any

from redis.asyncio import Redis

from tests.bench.figures import Figure, Limit, column, ratio_limit
from tests.bench.rows.drain import is_drained, start_paused
from tests.bench.scale import Scale
from tests.bench.seed import fill, resume_all, seed, settle
from tests.bench.system import DESTINATIONS, System, drive, running, wait_until
from tests.bench.usage import rss_mb
from worker.ledger.ledger import Ledger
from worker.ledger.records import Finish, Verdict

BACKED_UP, FRESH = "law", "dialler"  # all that is seeded waits for the one; what comes meanwhile goes to the other
WEBHOOKS = 1_000  # acknowledged in a round
GROUP, GROUPS = 64, 8  # deliveries a claim, claims a round
TICKS = 200
ROUNDS = 40
SMALL = 1_000
BACKLOG = 10_000
WARM = 5_000  # deliveries; by then a worker's caches are full
WINDOW_S = 15.0
NEEDS_KB = 10_000_000  # for the large ledger, its file in the page cache, and the rest
Times = dict[str, list[tuple[float, float]]]


def growth_and_backlog(scale: Scale) -> list[Figure]:
    """Measure the same operations, and the same worker, on a large ledger and on a small one."""
    calls = scale.calls if _memory_kb() >= NEEDS_KB else min(scale.calls, 200_000)
    with running() as large, running() as small:
        for system, count in ((large, calls), (small, SMALL)):
            # A file that is written anew makes every page a copy at its next write: a price of that, not of the size.
            system.client.config_set("auto-aof-rewrite-percentage", 0)
            seed(system.redis.url, calls=count, destinations=(BACKED_UP,))
            settle(system.redis.url)
            system.start_receiver()
        times = asyncio.run(_rounds((large, small), count=scale.of(ROUNDS)))
        figures = [_growth(times, name, calls=calls, must=0.9, aim=0.97) for name in ("ack", "claim", "tick")]
        figures.append(_growth(times, "claim of cold calls", calls=calls, must=None, aim=None))
        for system in (large, small):
            system.stop_processes()
            _forget_waiting(system)
        return [*figures, _backlog(large, small, scale=scale, calls=calls)]


def _forget_waiting(system: System) -> None:
    """Take away what the rounds brought: the backlog's worker would plan it, or rescue it, and give way to it."""
    client = system.client
    waiting: list[Any] = list(client.zrange("sb:waits", 0, -1))
    for begin in range(0, len(waiting), GROUP):
        ids = waiting[begin : begin + GROUP]
        client.delete(*(f"sb:c:{call_id}" for call_id in ids))
        client.zrem("sb:calls", *ids)
    client.delete("sb:waits", "calls")


def _growth(times: Times, name: str, *, calls: int, must: float | None, aim: float | None) -> Figure:
    large = [1 / one for one, _ in times[name]]
    small = [1 / other for _, other in times[name]]
    return Figure(
        row=f"growth, {name}", unit="a second", subject=large, floor=small,
        limits=[ratio_limit(large, small, must=must, aim=aim)], note=f"{calls:,} calls",
    )  # fmt: skip


async def _rounds(systems: tuple[System, System], *, count: int) -> Times:
    """Time each operation on both ledgers in turn, in seconds."""
    works = {"ack": _ack, "claim": _claim_fresh, "claim of cold calls": _claim_cold, "tick": _tick}
    times: Times = {name: [] for name in works}
    async with (
        Redis.from_url(systems[0].redis.url, decode_responses=True) as one,
        Redis.from_url(systems[1].redis.url, decode_responses=True) as other,
    ):
        places = (systems[0], Ledger(one)), (systems[1], Ledger(other))
        for number in range(count + 1):
            for name, work in works.items():
                took = {place: await work(*places[place], number) for place in ((0, 1) if number % 2 else (1, 0))}
                if number:  # the first load the scripts
                    times[name].append((took[0], took[1]))
    return times


async def _ack(system: System, _ledger: Ledger, number: int) -> float:
    """Acknowledge starts and ends of new calls; seconds a webhook."""
    first = 40_000_000 + number * WEBHOOKS
    run = await asyncio.to_thread(drive, system.stack.port, kind="pairs", count=WEBHOOKS, first=first)
    if run["refused"] or run["lost"]:
        raise AssertionError(f"{run['refused']} webhooks refused, {run['lost']} lost")
    return float(1 / run["per_s"])


async def _claim_fresh(_system: System, ledger: Ledger, number: int) -> float:
    """Claim what has just become due, as nearly every claim does; seconds a claim."""
    first = 45_000_000 + number * GROUP * GROUPS
    await fill(ledger, range(first, first + GROUP * GROUPS), (FRESH,))
    return await _claim(ledger, FRESH, Verdict.DELIVERED)


async def _claim_cold(_system: System, ledger: Ledger, _number: int) -> float:
    """Claim what has waited longest: in the large ledger nobody has touched it for a minute; seconds a claim."""
    return await _claim(ledger, BACKED_UP, Verdict.UNCLAIM)


async def _claim(ledger: Ledger, destination: str, verdict: Verdict) -> float:
    began = time.perf_counter()
    claims = [await ledger.claim(destination, want=GROUP, lease_ms=60_000) for _ in range(GROUPS)]
    took_s = time.perf_counter() - began
    for claim in claims:
        assert len(claim.items) == GROUP
        await ledger.finish([Finish(key=item.key, fence=item.fence, verdict=verdict) for item in claim.items])
    return took_s / GROUPS


async def _tick(_system: System, ledger: Ledger, _number: int) -> float:
    """Look for what is due, as each worker's clock does twice a second; seconds a tick."""
    began = time.perf_counter()
    for _ in range(TICKS):
        await ledger.tick(DESTINATIONS)
    return (time.perf_counter() - began) / TICKS


def _backlog(large: System, small: System, *, scale: Scale, calls: int) -> Figure:
    """Measure one worker before all that is due in the large ledger, and before 10,000."""
    seed(small.redis.url, calls=BACKLOG - SMALL, first=50_000_000, destinations=(BACKED_UP,))
    runs, floors = [], []
    for number in range(scale.pairs):
        if number:
            seed(small.redis.url, calls=BACKLOG, first=60_000_000 + number * BACKLOG, destinations=(BACKED_UP,))
        runs.append(_window(large))
        floors.append(_window(small))
    rate, floor = column(runs, "per_s"), column(floors, "per_s")
    limits = [
        ratio_limit(rate, floor, must=0.9, aim=0.97),
        Limit(name="RSS", value=median(run["grown"] for run in runs), must=1.15, aim=1.05, at_most=True),
    ]
    note = f"{calls:,} due"
    return Figure(row="backlog", unit="deliveries/s", subject=rate, floor=floor, limits=limits, note=note)


def _window(system: System) -> dict[str, Any]:
    """Let one worker deliver for a while, or until nothing is left."""
    start_paused(system, workers=1)
    pid = system.pids()["workers"][0]
    resume_all(system.redis.url)
    wait_until(lambda: system.vendor.report()["count"] > WARM, 60, "the first deliveries")
    warm, began = rss_mb(pid), time.monotonic()
    while time.monotonic() - began < WINDOW_S and not is_drained(system, (BACKED_UP,)):
        time.sleep(0.05)
    report, grown = system.vendor.report(), rss_mb(pid) / warm
    system.stop_processes()
    return {"per_s": report["count"] / (report["last_s"] - report["first_s"]), "grown": grown}


def _memory_kb() -> int:
    """Return the memory that is to be had."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0])
