"""How tests look at a running stack from outside: the command line, Flower, ``/readyz``, the stand-ins' requests."""

import base64
import json
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy.local.redis_server import free_port
from tests.acceptance.stack import ROOT, TOKEN, Stack

PASSWORD = "a-flower-password-for-tests"


def command(stack: Stack, *arguments: str, environ: dict[str, str] | None = None) -> tuple[int, Any]:
    """Run ``switchboard`` with ``--json``; return its exit status and the value it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments, "--json"],
        cwd=ROOT, env=stack.environ | (environ or {}), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def end(stack: Stack, name: str) -> int:
    """End a process by SIGTERM, wait for it and return its exit status."""
    process = stack.processes.pop(name)
    process.terminate()
    return process.wait(30)


def get(url: str, *, user: str = "", data: bytes | None = None, timeout_s: float = 10) -> tuple[int, str]:
    """Get a page, or post ``data``; ``user`` is ``name:password``. Returns the status and the text."""
    request = urllib.request.Request(url, data=data)
    if user:
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def readyz(stack: Stack) -> dict[str, Any]:
    """Ask the receiver's ``/readyz`` for its parts."""
    parts: dict[str, Any] = json.loads(get(f"http://127.0.0.1:{stack.port}/readyz")[1])
    return parts


def receiver_metrics(stack: Stack) -> str:
    """Return the receiver's ``/metrics``."""
    return get(f"http://127.0.0.1:{stack.port}/metrics?token={TOKEN}")[1]


def request_log(stack: Stack, vendor: str) -> list[dict[str, Any]]:
    """Return the newest requests that a stand-in was sent, each with its body and when it came and was answered."""
    _, text = get(f"{stack.standins_url}/control/requests?vendor={vendor}")
    requests: list[dict[str, Any]] = json.loads(text)["requests"]
    return requests


class Flower:
    """Flower beside a stack; it is stopped with the stack."""

    def __init__(self, stack: Stack) -> None:
        self.user = f"operator:{PASSWORD}"
        self.port = free_port()
        self._stack = stack
        stack.environ["FLOWER_BASIC_AUTH"] = self.user
        stack.environ.pop("FLOWER_ADDRESS", None)
        command = [sys.executable, "-m", "celery", "-A", "worker", "flower", f"--port={self.port}"]
        with (stack.folder / "flower.log").open("ab") as log:
            stack.processes["flower"] = subprocess.Popen(
                command, cwd=ROOT, env=stack.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._stack.processes["flower"].pid

    def get(self, path: str, *, user: str | None = None, data: bytes | None = None) -> tuple[int, str]:
        """Get a page, with the password unless another user is named."""
        return get(f"http://127.0.0.1:{self.port}{path}", user=self.user if user is None else user, data=data)

    def json(self, path: str) -> Any:
        """Get a value of Flower's API."""
        return json.loads(self.get(path)[1])

    def sees(self, worker: str) -> bool:
        """Say whether Flower runs and has heard of a worker, so that it hears of its tasks too."""
        with suppress(OSError, ValueError):
            return f"{worker}@test" in {row["hostname"] for row in self.json("/workers?json=1")["data"]}
        return False


def listening_addresses(pid: int, port: int) -> set[str]:
    """Return the local addresses, as Linux writes them, on which a process's network listens on a port."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, _, number = local.rpartition(":")
            if state == "0A" and int(number, 16) == port:
                found.add(address)
    return found
