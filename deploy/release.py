"""Makes a release: the version into pyproject.toml, a heading into CHANGELOG.md, a commit and a tag; pushes nothing.

``make release VERSION=1.0.0`` runs it, once the checks have passed.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

HEADING = "## [Unreleased]"
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_LINE = re.compile(r'^version = "([^"]+)"$', re.MULTILINE)


class ReleaseFault(Exception):
    """Raised when a release cannot be made; says why."""


def release(version: str, *, folder: Path, today: date) -> str:
    """Release what is committed in ``folder`` as ``version``; returns the tag. Raises ``ReleaseFault``."""
    if not _VERSION.fullmatch(version):
        raise ReleaseFault(f"VERSION must be three numbers, such as 1.2.3, not {version!r}")
    tag = f"v{version}"
    if _git(folder, "status", "--porcelain"):
        raise ReleaseFault("there are changes that are not committed")
    if _git(folder, "tag", "--list", tag):
        raise ReleaseFault(f"{tag} is there already")
    project, changelog = folder / "pyproject.toml", folder / "CHANGELOG.md"
    new = {
        project: numbered(project.read_text(), version),
        changelog: headed(changelog.read_text(), version, today),
    }
    for path, text in new.items():
        path.write_text(text)
    _git(folder, "add", "--", project.name, changelog.name)
    _git(folder, "commit", "--quiet", "--message", f"Release {version}")
    _git(folder, "tag", "--annotate", "--message", f"Switchboard {version}", tag)
    return tag


def numbered(project: str, version: str) -> str:
    """Return pyproject.toml with the version, which is not below the present one."""
    found = _LINE.search(project)
    if found is None:
        raise ReleaseFault("pyproject.toml names no version")
    if _numbers(version) < _numbers(found[1]):
        raise ReleaseFault(f"{version} is below the present {found[1]}")
    return _LINE.sub(f'version = "{version}"', project, count=1)


def headed(changelog: str, version: str, today: date) -> str:
    """Return the changelog with what was unreleased under the version's heading."""
    before, heading, rest = changelog.partition(f"{HEADING}\n")
    unreleased = rest.partition("\n## [")[0]
    if not heading or not unreleased.strip():
        raise ReleaseFault(f"CHANGELOG.md holds nothing under {HEADING}")
    return f"{before}{HEADING}\n\n## [{version}] - {today:%Y-%m-%d}\n{rest}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseFault(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def main(arguments: Sequence[str]) -> None:
    """Release the working directory's repository."""
    try:
        tag = release(arguments[0] if arguments else "", folder=Path.cwd(), today=datetime.now(UTC).date())
    except ReleaseFault as fault:
        raise SystemExit(f"Nothing was released: {fault}.") from None
    print(f"{tag} is committed and tagged. Look at it with `git show {tag}`, then: git push --follow-tags")


if __name__ == "__main__":
    main(sys.argv[1:])
