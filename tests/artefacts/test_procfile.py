"""A platform with a Procfile: what a buildpack does at the root, done by hand, and the processes then started."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.receiver_process import CONFIG
from tests.test_repository import ROOT, tracked

pytestmark = pytest.mark.load
TOKEN = "delacon-token-0123456789"


class App:
    """A slug: the files of the repository, and the packages that its requirements name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "app"
        self._python = folder / "python"
        for path in tracked():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, target)

    def build(self) -> None:
        """Install the requirements, as the buildpack does; the project itself is not installed."""
        real = getattr(sys, "_base_executable", sys.executable)
        subprocess.run([real, "-m", "venv", self._python], check=True)
        pip = [str(self._python / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", "requirements.txt"], cwd=self.folder, check=True)
        shutil.rmtree(self.folder / ".git", ignore_errors=True)

    def start(self, process: str, **environ: str) -> "subprocess.Popen[str]":
        """Start a line of the Procfile by a shell, with nothing of this machine but what the platform also sets."""
        lines = dict(line.split(": ", 1) for line in (self.folder / "Procfile").read_text().splitlines())
        return subprocess.Popen(
            ["sh", "-c", lines[process]],
            cwd=self.folder,
            env={"PATH": f"{self._python}/bin:/usr/bin:/bin", "HOME": str(self.folder), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Return an app that is built, with a configuration in its slug."""
    made = App(tmp_path_factory.mktemp("slug"))
    made.build()
    (made.folder / "switchboard.toml").write_text(CONFIG.replace(TOKEN, "${DELACON_TOKEN}"))
    yield made
    shutil.rmtree(made.folder)


def test_the_root_says_which_python(app):
    """A version that the project allows, in the form that buildpacks read: major and minor, without a patch."""
    version = (app.folder / ".python-version").read_text().strip()

    assert re.fullmatch(r"3\.(1[1-4])", version)


def test_release_fails_with_every_fault_and_passes_with_none(app, redis_url):
    """The new version takes over only where ``switchboard check`` ends with status 0."""
    bad = app.start("release", REDIS_URL="http://nowhere")
    text = bad.communicate(timeout=60)[0]
    good = app.start("release", REDIS_URL=redis_url, DELACON_TOKEN=TOKEN)

    assert (2, True, True) == (bad.returncode, "REDIS_URL" in text, "DELACON_TOKEN" in text)
    assert "switchboard.toml: ok" in good.communicate(timeout=60)[0]
    assert 0 == good.returncode


def test_web_listens_on_port_and_refuses_what_only_a_dyno_s_disk_has(app, redis_url, free_port, make_redis_server):
    """200 while Redis takes the write; 503 while only the spool, which dies with the dyno, does."""
    server = make_redis_server()
    web = app.start("web", REDIS_URL=server.url, DELACON_TOKEN=TOKEN, PORT=str(free_port))
    try:
        answers = [post(free_port, "1")]
        server.stop()
        answers.append(post(free_port, "2"))
    finally:
        os.killpg(web.pid, 15)
        web.communicate(timeout=30)

    assert [200, 503] == answers


def test_a_worker_starts_from_the_slug(app, redis_url):
    """It consumes, with the level of its log from the environment."""
    worker = app.start("worker", REDIS_URL=redis_url, DELACON_TOKEN=TOKEN, LOG_LEVEL="info")
    assert worker.stdout
    try:
        ready = any("ready" in line for line in worker.stdout)
    finally:
        os.killpg(worker.pid, 15)
        worker.communicate(timeout=60)

    assert ready


def post(port: int, call_id: str) -> int:
    """Post a call's start as soon as somebody listens; return the status."""
    url = f"http://127.0.0.1:{port}/services/calldata/create?token={TOKEN}"
    body = json.dumps({"PLA_Call_Id": call_id, "PLA_Caller_Phone_Number": "+61491570156"}).encode()
    deadline = time.monotonic() + 40
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=10) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            assert time.monotonic() < deadline, "nobody listens"
            time.sleep(0.1)
