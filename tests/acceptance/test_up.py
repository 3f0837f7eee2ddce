"""``switchboard up``: the whole system from one command, by real processes."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client
from click.testing import CliRunner

from deploy.cli.main import main
from deploy.local.samples import read_expected
from tests.acceptance.local_stack import ROOT, Up

pytestmark = pytest.mark.xdist_group("up")  # two at once would ask for the same usual ports

READY = "Ctrl-C stops everything."
CONFIG = """
[destinations.mine]
vendor = "captorra"
url = "http://127.0.0.1:9/captorra"
captorra_id = "111111"
timezone = "Australia/Sydney"

[[routes]]
to = ["mine"]
"""


@pytest.fixture
def make_up(tmp_path: Path, redis_binary: Path) -> Iterator[Callable[..., Up]]:
    """Return a maker of running ``up``s; what is left of them is killed at the test's end."""
    made: list[Up] = []

    def make(*options: str, **environ: str) -> Up:
        up = Up(tmp_path, *options, **({"REDIS_SERVER_BIN": str(redis_binary)} | environ))
        made.append(up)
        return up

    yield make
    for up in made:
        up.end()


def get(url: str, user: str = "") -> int:
    """Return the status of a page."""
    headers = {"Authorization": f"Basic {b64encode(user.encode()).decode()}"} if user else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_sample_lands_and_nothing_is_left(make_up: Callable[..., Up]) -> None:
    """Status 0, one JSON value with every call's fate; no process, no number in a log."""
    up = make_up("--once", "--json")
    status = up.wait()
    told: dict[str, Any] = json.loads(up.stdout)
    fates = {
        call["call_id"]: {one["destination"]: one["outcome"] for one in call["deliveries"]} for call in told["calls"]
    }
    logs = {log.name: log.read_text() for log in (up.folder / "var/log").iterdir()}

    assert (0, True) == (status, told["landed"]), up.stderr
    assert read_expected() == fates
    assert "Callcap offers " in up.stderr
    assert {} == up.children()
    assert {"receiver.log", "worker.log", "console.log", "flower.log", "stand-ins.log", "redis.log"} == set(logs)
    assert [] == [name for name, text in logs.items() if re.search(r"491570\d{3}|2125550\d{3}|444444444", text)]
    assert [] == [name for name, text in logs.items() if "Traceback" in text]


def test_it_stays_up_until_ctrl_c(make_up: Callable[..., Up]) -> None:
    """Its addresses work as printed; a second one is refused; a killed worker comes back; then all stops in order."""
    up = make_up()
    up.wait_for(READY)
    webhook = re.search(r"curl -d '(.*)' '(.*)'$", up.stdout, re.MULTILINE)
    flower = re.search(r"^Flower +(\S+)  \(user (\S+), password (\S+)\)$", up.stdout, re.MULTILINE)
    assert webhook
    assert flower

    with chdir(up.folder):
        second = CliRunner().invoke(main, ["up"])
    assert 1 == second.exit_code
    assert 1 == len(second.stderr.splitlines())
    assert f"runs in this folder already, as process {up.process.pid}: stop that one first" in second.stderr

    os.kill(up.child("-A worker worker"), signal.SIGKILL)
    urllib.request.urlopen(webhook[2], data=webhook[1].encode(), timeout=10).close()
    up.wait_for("my-first-call  crm  delivered")
    up.wait_for("SB-2002-given-up-lead  callbacks  dead")
    listing = subprocess.run(
        ["sh", "-c", f". var/up/env; exec {sys.executable} -m deploy.cli calls list --json"],
        cwd=up.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True,
    )  # fmt: skip

    assert "worker: was killed by SIGKILL; started again" in up.stdout
    calls = {call["call_id"]: call["deliveries"] for call in json.loads(listing.stdout)}
    fates = {(call_id, one["destination"]): one["state"] for call_id, of in calls.items() for one in of}
    assert len(read_expected()) + 2 + 1 == len(calls)
    assert "held" == fates["SB-2001-refused-firm", "second-firm"]
    assert "dead" == fates["SB-2002-given-up-lead", "callbacks"]
    assert (401, 200) == (get(flower[1]), get(flower[1], f"{flower[2]}:{flower[3]}"))

    up.process.send_signal(signal.SIGINT)
    assert 0 == up.wait()
    assert {} == up.children()
    assert "Traceback" not in up.stdout + up.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_killed_stack_leaves_nothing_behind_and_goes_on_with_keep(make_up: Callable[..., Up]) -> None:
    """Not even kill -9 does; ledger and stand-ins go on with what they had, and no call is sent twice."""
    up = make_up()
    up.wait_for(READY)
    up.process.kill()
    up.process.wait()
    up.wait_for_children_to_end()
    again = make_up("--keep", "--once", "--json")

    assert 0 == again.wait(), again.stderr
    assert json.loads(again.stdout)["landed"]
    assert f"{len(read_expected())} of {len(read_expected())} sample calls are in the ledger already" in again.stderr
    assert "Every delivered call has one record at its stand-in." in again.stderr


def test_a_configuration_and_a_redis_of_the_users_own_are_used_as_they_are(
    make_up: Callable[..., Up], redis_url: str, tmp_path: Path
) -> None:
    """No stand-ins, nobody is sent a sample call, no Redis beside it, and what was in it stays."""
    (tmp_path / "mine.toml").write_text(CONFIG)
    with redis_client.Redis.from_url(redis_url, decode_responses=True) as client:
        client.set("mine", "yes")
        up = make_up("--config", "mine.toml", REDIS_URL=redis_url)
        up.wait_for(READY)
        commands = " ".join(up.children().values())
        up.process.send_signal(signal.SIGTERM)

        assert 0 == up.wait()
        assert "yes" == client.get("mine")
        assert client.exists("sb:workers")
    assert "celery" in commands
    assert "standins" not in commands
    assert "redis-server" not in commands
    assert "curl" not in up.stdout
    assert "redis: the one that REDIS_URL names; what is in it stays" in up.stdout
    assert {} == up.children()
