"""How soon a command answers, a receiver listens and a worker delivers."""

import subprocess
import sys
import time
from collections.abc import Callable

from tests.acceptance.stack import ROOT
from tests.bench.figures import Figure, Limit
from tests.bench.scale import Scale
from tests.bench.seed import seed
from tests.bench.system import System, running, wait_until


def start(scale: Scale) -> list[Figure]:
    """Measure each from the start of its process; the modules are compiled by then."""
    with running() as system:
        return [
            _row("start, switchboard --help", _help, scale, must=0.6, aim=0.25),
            _row("start, receiver ready", lambda number: _receiver(system, number), scale, must=2, aim=1),
            _row("start, worker consuming", lambda number: _worker(system, number), scale, must=4, aim=2),
        ]


def _row(name: str, measure: Callable[[int], float], scale: Scale, *, must: float, aim: float) -> Figure:
    times = [measure(number) for number in range(scale.pairs + 1)][1:]
    middle = sorted(times)[len(times) // 2]
    limits = [Limit(name="s", value=middle, must=must, aim=aim, at_most=True)]
    return Figure(row=name, unit="s", subject=times, limits=limits)


def _help(_number: int) -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "deploy.cli", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def _receiver(system: System, _number: int) -> float:
    began = time.monotonic()
    system.stack.start_receiver()
    wait_until(system.stack.receiver_answers, 30, "the receiver")
    took_s = time.monotonic() - began
    system.stop_processes()
    return took_s


def _worker(system: System, number: int) -> float:
    """Until the first delivery of a call that waited; not until a line of the log."""
    system.flush()
    seed(system.redis.url, calls=1, first=number, destinations=("law",))
    system.vendor.reset()
    began = time.monotonic()
    system.stack.start_worker("worker0")
    wait_until(lambda: system.vendor.report()["count"] > 0, 60, "the first delivery")
    took_s = time.monotonic() - began
    system.stop_processes()
    return took_s
