"""The system under chaos: receiver and two workers around a Redis behind a proxy, and four destinations."""

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from redis.asyncio import Redis

from deploy.local.processes import READY_S
from deploy.local.redis_server import RedisServer, find_binary, free_port
from tests.acceptance.stack import CONFIG, ROOT, Stack
from tests.chaos.load import Pushed
from tests.chaos.proxy import Proxy
from tests.redis_pair import RedisPair
from worker.ledger.invariants import check
from worker.ledger.ledger import Ledger

CONTACTS = """
[destinations.contacts]
vendor = "kapture"
url = "{url}/kapture"
auth_key = "standin-kapture-key"
email = "{{caller_digits}}@calls.example.com"
mode = "contact"
customer_id = "{customer_id}"
max_age = "off"
{common}

[[routes]]
to = ["contacts"]
service_ids = ["contact"]
"""
VENDORS = ("captorra", "comunik8", "kapture")
WORKERS = ("worker0", "worker1")


class System:
    """Everything that a row may break, and the look at what landed.

    ``quick`` hands shorter leases and circuit waits to the workers.
    """

    environ: ClassVar[Mapping[str, str]] = {}
    """Of the product's processes, beside what every system sets."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        redis_url = self.open_redis(folder)
        self._standins = subprocess.Popen(
            [sys.executable, "-m", "deploy.local.standins", "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self._standins.stdout
        url = self._standins.stdout.readline().split()[-1]
        timeout = 2 if quick else 10
        retry = '"1s", "1s", "2s", "2s", "3s", "3s", "5s", "5s", "5s", "10s", "10s", "10s", "20s", "20s"'
        self.stack = Stack(
            folder,
            redis_url=redis_url,
            standins_url=url,
            config=CONFIG + CONTACTS,
            end_wait="15s",
            start_wait="10s",
            common=f'timeout = "{timeout}s"\nretry = [{retry}]',
            customer_id=self._make_customer(url),
            environ={"JOURNAL_DIR": str(folder / "journal"), **self.environ},
        )
        self.load = ""
        """What the ids of the calls that are pushed now begin with."""
        self.metrics = {name: free_port() for name in WORKERS}
        self._app = "tests.chaos.quick" if quick else "tests.chaos.full"

    def open_redis(self, folder: Path) -> str:
        """Start Redis, and return the address that the product is given."""
        self.redis = RedisServer(folder / "redis", binary=find_binary(os.environ))
        self.redis.start()
        assert self.redis.port
        self.proxy = Proxy(self.redis.port)
        self.proxy.start()
        return f"redis://127.0.0.1:{self.proxy.port}/0"

    def primary(self) -> RedisServer:
        """Return the server that is the primary now."""
        return self.redis

    def close_redis(self) -> None:
        """Stop what ``open_redis`` started."""
        self.proxy.stop()
        self.redis.stop()

    def start(self) -> None:
        """Start the product's processes, and wait for them."""
        self.start_receiver()
        for name in WORKERS:
            self.start_worker(name)
        self.stack.wait_for(lambda: all("ready" in self.stack.log(name) for name in WORKERS), 30, "the workers")
        self.calm()

    def start_receiver(self, *, largest_file: int | None = None) -> None:
        """Start the receiver; ``largest_file`` in bytes makes its disk full beyond that."""
        if largest_file is None:
            self.stack.start_receiver()
        else:
            # A limit of the process: the kernel refuses what goes beyond it, as a full disk does.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, hard))
            try:
                self.stack.start_receiver()
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.stack.wait_for(self.stack.receiver_answers, READY_S, "the receiver")

    def start_worker(self, name: str) -> None:
        """Start a worker of the app that the run is for."""
        self.stack.environ["METRICS_PORT"] = str(self.metrics[name])
        self.stack.start_worker(name, app=self._app)

    def calm(self) -> None:
        """Let the vendors be as they always are here: 20 ms slow, 2 % failing."""
        self.stack.lift_faults()
        self.stack.lay_fault({"latency_ms": 20, "fail_rate": 0.02})

    def start_workers(self) -> None:
        """Start every worker again, and wait until each takes work."""
        before = {name: self.stack.log(name).count(" ready.") for name in WORKERS}
        for name in WORKERS:
            self.start_worker(name)
        self.stack.wait_for(
            lambda: all(self.stack.log(name).count(" ready.") > count for name, count in before.items()),
            30, "the workers",
        )  # fmt: skip

    def terminate(self, name: str) -> None:
        """End a process by SIGTERM and wait for it."""
        process = self.stack.processes.pop(name)
        process.terminate()
        process.wait(30)

    def stop(self) -> None:
        """Stop everything, Redis last."""
        self.stack.stop()
        self._standins.terminate()
        self._standins.wait(10)
        self.close_redis()

    def control(self, *command: str | int) -> None:
        """Send a command to Redis itself, past the proxy."""
        asyncio.run(_command(self.primary().url, *command))

    @contextmanager
    def replicated(self) -> Iterator[RedisPair]:
        """Return Redis a replica, which may take its place behind the proxy; at the end Redis must be the primary."""
        with RedisServer(self.stack.folder / "replica", binary=find_binary(os.environ)) as replica:
            pair = RedisPair(self.redis, replica, proxy=self.proxy)
            yield pair
            assert pair.primary is self.redis

    def missing(self, pushed: Pushed) -> int:
        """Count the records that are owed and not there."""
        return self._judge(pushed)[1]

    def judge(self, pushed: Pushed) -> tuple[int, int, int, int]:
        """Return how many records are expected, found, lost and doubled."""
        expected = len(pushed.owed) * len(VENDORS) + len(pushed.contacts)
        found, lost, doubled = self._judge(pushed)
        return expected, found, lost, doubled

    def command(self, *arguments: str, status: int = 0, redis_url: str = "") -> Any:
        """Run a command of the command line beside the system, on another Redis if asked; return its JSON value."""
        environ = {**self.stack.environ, **({"REDIS_URL": redis_url} if redis_url else {})}
        done = subprocess.run(
            [sys.executable, "-m", "deploy.cli", *arguments, "--json"],
            cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout)

    def faults(self) -> list[str]:
        """Say what ``ledger check`` finds wrong, once what is in passing has passed."""
        deadline = time.monotonic() + 10
        while True:
            counts = asyncio.run(_checked(self.primary().url))
            if not counts or time.monotonic() > deadline:
                return [f"{count} {fault}" for fault, count in counts.items()]
            time.sleep(0.5)

    def latency_p95_s(self, pushed: Pushed) -> float:
        """Return the 95th percentile of the time from a complete call to its record at Comunik8 and Kapture."""
        complete = {_digits(caller): at for caller, at in pushed.complete_ms.items()}
        waits = sorted(
            (record["created_ms"] - complete[digits]) / 1000
            for vendor in ("comunik8", "kapture")
            for record in self.stack.records(vendor)
            if (digits := _digits(record["values"].get("mobile") or record["values"].get("phone", ""))) in complete
        )
        return waits[len(waits) * 95 // 100] if waits else 0.0

    def _judge(self, pushed: Pushed) -> tuple[int, int, int]:
        held: dict[str, Counter[str]] = {"captorra": Counter(), "comunik8": Counter(), "kapture": Counter()}
        contacts: Counter[str] = Counter()
        for record in self.stack.records("captorra"):
            held["captorra"][record["id"]] += record["history"].count("added")
        for record in self.stack.records("comunik8"):
            held["comunik8"][_digits(record["values"]["mobile"])] += record["history"].count("added")
        for record in self.stack.records("kapture"):
            digits = _digits(record["values"].get("phone", ""))
            if record["kind"] == "customer":
                held["kapture"][digits] += 1
            else:
                contacts[digits] += 1
        found = lost = doubled = 0
        for call_id, caller in pushed.callers.items():
            for vendor in VENDORS:
                count = held[vendor][call_id if vendor == "captorra" else _digits(caller)]
                found += count > 0
                doubled += max(0, count - 1)
                lost += call_id in pushed.owed and not count
            count = contacts[_digits(caller)]
            found += count > 0
            doubled += max(0, count - 1)
            lost += caller in pushed.contacts and not count
        return found, lost, doubled

    def _make_customer(self, url: str) -> str:
        body = {"name": "Smith Law", "phone": "0255501234", "email": "office@example.com", "customer_code": "office"}
        request = urllib.request.Request(
            f"{url}/kapture/add-update-customer-from-other-source.html",
            data=json.dumps(body).encode(),
            headers={"Authorization": "Basic standin-kapture-key"},
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            answer: dict[str, Any] = json.load(reply)
        return str(answer["Kapture Customer Id"])


def _digits(number: str) -> str:
    return number.removeprefix("+61").lstrip("0")


async def _command(url: str, *command: str | int) -> None:
    async with Redis.from_url(url) as client:
        await client.execute_command(*command)


async def _checked(url: str) -> dict[str, int]:
    async with Redis.from_url(url, decode_responses=True) as client:
        return dict((await check(Ledger(client), fix=False, memory_s=1)).counts)


def wait_until_landed(system: System, pushed: Pushed, *, limit_s: float) -> float:
    """Poll until nothing owed is missing; return the seconds it took, at most the limit."""
    began = time.monotonic()
    while system.missing(pushed) and time.monotonic() - began < limit_s:
        time.sleep(0.2)
    return time.monotonic() - began
