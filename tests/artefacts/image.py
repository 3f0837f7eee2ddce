"""The Dockerfile without a container engine: its COPY and RUN steps, done in an empty folder as they stand."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile, continued lines joined, without comments."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def context(folder: Path) -> Path:
    """Copy what .dockerignore lets through; every file that it excludes is missing, as for a builder."""
    lines = (ROOT / "deploy/Dockerfile.dockerignore").read_text().split()
    assert lines[0] == "*"
    for name in (line[1:] for line in lines if line.startswith("!")):
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(*(one[3:] for one in lines if "**/" in one)))
        else:
            shutil.copy(source, target)
    return folder


class Image:
    """What the last stage holds, in a folder of its own, with the environment, the user and the command it names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stages: dict[str, Path] = {}
        self.root = folder
        self.environ: dict[str, str] = {}
        self.workdir = "/"
        self.user = self.command = self.health = ""

    def build(self) -> None:
        """Do every step in its order; raises ``CalledProcessError`` where one fails."""
        source = context(self._new("context"))
        for word, rest in instructions(DOCKERFILE.read_text()):
            match word:
                case "FROM":
                    self._begin(rest)
                case "WORKDIR":
                    self.workdir = rest
                    self.place(rest).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(shlex.split(rest), source)
                case "RUN":
                    subprocess.run(
                        ["sh", "-ec", self.here(rest)], cwd=self.place(self.workdir), env=self.variables(), check=True
                    )
                case "ENV":
                    for pair in shlex.split(rest):
                        name, _, value = pair.partition("=")
                        self.environ[name] = value.replace("$PATH", self.environ["PATH"])
                case "USER":
                    self.user = rest
                case "HEALTHCHECK":
                    self.health = rest[rest.index("CMD") + 3 :].strip()
                case "CMD":
                    self.command = rest
                case "EXPOSE" | "VOLUME":
                    pass
                case _:
                    raise AssertionError(f"{word}: not known here")

    def place(self, path: str) -> Path:
        """Return where a path of the image is on this machine."""
        return self.root / path.lstrip("/") if path.startswith("/") else self.place(self.workdir) / path

    def here(self, text: str) -> str:
        """Return a command with the paths of the image as they are on this machine."""
        return re.sub(r"(?<![\w./$}])/(?=(opt|build|var|usr|etc)\b)", f"{self.root}/", text)

    def variables(self, **changes: str) -> dict[str, str]:
        """Return the environment of a process in the image; the machine's own package index still holds."""
        machine = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name == "HOME"}
        ours = {name: ":".join(map(self.here, value.split(":"))) for name, value in self.environ.items()}
        return machine | ours | changes

    def run(self, exec_form: str, environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Start a command of the image as its user, who owns nothing but the spool's folder."""
        user, group = self.user.split(":")
        command = json.loads(exec_form)
        if os.geteuid() == 0:  # reads what only root may, for the interpreter may stand in root's home; writes nothing
            as_user = [f"--reuid={user}", f"--regid={group}", "--clear-groups"]
            rights = [f"--{kind}-caps=-all,+dac_read_search" for kind in ("inh", "ambient")]
            command = ["setpriv", *as_user, *rights, *command]
        return subprocess.Popen(command, cwd=self.place(self.workdir), env=dict(environ))

    def _begin(self, base: str) -> None:
        _, _, name = base.partition(" AS ")
        self.root = self._new(name or "image")
        self._stages[name] = self.root
        self.workdir = "/"
        (self.root / "opt").mkdir()
        (self.root / "var/lib").mkdir(parents=True)
        python = self.root / "usr/local"  # the base image's interpreter, which has a pip
        real = getattr(sys, "_base_executable", sys.executable)
        subprocess.run([real, "-m", "venv", "--copies", python], check=True)
        self.environ = {"PATH": "/usr/local/bin:/usr/bin:/bin"}

    def _copy(self, words: list[str], source: Path) -> None:
        place = self._stages[words.pop(0).split("=")[1]] if words[0].startswith("--from=") else source
        *names, target = words
        for name in names:
            found, there = place / name.lstrip("/"), self.place(target)
            if found.is_dir():
                shutil.copytree(found, there, symlinks=True, dirs_exist_ok=True)
            else:
                to = there / found.name if target.endswith("/") else there
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(found, to)

    def _new(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(mode=0o755)
        return folder


def bill_of_materials(image: Image, tool: str, target: Path) -> dict[str, Any]:
    """Write the CycloneDX bill of materials of the image's packages, and return it."""
    python = image.place("/opt/venv/bin/python")
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application", "--output-reproducible"]
    subprocess.run([tool, "environment", *options, "--output-file", str(target), str(python)], check=True)
    bill: dict[str, Any] = json.loads(target.read_text())
    return bill


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        built = Image(Path(name))
        built.build()
        bill_of_materials(built, sys.argv[1], Path(sys.argv[2]))
