"""The Compose file: read by Compose itself, and its commands run here with the environment that it gives them."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.stack import TOKEN
from tests.artefacts.image import ROOT
from tests.artefacts.runner import Runner, deliver_a_call

pytestmark = pytest.mark.load
FOLDER = ROOT / "deploy/compose"
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


@pytest.fixture
def runner(composed, redis_binary, tmp_path) -> Iterator[Runner]:
    """Return a runner; what it has started is stopped."""
    made = Runner(composed["services"], tmp_path, redis_binary)
    yield made
    made.stop()


def test_the_services_deliver_a_call(runner, standins_process, tmp_path):
    """Each service becomes healthy by its own check, and a call goes from the webhook to every vendor."""
    set_so = deliver_a_call(runner, tmp_path, standins_process).config_get("append*")

    assert ("always", "yes") == (set_so["appendfsync"], set_so["appendonly"])
