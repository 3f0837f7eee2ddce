"""deploy/upgrade.sh: versions of a real repository, built beside each other, checked, switched, reloaded."""

import asyncio
import fcntl
import json
import os
import re
import shutil
import site
import subprocess
import sys
import urllib.request
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.receiver_process import ROOT, ReceiverProcess, stored, until
from tests.acceptance.test_receiver_master import push, reloaded, serving

PIP = """
import os, pathlib, sys
if "--editable" in sys.argv:
    [packages] = pathlib.Path(sys.prefix, "lib").glob("python*/site-packages")
    (packages / "switchboard.pth").write_text(os.getcwd() + "\\n")
    command = pathlib.Path(sys.prefix, "bin", "switchboard")
    command.write_text(f'#!/bin/sh\\nexec "{sys.executable}" -P -m deploy.cli "$@"\\n')
    command.chmod(0o755)
"""
PYTHON = """#!/bin/sh
# Makes real environments with everything that the tests have, and a pip that links the project alone.
[ "$1 $2" = "-m venv" ] || exec {python} "$@"
for place; do :; done
{python} -m venv --without-pip "$place" || exit 1
for packages in "$place"/lib/python*/site-packages; do
    echo {packages} >"$packages/tests.pth"
    mkdir "$packages/pip"
    cp {pip} "$packages/pip/__main__.py"
done
"""
SAYS = """
import json, os, sys, urllib.request
says = json.load(urllib.request.urlopen(os.environ["RECEIVER"] + "/healthz", timeout=5))["status"]
sys.exit(says != open("says").read())
"""
UNIT = (ROOT / "deploy/systemd/switchboard-receiver.service").read_text()
VARIABLES = dict(re.findall(r"^Environment=(PYTHON\w+)=(.*)$", UNIT, re.MULTILINE))
"""What the receiver's unit sets, so that a reload takes the code of the version that the link leads to."""
ROOMS = ("schemas", "worker", "tasks", "receiver", "deploy")


