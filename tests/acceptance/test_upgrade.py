"""An upgrade in place: deploy/setup.sh beside a running receiver, and SIGHUP to its master."""

import asyncio
import os
import shutil
import signal
import site
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.receiver_process import ROOT, ReceiverProcess, stored, until
from tests.acceptance.test_receiver_master import count, push, reloaded, serving

INSTALL_S = 12.0  # what pip takes in this test
PIP = f"""
import pathlib, sys, time
time.sleep({INSTALL_S})
command = pathlib.Path(sys.prefix, "bin", "switchboard")
command.write_text("#!/bin/sh\\n")
command.chmod(0o755)
"""
PYTHON = """#!/bin/sh
# Makes real environments with everything that the tests have, and a pip that only takes its time.
[ "$1 $2" = "-m venv" ] || exec {python} "$@"
for place; do :; done
{python} -m venv --without-pip "$place" || exit 1
for packages in "$place"/lib/python*/site-packages; do
    echo {packages} >"$packages/tests.pth"
    mkdir "$packages/pip"
    cp {pip} "$packages/pip/__main__.py"
done
"""


class Installation:
    """A copy of the project that is set up and upgraded as on a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "opt"
        self.folder.mkdir()
        for room in ("schemas", "worker", "tasks", "receiver", "deploy"):
            shutil.copytree(ROOT / room, self.folder / room, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", self.folder)
        self._python = folder / "python-of-the-system"
        pip = folder / "pip.py"
        pip.write_text(PIP)
        base = getattr(sys, "_base_executable", sys.executable)
        self._python.write_text(PYTHON.format(python=base, packages=site.getsitepackages()[0], pip=pip))
        self._python.chmod(0o755)

    @property
    def present(self) -> Path:
        """Return the folder that ``.venv`` stands for."""
        return (self.folder / ".venv").resolve()

    async def set_up(self) -> None:
        """Run deploy/setup.sh; its status must be 0."""
        environ = {"PATH": os.environ["PATH"], "PYTHON": str(self._python), "REDIS_URL": "redis://127.0.0.1"}
        done = await asyncio.create_subprocess_exec("sh", "deploy/setup.sh", "run", cwd=self.folder, env=environ)
        assert 0 == await done.wait()

    async def set_up_as_before(self) -> None:
        """Make ``.venv`` as earlier versions did: a folder."""
        done = await asyncio.create_subprocess_exec(self._python, "-m", "venv", self.folder / ".venv")
        assert 0 == await done.wait()

    def change(self, answer: str) -> None:
        """Put other code there, as ``git pull`` does: another lock file, and another answer of /healthz."""
        with (self.folder / "deploy/requirements.lock").open("a") as lock:
            lock.write(f"# {answer}\n")
        ops = self.folder / "receiver/health.py"
        ops.write_text(
            (ROOT / "receiver/health.py").read_text().replace('{"status": "ok"}', f'{{"status": "{answer}"}}', 1)
        )

    def receiver(self, redis_url: str) -> ReceiverProcess:
        """Return a master of two receivers that runs from ``.venv``, as the systemd unit does."""
        python = str(self.folder / ".venv/bin/python")
        return ReceiverProcess(
            self.folder.parent,
            redis_url,
            arguments=("--processes", "2"),
            python=python,
            code=self.folder,
            PYTHONPATH="",
        )


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Return an installation that nobody has set up yet."""
    made = Installation(tmp_path)
    yield made
    shutil.rmtree(made.folder)


@pytest.mark.parametrize("layout", ["a folder", "a link"])
async def test_an_upgrade_refuses_nothing_and_serves_the_new_code(installation, redis_url, session, layout):
    """Under 200 webhooks a second: set up beside it, then SIGHUP; what dies meanwhile is started again."""
    await (installation.set_up() if layout == "a link" else installation.set_up_as_before())
    before = installation.present
    receiver = installation.receiver(redis_url)
    receiver.start()
    try:
        await until(lambda: count(receiver, "receiver.listening") == 2)
        installation.change("as-of-today")
        setting_up = asyncio.create_task(installation.set_up())
        await until(lambda: list((installation.folder / ".venvs").glob("*/lib/*/site-packages/pip")))
        os.kill(serving(receiver)[0], signal.SIGKILL)
        await until(lambda: count(receiver, "receiver.listening") == 3, seconds=INSTALL_S)
        assert not setting_up.done()

        answers: Counter[str] = Counter()
        ended = asyncio.Event()
        load = asyncio.create_task(push(receiver, answers, ended=ended))
        await setting_up
        os.kill(receiver.pid, signal.SIGHUP)
        await until(partial(reloaded, receiver, 2), seconds=60)
        await until(lambda: len(serving(receiver)) == 2, seconds=60)
        async with session.get(f"{receiver.url}/healthz") as reply:
            said = await reply.json()
        ended.set()
        await load
    finally:
        receiver.stop()

    assert {"status": "as-of-today"} == said
    assert {"200"} == answers.keys()
    assert answers["200"] == len(await stored(redis_url))
    assert (True, True) == (before != installation.present, (installation.folder / ".venv").is_symlink())


async def test_an_environment_that_is_made_is_left_alone_and_old_ones_go(installation):
    """A second run does nothing; the one before the present one is kept, for what still runs from it."""
    await installation.set_up()
    first = installation.present
    await installation.set_up()
    assert first == installation.present
    for answer in ("second", "third"):
        installation.change(answer)
        last = installation.present
        await installation.set_up()

    kept = {place.resolve() for place in (installation.folder / ".venvs").iterdir()}
    assert {last, installation.present} == kept
    assert first not in kept
