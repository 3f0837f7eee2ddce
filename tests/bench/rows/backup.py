"""How fast a ledger is backed up while it is worked on, and what that takes."""

import json
import os
import subprocess
import sys
import threading
from statistics import median
from typing import Any

from tests.acceptance.stack import ROOT
from tests.bench.figures import Figure, Limit
from tests.bench.scale import Scale
from tests.bench.seed import seed, settle
from tests.bench.system import System, drive, running

OTHERS = ("old-law", "old-dialler", "old-crm")
"""The destinations of the calls that are there: nobody serves them, so the workers' load is what comes in meanwhile."""
WEBHOOKS_S = 750
"""A quarter of what one worker delivers here: 375 calls a second, three deliveries each."""
LONGEST_S = 120


def backup(scale: Scale) -> list[Figure]:
    """Measure backups of a large ledger beside a quarter of the load, by the command itself."""
    calls = scale.calls
    with running() as system:
        seed(system.redis.url, calls=calls, destinations=OTHERS)
        settle(system.redis.url)
        system.start_receiver()
        system.start_workers(1)
        load = _Load(system, first=calls)
        runs = [_back_up(system) for _ in range(scale.pairs)]
        webhooks = load.stop()
    rate = [one["calls"] / one["seconds"] for one in runs]
    memory = max(one["rss_mb"] for one in runs)
    return [
        Figure(
            row="backup beside a quarter of the load", unit="calls/s", subject=rate,
            limits=[
                Limit(name="calls/s", value=median(rate), must=20_000, aim=30_000),
                Limit(name="RSS MB", value=memory, must=100, aim=80, at_most=True),
                Limit(name="p99 ms of the webhooks", value=webhooks["p99_ms"], must=50, aim=25, at_most=True),
            ],
            note=f"{calls:,} calls, {WEBHOOKS_S} webhooks/s",
        )
    ]  # fmt: skip


def _back_up(system: System) -> dict[str, Any]:
    """Run the command; return what it says, with the most memory that it had."""
    path = system.stack.folder / "ledger.sb"
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "ledger", "backup", path, "--json"],
        cwd=ROOT, env=system.stack.environ, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    said = process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise AssertionError(f"the backup ended with {process.returncode}")
    found: dict[str, Any] = json.loads(said)
    return found | {"rss_mb": usage.ru_maxrss / 1024}


class _Load:
    """Webhooks at a rate, in a thread, ten seconds' worth at a time until it is told to stop."""

    def __init__(self, system: System, *, first: int) -> None:
        self._system = system
        self._first = first
        self._ended = threading.Event()
        self._p99: list[float] = []
        self._thread = threading.Thread(target=self._push)
        self._thread.start()

    def _push(self) -> None:
        count = WEBHOOKS_S * 10
        for turn in range(LONGEST_S // 10):
            if self._ended.is_set():
                return
            run = drive(
                self._system.stack.port, kind="pairs", count=count, first=self._first + turn * count, rate=WEBHOOKS_S
            )
            if run["refused"] or run["lost"]:
                raise AssertionError(f"{run['refused']} webhooks refused, {run['lost']} lost")
            self._p99.append(run["p99_ms"])

    def stop(self) -> dict[str, float]:
        """End it; return the median of its parts' 99th percentiles."""
        self._ended.set()
        self._thread.join()
        return {"p99_ms": median(self._p99)}
