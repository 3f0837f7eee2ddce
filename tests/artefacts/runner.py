"""Containers without a container engine: their commands, environments and health checks, run as processes here."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from deploy.local.redis_server import free_port
from tests.acceptance.stack import CONFIG, END, START, Stack, landed
from tests.artefacts.image import DOCKERFILE, ROOT, instructions

HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZS1zYWx0LW9mLW91cnM$K8wOeH4vB0bNR0k1zqEoqmY3i5mJwzQ8nqS7d2Z1q0M"


class Runner:
    """Runs containers as processes here: their commands and environments, with places and ports of this machine."""

    def __init__(self, services: dict[str, Any], folder: Path, valkey: Path) -> None:
        self._services = services
        self.names = set(services)
        self._folder = folder
        self._valkey = valkey
        ports = ("6379", "8080", "8090", "9101", "5555")
        self.ports = {port: str(free_port()) for port in ports}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def here(self, text: str) -> str:
        """Return a value with the places of this machine: of names, folders and ports."""
        text = text.replace("/etc/switchboard", str(self._folder)).replace("/var/lib/switchboard", str(self._folder))
        text = text.replace("//valkey:6379", f"//127.0.0.1:{self.ports['6379']}").replace("0.0.0.0", "127.0.0.1")
        return self.ports.get(text, text)

    def environ(self, name: str) -> dict[str, str]:
        """Return what a container of the service has: what the image sets, then what the service does."""
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        image = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        ours = {key: self.here(value) for key, value in self._services[name].get("environment", {}).items()}
        return {**kept, **image, **ours}

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        """Start a service."""
        command = self.command(self._services[name]["command"])
        if name == "valkey":
            command += ["--port", self.ports["6379"], "--bind", "127.0.0.1", "--dir", str(self._folder)]
        with (self._folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=self._folder, env=self.environ(name), stdout=log, stderr=log
            )
        return self.processes[name]

    def command(self, words: list[str]) -> list[str]:
        """Return a command with the programs of this machine."""
        words = [re.sub("^/data$", str(self._folder), word) for word in words]
        if words[0] == "valkey-server":
            return [str(self._valkey), *words[1:]]
        if words[0] == "switchboard":
            return [sys.executable, "-m", "deploy.cli", *words[1:]]
        if words[0] != "python":
            return [sys.executable, "-m", *words]
        address = re.compile(r"(?<=127\.0\.0\.1[:'])(\W*)(8080|8090|9101|5555)\b")  # in a probe's own line
        return [
            sys.executable,
            *(address.sub(lambda found: found[1] + self.ports[found[2]], word) for word in words[1:]),
        ]

    def healthy(self, name: str) -> bool:
        """Run the service's health check, or the image's."""
        checks = [rest for word, rest in instructions(DOCKERFILE.read_text()) if word == "HEALTHCHECK"]
        own = self._services[name].get("healthcheck")
        words = own["test"][1:] if own else json.loads(checks[0][checks[0].index("CMD") + 3 :])
        done = subprocess.run(self.command(words), env=self.environ(name), stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0

    def wait(self, name: str) -> None:
        """Wait until a service is healthy."""
        deadline = time.monotonic() + 60
        while not self.healthy(name):
            log = (self._folder / f"{name}.log").read_text()
            assert self.processes[name].poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop all, the last first."""
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def deliver_a_call(runner: Runner, folder: Path, standins_url: str) -> Redis:
    """Start everything in its order, post a call's two webhooks, and wait until each vendor has it."""
    users = f'[console.users.ann]\npassword = "{HASH}"\nrole = "operator"\n'
    values = {"token": "${DELACON_TOKEN}", "url": standins_url, "end_wait": "4h", "start_wait": "2m", "common": ""}
    (folder / "switchboard.toml").write_text(CONFIG.format(**values) + users)
    runner.start("valkey")
    redis = Redis(port=int(runner.ports["6379"]), decode_responses=True)
    deadline = time.monotonic() + 20
    while not answers(redis):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert runner.start("release").wait(60) == 0, (folder / "release.log").read_text()
    names = [name for name in ("receiver", "worker", "console", "flower") if name in runner.names]
    for name in names:
        runner.start(name)
    for name in names:
        runner.wait(name)
    (folder / "stack").mkdir()
    stack = Stack(folder / "stack", redis_url="", standins_url=standins_url)
    stack.port = int(runner.ports["8080"])
    assert [200, 200] == [stack.post("create", START)[0], stack.post("update", END)[0]]
    deadline = time.monotonic() + 30
    while not landed(stack, 1):
        assert time.monotonic() < deadline, (folder / "worker.log").read_text()
        time.sleep(0.1)
    return redis


def answers(redis: Redis) -> bool:
    """Return whether the server answers."""
    try:
        return bool(redis.ping())
    except RedisError:
        return False
