"""What a call costs in Redis' memory, and whether anything slows down as the ledger grows."""

import asyncio
import time
from pathlib import Path
from statistics import median
from typing import Any

from redis.asyncio import Redis

from tests.bench import bodies
from tests.bench.figures import Figure, Limit, column, ratio_limit
from tests.bench.rows.drain import is_drained
from tests.bench.scale import Scale
from tests.bench.seed import pause_all, resume_all, seed
from tests.bench.system import DESTINATIONS, System, running, wait_until
from tests.bench.usage import rss_mb
from worker.ledger.claims import Finish, Verdict
from worker.ledger.ledger import Ledger
from worker.ledger.records import Incoming

GROUP = 64
GROUPS = 8
ROUNDS = 100
SMALL = 1_000
BACKLOG = 10_000
WARM = 5_000  # deliveries; by then a worker's caches are full
WINDOW_S = 15.0
NEEDS_KB = 10_000_000  # for the large ledger, its copy while Redis rewrites its file, and the rest


def ledger_bytes(scale: Scale) -> list[Figure]:
    """Measure a call whose three deliveries wait, and one whose deliveries are done."""
    calls = scale.of(20_000)
    with running() as system:
        empty = _used(system)
        seed(system.redis.url, calls=calls)
        queued = (_used(system) - empty) / calls
        system.start_workers(1)
        wait_until(lambda: is_drained(system), 600, "the deliveries")
        system.stop_processes()
        finished = (_used(system) - empty) / calls
    return [
        Figure(
            row="ledger bytes, queued", unit="bytes a call", subject=[queued],
            limits=[Limit(name="bytes", value=queued, must=3_000, aim=2_000, at_most=True)],
        ),
        Figure(
            row="ledger bytes, finished", unit="bytes a call", subject=[finished],
            limits=[Limit(name="bytes", value=finished, must=3_500, aim=2_200, at_most=True)],
        ),
    ]  # fmt: skip


def _used(system: System) -> int:
    time.sleep(1.5)  # buffers of the append-only file and of clients that have gone
    return int(system.client.info("memory")["used_memory"])


def growth_and_backlog(scale: Scale) -> list[Figure]:
    """Measure the same operations, and the same worker, on a large ledger and on a small one."""
    calls = scale.calls if _memory_kb() >= NEEDS_KB else min(scale.calls, 200_000)
    with running() as large, running() as small:
        seed(large.redis.url, calls=calls, destinations=("law",))
        seed(small.redis.url, calls=SMALL, destinations=("law",))
        # Redis writes its file anew after so much: its copy on write is the price of the seeding, not of the size.
        wait_until(lambda: not large.client.info("persistence")["aof_rewrite_in_progress"], 300, "Redis' file")
        rounds = asyncio.run(_rounds(large.redis.url, small.redis.url, count=scale.of(ROUNDS)))
        figures = [_growth(rounds, name, calls=calls) for name in ("ack", "claim", "tick")]
        seed(small.redis.url, calls=BACKLOG - SMALL, first=50_000_000, destinations=("law",))
        runs, floors = [], []
        for number in range(scale.pairs):
            if number:
                seed(small.redis.url, calls=BACKLOG, first=60_000_000 + number * BACKLOG, destinations=("law",))
            runs.append(_window(large))
            floors.append(_window(small))
    rate, floor = column(runs, "per_s"), column(floors, "per_s")
    limits = [
        ratio_limit(rate, floor, must=0.9, aim=0.97),
        Limit(name="RSS", value=median(run["grown"] for run in runs), must=1.15, aim=1.05, at_most=True),
    ]
    note = f"{calls:,} due"
    figures.append(Figure(row="backlog", unit="deliveries/s", subject=rate, floor=floor, limits=limits, note=note))
    return figures


def _growth(rounds: dict[str, list[tuple[float, float]]], name: str, *, calls: int) -> Figure:
    large = [1 / one for one, _ in rounds[name]]
    small = [1 / other for _, other in rounds[name]]
    return Figure(
        row=f"growth, {name}", unit="operations/s", subject=large, floor=small,
        limits=[ratio_limit(large, small, must=0.9, aim=0.97)], note=f"{calls:,} calls",
    )  # fmt: skip


async def _rounds(large: str, small: str, *, count: int) -> dict[str, list[tuple[float, float]]]:
    """Time each operation on both ledgers in turn, in seconds."""
    times: dict[str, list[tuple[float, float]]] = {"ack": [], "claim": [], "tick": []}
    async with (
        Redis.from_url(large, decode_responses=True) as one,
        Redis.from_url(small, decode_responses=True) as other,
    ):
        ledgers = Ledger(one), Ledger(other)
        for number in range(count + 2):
            order = (0, 1) if number % 2 else (1, 0)
            for name, work in (("ack", _ack), ("claim", _claim), ("tick", _tick)):
                took = {place: await work(ledgers[place], number) for place in order}
                if number >= 2:  # the first load the scripts
                    times[name].append((took[0], took[1]))
    return times


async def _ack(ledger: Ledger, number: int) -> float:
    first = 40_000_000 + number * GROUP * GROUPS
    record = bodies.records_of(1)[0]
    items = [Incoming(bodies.id_of(first + place).decode(), 1, record) for place in range(GROUP * GROUPS)]
    began = time.perf_counter()
    for place in range(0, len(items), GROUP):
        await ledger.accept(items[place : place + GROUP])
    return time.perf_counter() - began


async def _claim(ledger: Ledger, _number: int) -> float:
    began = time.perf_counter()
    claim = await ledger.claim("law", want=GROUP, lease_ms=60_000)
    took_s = time.perf_counter() - began
    await ledger.finish(
        [Finish(key=item.key, fence=item.fence, verdict=Verdict.UNCLAIM, effect="skip") for item in claim.items]
    )
    return took_s


async def _tick(ledger: Ledger, _number: int) -> float:
    began = time.perf_counter()
    for _ in range(20):
        await ledger.tick(DESTINATIONS)
    return time.perf_counter() - began


def _window(system: System) -> dict[str, Any]:
    """Let one worker deliver for a while, or until nothing is left."""
    pause_all(system.redis.url)
    system.start_workers(1)
    time.sleep(1.0)
    system.vendor.reset()
    pid = system.pids()["workers"][0]
    resume_all(system.redis.url)
    wait_until(lambda: system.vendor.report()["count"] > WARM, 60, "the first deliveries")
    warm, began = rss_mb(pid), time.monotonic()
    while time.monotonic() - began < WINDOW_S and not is_drained(system, ("law",)):
        time.sleep(0.05)
    report, grown = system.vendor.report(), rss_mb(pid) / warm
    system.stop_processes()
    return {"per_s": report["count"] / (report["last_s"] - report["first_s"]), "grown": grown}


def _memory_kb() -> int:
    """Give the memory that is to be had."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0])
