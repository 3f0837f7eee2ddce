"""The commands of the README and of docs work as they stand."""

import importlib.metadata
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path
from typing import IO

import pytest

from tests.pages import pages

ROOT = Path(__file__).parents[1]
LIMIT_S = 150
STOP_S = 30


def sh_blocks() -> list[str]:
    """Return the sh blocks, the README's first; commands that stay up, or run the tests, stand in console blocks."""
    text = "\n".join(path.read_text() for path in pages())
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a fresh clone with the working tree's changes; its .venv borrows the packages of this one."""
    clone = tmp_path / "switchboard"
    if (ROOT / ".git").exists():
        clone_with_changes(clone, home=tmp_path)
    else:
        shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(".venv", "var", "__pycache__"))
    make_venv(clone)
    return clone


def clone_with_changes(clone: Path, *, home: Path) -> None:
    """Clone the repository and lay what is not committed yet over it; ``home`` gets a git configuration."""
    (home / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
    environ = os.environ | {"HOME": str(home)}
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], env=environ, check=True)
    command = ["git", "ls-files", "-z", "--modified", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listing.split("\0")):
        target = clone / name
        if (ROOT / name).is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        else:
            target.unlink(missing_ok=True)


def make_venv(clone: Path) -> None:
    """Make a .venv that make setup takes for its own, without installing anything."""
    folder = clone / ".venv"
    venv.create(folder, symlinks=True)
    site = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    # A plain line: .pth files of the borrowed folder, such as an editable install, are not followed.
    (site / "borrowed.pth").write_text(f"{clone}\n{sysconfig.get_path('purelib')}\n")
    scripts = {entry.name: entry.value for entry in importlib.metadata.entry_points(group="console_scripts")}
    scripts |= tomllib.loads((clone / "pyproject.toml").read_text())["project"]["scripts"]
    for name, value in scripts.items():
        module, _, function = value.partition(":")
        script = folder / "bin" / name
        shebang = f"#!{folder}/bin/python"
        script.write_text(f"{shebang}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
        script.chmod(0o755)
    for kind, lock in {"run": "requirements.lock", "dev": "requirements-dev.lock"}.items():
        with (clone / "deploy" / lock).open() as file:
            sum_ = subprocess.run(["cksum"], stdin=file, capture_output=True, text=True, check=True).stdout.strip()
        (folder / f"made-for-{kind}").write_text(f"{sum_} {platform.python_version()} {clone}\n")


def test_every_sh_block_runs_in_a_fresh_clone(clone: Path, tmp_path: Path) -> None:
    """The sh blocks, one after the other in one shell with an empty environment, end without a fault."""
    blocks = sh_blocks()
    script = "set -eu\n" + "\n".join(f"echo '--- block {number}'\n{block}" for number, block in enumerate(blocks, 1))
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    output = tmp_path / "output"
    with output.open("wb") as file:
        status = run_script(script, cwd=clone, environ=environ, output=file)

    assert blocks
    assert 0 == status, output.read_text()[-4000:]


def run_script(script: str, *, cwd: Path, environ: dict[str, str], output: IO[bytes]) -> int | str:
    """Run a script in its own session and return its status; one that does not end is stopped with all it started."""
    process = subprocess.Popen(
        ["sh", "-c", script],
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        return f"still running after {LIMIT_S} s"
    finally:
        if process.poll() is None:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
