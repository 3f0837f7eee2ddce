"""The folder of a local stack: one stack at a time, its data, its logs, the environment for other terminals."""

import fcntl
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.local.processes import StackFault
from deploy.local.redis_server import ServerVersion


class Folder:
    """``var`` in the working directory; ``make clean`` removes it.

    What a stack writes lies in ``var/up``, apart from the spool and the data of processes that were started otherwise.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "up"
        self.logs = root / "log"
        self.environment = self.data / "env"
        self._version = self.data / "redis" / "version"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder; raises ``StackFault`` when another stack holds it. The kernel lets go of a killed one's."""
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.root / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StackFault(f"the folder {self.root} cannot be written: {error.strerror}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(descriptor, 100).decode(errors="replace").strip()
                raise StackFault(
                    f"switchboard up runs in this folder already, as process {holder}: stop that one first, "
                    "or start this one in another folder"
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def clear(self) -> None:
        """Remove the data of the stack that ran here before."""
        shutil.rmtree(self.data, ignore_errors=True)

    def note_version(self, version: ServerVersion) -> None:
        """Note which server writes the data."""
        self._version.write_text(f"{version}\n")

    def kept_version(self) -> ServerVersion | None:
        """Return which server wrote the data; ``None`` when there are none, or none that were noted."""
        try:
            return ServerVersion.parse(self._version.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def log_of(self, name: str) -> Path:
        """Return the log of a process."""
        return self.logs / f"{name}.log"

    @contextmanager
    def environment_shown(self, variables: Mapping[str, str]) -> Iterator[None]:
        """Keep a file while the stack runs that sets these variables in another terminal: ``. var/up/env``.

        The data folder is made for its owner's eyes alone: it holds calls and tokens.
        """
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
        self.environment.unlink(missing_ok=True)
        self.environment.touch(mode=0o600)
        self.environment.write_text(text)
        try:
            yield
        finally:
            self.environment.unlink(missing_ok=True)
