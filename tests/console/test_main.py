"""The console as a process: it says where it listens, ends at SIGTERM, and refuses what would be unsafe."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from deploy.console.__main__ import main

ROOT = Path(__file__).parents[2]
CONFIG = """
[receiver]
tokens = ["a-token-for-tests-only"]

[destinations.law]
vendor = "captorra"
url = "http://127.0.0.1:9/captorra"
captorra_id = "111111"
timezone = "Australia/Sydney"

[[routes]]
to = ["law"]
"""
LIMIT_S = 60.0


@pytest.fixture
def environ(tmp_path, free_port):
    """Return the environment of a console that needs nothing else."""
    (tmp_path / "switchboard.toml").write_text(CONFIG)
    return {
        **os.environ, "REDIS_URL": "redis://127.0.0.1:9/0", "SWITCHBOARD_CONFIG": str(tmp_path / "switchboard.toml"),
        "SPOOL_PATH": "", "LOG_FORMAT": "json", "CONSOLE_HOST": "127.0.0.1", "CONSOLE_PORT": str(free_port),
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip


def answers(port: str) -> bool:
    """Return whether the console serves."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def test_it_serves_without_redis_and_ends_at_sigterm(environ):
    """With status 0; its address stands in the log."""
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.console"], cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + LIMIT_S
        while not answers(environ["CONSOLE_PORT"]):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        second = main({**environ})
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()

    assert 0 == process.returncode
    assert b"console.listening" in said
    assert 1 == second, "its port is taken"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"CONSOLE_HOST": "0.0.0.0"}, "starts on loopback only"),
        ({"REDIS_URL": ""}, "REDIS_URL"),
        ({"CONSOLE_PORT": "many"}, "CONSOLE_PORT"),
    ],
)
def test_a_fault_of_the_configuration_is_status_2(environ, capsys, change, fault):
    """Before it listens."""
    assert 2 == main(environ | change)
    assert fault in capsys.readouterr().err