def git(folder: Path, *words: str) -> str:
    """Run git; return what it printed."""
    author = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    done = subprocess.run(["git", "-C", folder, *author, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Server:
    """A repository of versions, and the installation that was cloned from it."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.source, self.home = folder / "source", folder / "opt"
        self.source.mkdir()
        for room in ROOMS:
            shutil.copytree(ROOT / room, self.source / room, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", ".gitignore"):
            shutil.copy(ROOT / name, self.source)
        git(self.source, "init", "--quiet", "--initial-branch=main")
        self.release("first")
        pip, python = folder / "pip.py", folder / "python-of-the-system"
        pip.write_text(PIP)
        base = getattr(sys, "_base_executable", sys.executable)
        python.write_text(PYTHON.format(python=base, packages=site.getsitepackages()[0], pip=pip))
        python.chmod(0o755)
        (folder / "says.py").write_text(SAYS)
        self.environ = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHON": str(python), "REDIS_URL": redis_url,
            "SWITCHBOARD_CONFIG": str(folder / "switchboard.toml"), "SWITCHBOARD_HOME": str(self.home),
            "SWITCHBOARD_ETC": str(folder), "HEALTHY": f"{sys.executable} {folder / 'says.py'}", "WITHIN_S": "15",
        }  # fmt: skip
        git(folder, "clone", "--quiet", str(self.source), str(self.home))
        subprocess.run(["sh", "deploy/setup.sh", "run"], cwd=self.home, env=self.environ, check=True)
        self.receiver = ReceiverProcess(
            folder, redis_url, arguments=("--processes", "2"), python=str(self.home / ".venv/bin/python"),
            code=self.home, PYTHONPATH="", **VARIABLES,
        )  # fmt: skip

    def release(self, says: str, *, file: str = "", text: str = "") -> str:
        """Commit a version whose /healthz says so; return its name."""
        health = (ROOT / "receiver/health.py").read_text()
        (self.source / "receiver/health.py").write_text(health.replace('"status": "ok"', f'"status": "{says}"', 1))
        (self.source / "says").write_text(says)
        if file:
            (self.source / file).write_text(text)
        git(self.source, "add", "--all", "--force")
        git(self.source, "commit", "--quiet", "--message", says)
        git(self.source, "tag", says)
        return git(self.source, "rev-parse", "--short=12", "HEAD")

    async def upgrade(self, to: str, **changes: str) -> tuple[int, str]:
        """Run the script of the present version; return its status and what it said."""
        environ = self.environ | {
            "RECEIVER": self.receiver.url, "RELOAD": f"kill -HUP {self.receiver.pid}",
            "CHECKS": ".venv/bin/switchboard check >/dev/null",
        } | changes  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            "sh", self.home / "deploy/upgrade.sh", to, env=environ, stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    def says(self) -> str:
        """Ask the receiver which version it is."""
        with urllib.request.urlopen(f"{self.receiver.url}/healthz", timeout=10) as reply:
            return str(json.load(reply)["status"])

    @property
    def present(self) -> str:
        """Return the name of the version that the link leads to."""
        return self.home.resolve().name


@pytest.fixture
def server(tmp_path, redis_url):
    """Return an installation, with its receiver running."""
    made = Server(tmp_path, redis_url)
    made.receiver.start()
    yield made
    made.receiver.stop()


@pytest.mark.load
async def test_three_upgrades_and_a_way_back_refuse_nothing(server, redis_url):
    """Under 200 webhooks a second: each version serves when the script ends, and every webhook is answered 200."""
    answers: Counter[str] = Counter()
    ended = asyncio.Event()
    load = asyncio.create_task(push(server.receiver, answers, ended=ended))
    for number, version in enumerate(("second", "third", "fourth"), 1):
        server.release(version)
        status, said = await server.upgrade(version)
        assert 0 == status, said
        await until(partial(reloaded, server.receiver, 2 * number), seconds=60)
        assert version == await asyncio.to_thread(server.says)
    status, said = await server.upgrade("--back")
    await until(partial(reloaded, server.receiver, 8), seconds=60)
    back = await asyncio.to_thread(server.says)
    ended.set()
    await load
    print(f"\n{answers.total()} webhooks over three upgrades and a way back: {dict(answers)}")

    assert (0, "third") == (status, back), said
    assert {"200"} == answers.keys()
    assert answers["200"] == len(await stored(redis_url))


@pytest.mark.load
async def test_a_version_with_a_fault_changes_nothing(server):
    """One that cannot be had, built or checked is not switched to; one that does not serve is left again."""
    first = await asyncio.to_thread(server.says)
    assert 1 == (await server.upgrade("no-such-version"))[0]
    server.release("unbuildable", file="deploy/setup.sh", text="exit 3\n")
    status, said = await server.upgrade("unbuildable")
    assert (1, True) == (status, "cannot be built" in said)
    shutil.copy(ROOT / "deploy/setup.sh", server.source / "deploy/setup.sh")
    server.release("good")
    status, said = await server.upgrade("good", CHECKS="false")
    assert (1, True) == (status, "does not pass its checks" in said)
    assert ("first", 0) == (await asyncio.to_thread(server.says), server.receiver.log().count("receiver.reloaded"))

    server.release("broken", file="receiver/lifecycle.py", text="raise SystemExit(1)\n")
    status, said = await server.upgrade("broken", WITHIN_S="8")

    assert (1, True, "first") == (status, "going back" in said, server.present)
    assert first == await asyncio.to_thread(server.says)
    await until(lambda: len(serving(server.receiver)) == 2, seconds=60)


@pytest.mark.load
async def test_old_versions_go_and_the_one_before_stays(server):
    """A version that runs is not built again; two upgrades at a time do not mix."""
    names = []
    for version in ("second", "third", "fourth", "fifth"):
        names.append(server.release(version))
        assert 0 == (await server.upgrade(version))[0]
    assert (0, True) == ((again := await server.upgrade("fifth"))[0], "runs already" in again[1])
    kept = {one.name for one in (server.folder / "opt-versions").iterdir() if one.is_dir()}

    assert names[-1] == server.present
    assert set(names[-2:]) <= kept
    assert "first" not in kept
    lock = server.folder / "opt-versions/.lock"
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        status, said = await server.upgrade("--back")

    assert (1, True) == (status, "another upgrade" in said)
