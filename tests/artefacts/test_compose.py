"""The Compose file: read by Compose itself, and its commands run here with the environment that it gives them."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from deploy.local.redis_server import free_port
from tests.acceptance.stack import CONFIG, END, START, TOKEN, Stack, landed
from tests.artefacts.image import DOCKERFILE, ROOT, instructions

pytestmark = pytest.mark.load
FOLDER = ROOT / "deploy/compose"
HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZS1zYWx0LW9mLW91cnM$K8wOeH4vB0bNR0k1zqEoqmY3i5mJwzQ8nqS7d2Z1q0M"
OURS = {"release", "receiver", "worker", "console", "flower"}


@pytest.fixture(scope="module")
def composed(tool, tmp_path_factory) -> dict[str, Any]:
    """Return the file as Compose understands it; Compose refuses what its schema does not know."""
    folder = tmp_path_factory.mktemp("compose") / "deploy/compose"
    shutil.copytree(FOLDER, folder)
    (folder / "env").write_text(f"DELACON_TOKEN={TOKEN}\nFLOWER_BASIC_AUTH=operator:a-long-password\n")
    (folder / "switchboard.toml").touch()
    command = [tool("docker-compose"), "config", "--format", "json"]
    environ = {**os.environ, "OPS_TOKEN": "an-ops-token-of-ours"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    assert "" == done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_process_is_there_and_ours_are_confined(composed):
    """Read-only, without capabilities, with time to stop; the ledger is reached by ours alone and synced each time."""
    services = composed["services"]

    assert OURS | {"valkey", "prometheus"} == services.keys()
    for name in OURS:
        assert (True, ["ALL"], "switchboard") == tuple(
            services[name][key] for key in ("read_only", "cap_drop", "image")
        )
    assert {"30s"} == {services[name]["stop_grace_period"] for name in ("receiver", "worker")}
    assert composed["networks"]["ledger"]["internal"]
    assert "ports" not in services["valkey"]
    assert {"127.0.0.1"} == {port["host_ip"] for one in services.values() for port in one.get("ports", [])}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not here")
def test_prometheus_takes_its_configuration(tmp_path):
    """``promtool check config``."""
    text = (FOLDER / "prometheus.yml").read_text().replace("/run/secrets/ops_token", str(tmp_path / "token"))
    (tmp_path / "token").write_text("x")
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus/rules", str(ROOT / "deploy/monitoring")))
    command = ["promtool", "check", "config", tmp_path / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr


class Runner:
    """Runs services of the file as processes here: their commands and environments, with places and ports of ours."""

    def __init__(self, composed: dict[str, Any], folder: Path, valkey: Path) -> None:
        self._services = composed["services"]
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
        match words:
            case ["valkey-server", *rest]:
                return [str(self._valkey), *rest]
            case ["python", *rest]:
                return [sys.executable, *(re.sub(r"\b(5555)\b", lambda port: self.ports[port[1]], one) for one in rest)]
            case ["switchboard", *rest]:
                return [sys.executable, "-m", "deploy.cli", *rest]
        return [sys.executable, "-m", *words]

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


@pytest.fixture
def runner(composed, redis_binary, tmp_path) -> Iterator[Runner]:
    """Return a runner; what it has started is stopped."""
    made = Runner(composed, tmp_path, redis_binary)
    yield made
    made.stop()


def test_the_services_deliver_a_call(runner, standins_process, tmp_path):
    """Each service becomes healthy by its own check, and a call goes from the webhook to every vendor."""
    users = f'[console.users.ann]\npassword = "{HASH}"\nrole = "operator"\n'
    values = {"token": "${DELACON_TOKEN}", "url": standins_process, "end_wait": "4h", "start_wait": "2m", "common": ""}
    (tmp_path / "switchboard.toml").write_text(CONFIG.format(**values) + users)
    runner.start("valkey")
    redis = Redis(port=int(runner.ports["6379"]))
    deadline = time.monotonic() + 20
    while not answers(redis):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert runner.start("release").wait(60) == 0, (tmp_path / "release.log").read_text()
    names = ["receiver", "worker", "console", "flower"]
    for name in names:
        runner.start(name)
    for name in names:
        runner.wait(name)
    (tmp_path / "stack").mkdir()
    stack = Stack(tmp_path / "stack", redis_url="", standins_url=standins_process)
    stack.port = int(runner.ports["8080"])
    assert [200, 200] == [stack.post("create", START)[0], stack.post("update", END)[0]]
    deadline = time.monotonic() + 30
    while not landed(stack, 1):
        assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text()
        time.sleep(0.1)
    set_so = redis.config_get("append*")
    assert ("always", "yes") == (set_so["appendfsync"], set_so["appendonly"])


def answers(redis: Redis) -> bool:
    """Return whether the server answers."""
    try:
        return bool(redis.ping())
    except RedisError:
        return False
