"""``switchboard up`` as a process of a test, in a folder and on ports of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 90.0
_OURS = ("REDIS_URL", "SWITCHBOARD_CONFIG", "DELACON_TOKEN", "SPOOL_PATH", "PORT", "HOST", "FLOWER_BASIC_AUTH")


class Up:
    """One ``switchboard up``; its output is in files, so that nothing blocks it."""

    def __init__(self, folder: Path, *options: str, **environ: str) -> None:
        self.folder = folder
        self._files = [folder / f"{name}.txt" for name in ("stdout", "stderr")]
        clean = {name: value for name, value in os.environ.items() if name not in _OURS}
        stdout, stderr = (file.open("wb") for file in self._files)
        with stdout, stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", "up", "--port", "0", *options],
                cwd=folder,
                env={**clean, "PYTHONPATH": str(ROOT), "FLOWER_PORT": "0", **environ},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )

    @property
    def stdout(self) -> str:
        """Return what it printed so far."""
        return self._files[0].read_text()

    @property
    def stderr(self) -> str:
        """Return what it said on standard error so far."""
        return self._files[1].read_text()

    def wait(self) -> int:
        """Wait for its end and return its status."""
        return self.process.wait(LIMIT_S)

    def wait_for(self, text: str) -> None:
        """Poll until a text stands in its output; fails with all of it."""
        self.wait_until(lambda: text in self.stdout, text)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Poll until a condition holds; fails with the output so far."""
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"{what}: not seen\n{self.stdout}\n{self.stderr}")
            time.sleep(0.05)

    def children(self) -> dict[int, str]:
        """Return the processes that run in its folder, but for itself, by their ids, with their commands."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "cwd").readlink() == self.folder and int(entry.name) != self.process.pid:
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # ended meanwhile, or somebody else's
                continue
        return found

    def wait_for_children_to_end(self) -> None:
        """Poll until nothing runs in its folder any more."""
        deadline = time.monotonic() + LIMIT_S
        while found := self.children():
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def child(self, words: str) -> int:
        """Return the id of the one process whose command holds some words."""
        [pid] = [pid for pid, command in self.children().items() if words in command]
        return pid

    def end(self) -> None:
        """Kill whatever still runs."""
        for pid in [self.process.pid, *self.children()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()
