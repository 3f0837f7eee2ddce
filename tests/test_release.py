"""make release: the version, the changelog's heading, a commit and a tag, or one sentence and nothing."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with this project's version and changelog, committed."""
    for name in ("pyproject.toml", "CHANGELOG.md"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "config", "user.name", "Tester")
    git(tmp_path, "config", "user.email", "tester@example.com")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it says."""
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def release(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script as make does."""
    command = [sys.executable, str(ROOT / "deploy/release.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_release_is_a_version_a_heading_a_commit_and_a_tag(repository: Path):
    """What was unreleased stands under the version and the day; the next release begins empty."""
    before = (repository / "CHANGELOG.md").read_text()
    done = release(repository, "7.8.9")

    after = (repository / "CHANGELOG.md").read_text()
    heading = re.search(r"^## \[Unreleased\]\n\n(## \[7\.8\.9\] - \d{4}-\d\d-\d\d\n)", after, re.MULTILINE)
    assert (0, "") == (done.returncode, done.stderr)
    assert heading
    assert before == after.replace(f"\n{heading[1]}", "", 1)
    assert "7.8.9" == tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]
    assert ("Release 7.8.9", "v7.8.9") == (git(repository, "log", "-1", "--format=%s"), git(repository, "describe"))
    assert "" == git(repository, "status", "--porcelain")


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        (["1.2"], "three numbers"),
        (["v1.2.3"], "three numbers"),
        ([], "three numbers"),
        (["0.0.9"], "is below the present"),
        (["7.8.9", "7.8.9"], "v7.8.9 is there already"),
        (["7.8.9", "7.9.0"], "nothing under"),
    ],
)
def test_what_cannot_be_released_is_told_and_changes_nothing(repository: Path, versions: list[str], said: str):
    """A wrong version, one that is there, one below, and a changelog without news."""
    for version in versions[:-1]:
        assert 0 == release(repository, version).returncode
    before = git(repository, "rev-parse", "HEAD")
    done = release(repository, *versions[-1:])

    assert 1 == done.returncode
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (before, "") == (git(repository, "rev-parse", "HEAD"), git(repository, "status", "--porcelain"))


def test_changes_that_are_not_committed_are_not_released(repository: Path):
    """The tag names what was tested."""
    (repository / "more").write_text("x")

    assert "not committed" in release(repository, "7.8.9").stderr
    assert "" == git(repository, "tag", "--list")
