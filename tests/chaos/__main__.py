"""``make chaos``: plays one fault a row under load and prints what was lost, doubled or let out; then the status is 1.

Also when ``ledger check`` finds something wrong at the end of a row (``faults``), and when it took too long:
``recovery s`` counts from the end of the fault until everything is there that was owed by then, while the load goes on.

``--short`` is the form that runs in CI: every row, fewer calls, shorter faults and waits.
"""

import argparse
import asyncio
import math
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from random import Random

from deploy.local.redis_server import find_binary
from tests.chaos.leak_listener import LeakListener
from tests.chaos.load import Load, Pushed
from tests.chaos.rows import ROWS, Row, Scale
from tests.chaos.system import System, wait_until_landed

FULL = Scale(calls=2000, rate=50, share=1.0)
SHORT = Scale(calls=200, rate=40, share=0.2)
LIMIT_S = 180.0  # after the fault and the load; what has not landed by then counts as lost
UNJUDGED_LIMIT_S = 30.0  # where losses are shown only
COLUMNS = (
    "fault", "webhooks", "acknowledged", "p99 s", "slowest s", "expected", "found", "lost", "doubled", "faults",
    "recovery s",
    "p95 s Comunik8, Kapture",
)  # fmt: skip


def play(system: System, row: Row, scale: Scale, *, place: int, rng: Random) -> tuple[str, bool]:
    """Play one row; return its line of the table and whether it holds."""
    load = Load(
        name=f"row{place}", port=system.stack.port, calls=scale.calls, rate=scale.rate,
        first=place * 1_000_000, rng=rng,
    )  # fmt: skip
    pushed = Pushed()
    system.load = load.name
    pusher = threading.Thread(target=lambda: asyncio.run(load.run(pushed)))
    pusher.start()
    time.sleep(min(3.0, scale.calls / scale.rate / 4))
    row.play(system, scale, rng)
    limit_s = LIMIT_S if row.judged else UNJUDGED_LIMIT_S
    recovery_s = wait_until_landed(system, pushed.so_far(), limit_s=limit_s)
    pusher.join()
    wait_until_landed(system, pushed, limit_s=limit_s)
    expected, found, lost, doubled = system.judge(pushed)
    faults = system.faults()
    holds = not row.judged or (
        lost == 0 and doubled == 0 and not faults and recovery_s <= row.most_s and pushed.wait_s(0.99) <= row.p99_s
    )
    note = "" if row.judged else " (not judged)"
    cells = [
        row.name + note, pushed.sent, pushed.acknowledged, f"{pushed.wait_s(0.99):.3f}", f"{pushed.wait_s(1):.2f}",
        expected, found, lost, doubled, ", ".join(faults) or 0,
        f"{recovery_s:.1f}", f"{max(0.0, system.latency_p95_s(pushed)):.2f}",
    ]  # fmt: skip
    return f"| {' | '.join(str(cell) for cell in cells)} |", holds


def play_alone(row: Row, scale: Scale, *, place: int, rng: Random, folder: Path) -> tuple[str, bool]:
    """Play a row on a system of its own."""
    own = folder / f"row{place}"
    own.mkdir()
    system = row.system(own, quick=scale is SHORT)
    try:
        system.start()
        return play(system, row, scale, place=place, rng=rng)
    finally:
        system.stop()


def play_together(rows: Sequence[tuple[int, Row]], scale: Scale, *, seed: int, folder: Path) -> bool:
    """Play rows on the usual system, one after the other; return whether all hold and nothing was let out."""
    holding = True
    system = System(folder, quick=scale is SHORT)
    try:
        with LeakListener(system.redis.url) as listener:
            system.start()
            for place, row in rows:
                with nullcontext() if row.p99_s == math.inf else listener.deaf():
                    line, holds = play(system, row, scale, place=place, rng=Random(seed + place))
                holding &= holds
                print(line, flush=True)
            listener.read(folder, [system.stack.port, *system.metrics.values()])
        print(f"\n{listener.told()}", flush=True)
        return holding and not listener.leaks
    finally:
        system.stop()


def about() -> str:
    """Say when, on what machine and with which versions it was run."""
    redis = subprocess.run([find_binary(os.environ), "--version"], capture_output=True, text=True, check=True).stdout
    versions = ", ".join(f"{name} {version(name)}" for name in ("celery", "kombu", "redis", "aiohttp"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores {platform.machine()}, "
        f"Python {platform.python_version()}, {versions}, redis-server {redis.split('v=')[-1].split()[0]}"
    )


def main() -> int:
    """Run the rows asked for."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--first", type=int, default=0, help="number of the row to begin with, from 0")
    parser.add_argument(
        "--rows", choices=("together", "alone"), help="of the usual system, or of one of their own each"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    options = parser.parse_args()
    scale = SHORT if options.short else FULL
    folder = Path(tempfile.mkdtemp(prefix="switchboard-chaos-"))
    chosen = [(place, row) for place, row in enumerate(ROWS) if place >= options.first and options.only in row.name]
    if options.rows:
        chosen = [(place, row) for place, row in chosen if (row.system is System) is (options.rows == "together")]
    failed = False
    print(f"{about()}; {scale.calls} calls a row, logs in {folder}\n")
    print(f"| {' | '.join(COLUMNS)} |", "|" + " --- |" * len(COLUMNS), sep="\n", flush=True)
    if shared := [(place, row) for place, row in chosen if row.system is System]:
        failed |= not play_together(shared, scale, seed=options.seed, folder=folder)
    for place, row in chosen:
        if row.system is not System:
            line, holds = play_alone(row, scale, place=place, rng=Random(options.seed + place), folder=folder)
            failed |= not holds
            print(line, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
