"""A receiver as a process of its own, for tests."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from redis.asyncio import Redis

from worker.ledger.ledger import Ledger

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "delacon-token-0123456789"
OPS_TOKEN = "ops-token-0123456789"
CONFIG = f"""
[receiver]
tokens = ["{TOKEN}"]
"""


KEPT = {"PATH", "HOME", "LANG", "COVERAGE_PROCESS_CONFIG"}  # the last one: measured as every process is


def receiver_environ(folder: Path, redis_url: str, *, config: str = CONFIG, **changes: str) -> dict[str, str]:
    """Write a configuration file and return the environment of a receiver that reads it."""
    path = folder / "switchboard.toml"
    path.write_text(config)
    return {
        **{name: value for name, value in os.environ.items() if name in KEPT},
        "PYTHONPATH": str(ROOT),
        "REDIS_URL": redis_url,
        "SWITCHBOARD_CONFIG": str(path),
        "PORT": "0",
        "SPOOL_PATH": str(folder / "spool.db"),
        "LOG_FORMAT": "json",
        **changes,
    }


class ReceiverProcess:
    """Starts, kills and stops one receiver; its log is a file in ``folder``."""

    def __init__(
        self,
        folder: Path,
        redis_url: str,
        *,
        name: str = "receiver",
        arguments: Iterable[str] = (),
        python: str = sys.executable,
        code: Path = ROOT,
        **changes: str,
    ) -> None:
        self._log = folder / f"{name}.log"
        self._environ = receiver_environ(folder, redis_url, **changes)
        self._command = [python, "-m", "receiver", *arguments]
        self._code = code
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def pid(self) -> int:
        """Return the process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """Return the address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        with self._log.open("ab") as log:
            offset = log.tell()
            self._process = subprocess.Popen(
                self._command, cwd=self._code, env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for line in self._log.read_bytes()[offset:].decode().splitlines():
                if '"receiver.listening"' in line:
                    self.port = json.loads(line)["port"]
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"the receiver did not start: {self.log()[-2000:]}")

    def kill(self) -> None:
        """Kill it as ``kill -9`` does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """Ask it to end, and do not wait."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 25) -> int:
        """Wait for its end and return the exit status."""
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(25)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def log(self) -> str:
        """Return what it has logged so far."""
        return self._log.read_text(errors="replace")

    def rss_bytes(self) -> int:
        """Return the memory it holds."""
        fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    async def post(
        self, session: aiohttp.ClientSession, body: bytes | Mapping[str, Any], *, path: str = "/services/calldata"
    ) -> tuple[int, float]:
        """Post a webhook; return the status and how long the answer took, in seconds."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        begun = time.perf_counter()
        async with session.post(f"{self.url}{path}?token={TOKEN}", data=data) as response:
            answer = await response.json()

        assert ["PLA_Call_Id", "success", "error"] == list(answer)
        assert (response.status == 200) is (answer["success"] == "true")
        return response.status, time.perf_counter() - begun

    async def readyz(self, session: aiohttp.ClientSession) -> tuple[int, dict[str, Any]]:
        """Ask ``/readyz``."""
        async with session.get(f"{self.url}/readyz") as response:
            return response.status, await response.json()


async def until(fact: Callable[[], Any], *, seconds: float = 20) -> None:
    """Poll a fact, which may be awaitable; fails when it does not come true."""
    deadline = time.monotonic() + seconds
    while True:
        found = fact()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.05)


def event(number: int, **values: str) -> dict[str, str]:
    """Make a start."""
    return {"PLA_Call_Id": f"call-{number}", "PLA_Caller_Phone_Number": "+61491570156", "PLA_CID": "123"} | values


async def stored(redis_url: str) -> dict[str, int]:
    """Return the calls that the ledger has, each with its number of events."""
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        ids = [key.removeprefix("sb:c:") async for key in redis.scan_iter("sb:c:*", count=5000)]
        return {call.call_id: call.version for call in await Ledger(redis).load(ids)}
