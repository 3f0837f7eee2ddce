"""The systemd units: rated by systemd itself, and their commands run under what their directives allow."""

import os
import pwd
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.acceptance.receiver_process import CONFIG, ROOT

UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
WORST = 15  # of 100: what systemd-analyze prints as 1.5
FILTERS = re.compile(r"^SystemCallFilter=(.*)$", re.MULTILINE)
NOBODY = pwd.getpwnam("nobody").pw_uid
SIGNS = {"receiver": "receiver.listening", "worker@": " ready.", "console": "listening", "flower": "Visit"}
"""What a process logs once it serves."""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
with_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")


@with_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_rates_the_unit_as_safe(unit):
    """An exposure of 1.5 at most."""
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={WORST}", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "Overall exposure level" in done.stdout
    assert 0 == done.returncode, done.stdout[-200:]


@with_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_knows_every_directive(unit, tmp_path):
    """``systemd-analyze verify`` finds nothing, once the programs are where they will be."""
    text = re.sub(r"^(ExecStart=)\S+", rf"\g<1>{sys.executable}", unit.read_text(), flags=re.MULTILINE)
    copy = tmp_path / unit.name
    copy.write_text(re.sub("^(User=|Documentation=).*\n", "", text, flags=re.MULTILINE))
    name = str(copy).replace("@.", "@1.")
    if name != str(copy):
        shutil.copy(copy, name)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", name], capture_output=True, text=True, check=False)

    assert "" == "\n".join(line for line in done.stderr.splitlines() if unit.stem.rstrip("@") in line)


def allowed(unit: Path) -> str:
    """Return the system calls that a unit's filters leave, by systemd's own lists."""
    names: set[str] = set()
    for line in FILTERS.findall(unit.read_text()):
        sets = line.removeprefix("~").split()
        listed = set().union(*(calls(one) for one in sets))
        names = names - listed if line.startswith("~") else names | listed
    return ",".join(sorted(names))


def calls(name: str) -> set[str]:
    """Return the system calls of one of systemd's sets, those of the sets in it too."""
    done = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    found: set[str] = set()
    for word in (line.strip() for line in done.stdout.splitlines()[1:]):
        found |= calls(word) if word.startswith("@") else {word} if word and word[0] != "#" else set()
    return found


@as_root
@with_systemd
@pytest.mark.parametrize("unit", SIGNS)
def test_the_unit_s_command_works_under_its_restrictions(unit, redis_url, free_port, tmp_path):
    """As another user, without capabilities, with only the system calls that are left, the process serves."""
    sign = SIGNS[unit]
    path = ROOT / f"deploy/systemd/switchboard-{unit}.service"
    command = re.search(r"^ExecStart=(.*)$", path.read_text(), re.MULTILINE)
    assert command
    words = command[1].replace("/opt/switchboard/.venv/bin/", "").replace("%i", "1").replace("%%", "%").split()
    words[:1] = [sys.executable] if words[0] == "python" else [sys.executable, "-m", words[0]]
    spool = Path("/tmp") / f"switchboard-{os.getpid()}"
    spool.mkdir(mode=0o700, exist_ok=True)
    os.chown(spool, NOBODY, NOBODY)
    (tmp_path / "switchboard.toml").write_text(CONFIG)
    environ = {
        **os.environ,
        "REDIS_URL": redis_url,
        "SWITCHBOARD_CONFIG": str(tmp_path / "switchboard.toml"),
        "PORT": str(free_port),
        "SPOOL_PATH": str(spool / "spool.db"),
        "CONSOLE_PORT": str(free_port),
        "PYTHONPATH": str(ROOT),
        "FLOWER_BASIC_AUTH": "operator:a-long-password",
        "LOG_FORMAT": "json",
        "HOME": "/",
        "FLOWER_PORT": "0",
    }
    log = tmp_path / "log"
    confined = [sys.executable, str(ROOT / "tests/artefacts/confined.py"), str(NOBODY), allowed(path)]
    with log.open("wb") as file:
        process = subprocess.Popen([*confined, *words], cwd=ROOT, env=environ, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + 40
        while sign not in log.read_text() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert sign in log.read_text(), log.read_text()[-2000:]
        if unit == "receiver":
            urllib.request.urlopen(f"http://127.0.0.1:{free_port}/readyz", timeout=10).close()
    finally:
        status = ended(process)
        shutil.rmtree(spool)

    # Flower may miss a signal while it starts; its unit gives it 10 s and then kills it.
    assert status == 0 or unit == "flower", log.read_text()[-2000:]


def ended(process: "subprocess.Popen[bytes]") -> int | None:
    """Stop a process; return its status, or ``None`` where it had to be killed."""
    process.terminate()
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


@as_root
def test_the_wrapper_runs_the_command_line_as_the_units_run(tmp_path):
    """Their user and variables, the last of a name; what looks like a command in a value is left as it is."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    program = tmp_path / ".venv/bin/switchboard"
    program.write_text('#!/bin/sh\nid -u\necho "$REDIS_URL|$KEY|$ROLE_ONLY|${SWITCHBOARD_ROLE-none}|$*"\n')
    program.chmod(0o755)
    (tmp_path / "env").write_text("# a comment\nREDIS_URL=redis://h/0\nKEY=first\n\nSWITCHBOARD_ROLE=receiver\n")
    (tmp_path / "worker.env").write_text("KEY=a b $(id) `id` 'q'\nROLE_ONLY=yes")
    for place in (tmp_path, *tmp_path.parents[:-2]):
        place.chmod(0o755)
    wrapper = tmp_path / "wrapper"
    text = (ROOT / "deploy/systemd/switchboard").read_text()
    text = text.replace("home=/opt/switchboard", f"home={tmp_path}").replace("etc=/etc/switchboard", f"etc={tmp_path}")
    wrapper.write_text(text.replace("user=switchboard", "user=nobody").replace("--regid=$user", "--regid=nogroup"))
    done = subprocess.run(["sh", wrapper, "calls", "show"], capture_output=True, text=True, check=True)

    assert [str(NOBODY), "redis://h/0|a b $(id) `id` 'q'|yes|none|calls show"] == done.stdout.splitlines()
