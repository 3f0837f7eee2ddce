"""The product under measurement: real receiver, Redis and workers, with the bench's own vendor."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis as redis_client

from deploy.local.redis_server import RedisServer, find_binary
from tests.acceptance.stack import CONFIG, ROOT, Stack
from tests.bench.usage import cpu_of, cpu_s, family

DESTINATIONS = ("law", "dialler", "crm")
READY_S = 30.0


class Vendor:
    """The vendor's process."""

    def __init__(self, module: str = "tests.bench.vendor") -> None:
        self.process = subprocess.Popen([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def reset(self, **orders: Any) -> None:
        """Forget what came; ``delay_s`` by vendor, ``trace``."""
        urllib.request.urlopen(f"{self.url}/control", data=json.dumps(orders).encode(), timeout=10).close()

    def report(self) -> dict[str, Any]:
        """Return what came since the last reset."""
        with urllib.request.urlopen(f"{self.url}/control", timeout=60) as reply:
            found: dict[str, Any] = json.load(reply)
        return found

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)


class System:
    """A Redis with AOF everysec, a vendor, and as much of the product as a row starts.

    ``common`` goes into every destination's table, ``appendfsync`` to Redis; ``binary``: another server than the usual.
    ``config`` is the file, in place of the three destinations; ``vendor`` the module of another stand-in; ``code``
    another tree, whose `make setup` is done.
    """

    def __init__(
        self, folder: Path, *, appendfsync: str = "everysec", common: str = "concurrency = 64",
        binary: Path | None = None, config: str = CONFIG, vendor: str = "tests.bench.vendor",
        code: Path = ROOT,
    ) -> None:  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        self.redis = RedisServer(folder / "redis", binary=binary or find_binary(os.environ), appendfsync=appendfsync)
        self.redis.start()
        self.client = redis_client.Redis.from_url(self.redis.url, decode_responses=True)
        self.vendor = Vendor(vendor)
        self.stack = Stack(folder, redis_url=self.redis.url, standins_url=self.vendor.url, config=config, common=common)
        if code.resolve() != ROOT:
            self.stack.code = code.resolve()
            self.stack.python = str(self.stack.code / ".venv" / "bin" / "python")
        self._cpu: dict[str, float] = {}

    def start_receiver(self, *options: str) -> None:
        """Start the receiver and wait until it answers."""
        self.stack.start_receiver(*options)
        self.stack.wait_for(self.stack.receiver_answers, READY_S, "the receiver")

    def start_workers(self, count: int = 1) -> None:
        """Start workers and wait until they consume."""
        names = [f"worker{number}" for number in range(count)]
        for name in names:
            self.stack.start_worker(name)
        self.stack.wait_for(lambda: all(" ready" in self.stack.log(name) for name in names), READY_S, "the workers")

    def stop_processes(self) -> None:
        """Stop the product's processes; Redis and the vendor stay."""
        self.stack.stop()
        self.stack.processes.clear()
        for log in self.stack.folder.glob("*.log"):
            log.unlink()

    def flush(self) -> None:
        """Empty Redis and its append-only file."""
        self.client.flushall()

    def pids(self) -> Mapping[str, list[int]]:
        """Return the processes by role."""
        found: dict[str, list[int]] = {"vendor": [self.vendor.process.pid], "redis": [self.redis.pid]}
        for name, process in self.stack.processes.items():
            found.setdefault("receiver" if name == "receiver" else "workers", []).extend(family(process.pid))
        return found

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds that each role has used so far."""
        return {role: cpu_of(pids) for role, pids in self.pids().items()}

    def stop(self) -> None:
        """Stop everything."""
        self.stack.stop()
        self.vendor.stop()
        self.client.close()
        self.redis.stop()


@contextmanager
def running(**options: Any) -> Iterator[System]:
    """Return a system in a folder of its own; both are gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="switchboard-bench-"))
    system = System(folder, **options)
    try:
        yield system
    finally:
        system.stop()
        shutil.rmtree(folder, ignore_errors=True)


def drive(port: int, **order: Any) -> dict[str, Any]:
    """Run the load driver: ``kind``, ``count``, ``first``, ``connections``, and perhaps ``rate``."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.driver"],
        input=json.dumps({"port": port, "first": 0, "connections": 64} | order).encode(),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return the CPU seconds between two readings, by role."""
    return {role: after[role] - before.get(role, 0.0) for role in after}


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until a condition holds; raises ``AssertionError`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


__all__ = ["DESTINATIONS", "System", "Vendor", "cpu_s", "drive", "running", "spent", "wait_until"]
