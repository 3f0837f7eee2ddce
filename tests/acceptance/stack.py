"""A whole Switchboard of real processes for tests: receiver, workers and vendor stand-ins around a real Redis."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deploy.local.processes import READY_S
from deploy.local.redis_server import free_port

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-for-tests-only"
SAMPLES = ROOT / "tests" / "schemas" / "data"
START = (SAMPLES / "delacon_create.json").read_bytes()
END = (SAMPLES / "delacon_update.json").read_bytes()
VENDORS = ("captorra", "comunik8", "kapture")
CONFIG = """
[receiver]
tokens = ["{token}"]

[calls]
end_wait = "{end_wait}"
start_wait = "{start_wait}"

[destinations.law]
vendor = "captorra"
url = "{url}/captorra/api/captorracalltracking/create"
captorra_id = "111111"
timezone = "Australia/Sydney"
max_age = "off"
{common}

[destinations.dialler]
vendor = "comunik8"
url = "{url}/comunik8"
api_key = "standin-comunik8-key"
type = "motor-trade"
email = "{{caller_digits}}@calls.example.com"
max_age = "off"
{common}

[destinations.crm]
vendor = "kapture"
url = "{url}/kapture"
auth_key = "standin-kapture-key"
email = "{{caller_digits}}@calls.example.com"
max_age = "off"
{common}

[[routes]]
to = ["law", "dialler", "crm"]
"""


class Stack:
    """Starts and stops the processes; every log is a file in ``folder``."""

    def __init__(
        self,
        folder: Path,
        *,
        redis_url: str,
        standins_url: str,
        config: str = CONFIG,
        environ: Mapping[str, str] | None = None,
        **values: str,
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.standins_url = standins_url
        self._config = folder / "switchboard.toml"
        values = {"token": TOKEN, "url": standins_url, "end_wait": "4h", "start_wait": "2m", "common": ""} | values
        self._config.write_text(config.format(**values))
        self.environ = {
            **os.environ,
            "REDIS_URL": redis_url,
            "SWITCHBOARD_CONFIG": str(self._config),
            "PORT": str(self.port),
            "SPOOL_PATH": str(folder / "spool.db"),
            "LOG_FORMAT": "json",
            **(environ or {}),
        }
        self.code = ROOT
        """The tree that the next process runs."""
        self.python = sys.executable
        """The interpreter that runs it."""
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *, workers: int = 1, receiver: bool = True) -> None:
        """Start a receiver and workers, and wait until the receiver answers."""
        if receiver:
            self.start_receiver()
        for number in range(workers):
            self.start_worker(f"worker{number}")
        if receiver:
            self.wait_for(self.receiver_answers, READY_S, "the receiver")

    def start_receiver(self, *options: str) -> None:
        """Start the receiver."""
        self.spawn("receiver", [self.python, "-m", "receiver", *options])

    def start_worker(self, name: str, *options: str, app: str = "worker") -> None:
        """Start one worker process."""
        command = [self.python, "-m", "celery", "-A", app, "worker", "-n", f"{name}@test"]
        self.spawn(name, [*command, "--without-gossip", "--without-mingle", *options])

    def stop(self) -> None:
        """Stop everything, receiver first; what has not ended after 25 s is killed."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(25)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kill(self, name: str) -> None:
        """Kill a process as ``kill -9`` does."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def receiver_answers(self) -> bool:
        """Say whether ``/healthz`` answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def post(self, kind: str, body: bytes | Mapping[str, Any]) -> tuple[int, dict[str, str]]:
        """Post a webhook; ``kind`` is ``create``, ``update`` or empty."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/services/calldata/{kind}".rstrip("/")
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}?token={TOKEN}", data=data, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def records(self, vendor: str) -> list[dict[str, Any]]:
        """Return what a stand-in has stored."""
        return self._control(f"records?vendor={vendor}")

    def requests(self, vendor: str) -> int:
        """Return how many requests a stand-in was sent."""
        return int(self._control(f"requests?vendor={vendor}&limit=0")["counts"].get(vendor, 0))

    def lay_fault(self, fault: Mapping[str, Any]) -> None:
        """Make a stand-in fail."""
        data = json.dumps(fault).encode()
        urllib.request.urlopen(f"{self.standins_url}/control/faults", data=data, timeout=10).close()

    def lift_faults(self) -> None:
        """End every fault."""
        request = urllib.request.Request(f"{self.standins_url}/control/faults", method="DELETE")
        urllib.request.urlopen(request, timeout=10).close()

    def log(self, name: str) -> str:
        """Return what a process has logged so far; nothing where its log is a device."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.is_file() else ""

    def wait_for(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Poll until a condition holds; fails with the ends of the logs."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {name}\n{self.log(name)[-2000:]}" for name in self.processes)
                raise AssertionError(f"{what}: not within {seconds} s\n{logs}")
            time.sleep(0.05)

    def _control(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.standins_url}/control/{path}", timeout=10) as reply:
            return json.load(reply)

    def spawn(self, name: str, command: list[str]) -> None:
        """Start a process of the stack by its command."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self.code,
                env=self.environ | {"PYTHONPATH": str(self.code)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def landed(stack: Stack, count: int) -> bool:
    """Say whether each vendor holds ``count`` records."""
    return all(len(stack.records(vendor)) == count for vendor in VENDORS)


def start_of(call_id: str, caller: str = "+61491570156") -> bytes:
    """Return the document's start for another call."""
    return START.replace(b"1122334", call_id.encode()).replace(b"+61444444444", caller.encode())


def end_of(call_id: str) -> bytes:
    """Return the document's end for another call."""
    return END.replace(b"1122334", call_id.encode())
