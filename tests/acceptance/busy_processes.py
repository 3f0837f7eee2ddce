"""Processes that have nothing to do with Switchboard and want a share of the machine: what any load costs others."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

PROCESSES = 2
SLICE_S = 0.002
MOST = 0.95
BURN = """
import os, sys, time
work, rest = map(float, sys.argv[1:])
parent = os.getppid()
while os.getppid() == parent:
    end = time.perf_counter() + work
    while time.perf_counter() < end:
        pass
    time.sleep(rest)
"""


class Cores:
    """How many of the machine's cores all its processes have kept busy since this was made."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._used_s = _used_s()

    def seconds(self) -> float:
        """Return the seconds that went by."""
        return monotonic() - self._began

    def used(self) -> float:
        """Return the mean, 0.5 being half of one core."""
        return (_used_s() - self._used_s) / self.seconds()


def _used_s() -> float:
    user, nice, system, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


@contextmanager
def busy_processes(cores: float) -> Iterator[None]:
    """Keep so many cores busy (0.5: half of one), in slices of 2 ms."""
    work_s = SLICE_S * min(cores / PROCESSES, MOST)
    command = [sys.executable, "-c", BURN, str(work_s), str(SLICE_S - work_s)]
    processes = [subprocess.Popen(command) for _ in range(PROCESSES)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
