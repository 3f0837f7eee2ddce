"""The environment that the processes of a local stack run in, and what of it another terminal needs."""

import errno
import os
import random
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.folder import Folder
from deploy.local.processes import StackFault

# Below the ports that Linux, macOS and the BSDs give to outgoing connections, any of which might come in between.
_SPARE = range(20_000, 32_000)
_TRIES = 100


def is_free(host: str, port: int) -> bool:
    """Return whether nobody listens on a port; raises ``StackFault`` when this machine has no such address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: what a stopped one's connections leave behind is in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise StackFault(f"nothing can listen on {host}:{port}: {error.strerror}") from error
        return True


def asked_port(host: str, port: int, *, instead: str) -> int:
    """Return the port that was asked for, a free one for 0; raises ``StackFault`` when it is taken.

    ``instead`` says what the user may do then.
    """
    if port == 0:
        return spare_port()
    if not is_free(host, port):
        raise StackFault(f"port {port} is taken, another program listens on {host}:{port}: {instead}")
    return port


def usual_port(port: int) -> int:
    """Return the usual port on loopback, or a free one when it is taken."""
    return port if is_free("127.0.0.1", port) else spare_port()


def spare_port() -> int:
    """Return a free port of loopback that nothing else is likely to take before its process listens."""
    for port in random.sample(_SPARE, _TRIES):
        if is_free("127.0.0.1", port):
            return port
    raise StackFault("no free port was found on this machine")


LOCAL = Path(__file__).parent
BUNDLED = LOCAL / "switchboard.toml"
_CODE = LOCAL.parents[1]
_TOKEN_BYTES = 15  # 20 characters; the receiver wants 16
_FLOWER_USER = "switchboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the processes listen, all but Redis."""

    host: str
    """Of the receiver; all else is on loopback."""
    receiver: int
    flower: int
    console: int
    standins: int | None
    """``None``: there are no stand-ins."""
    worker_metrics: int

    @property
    def near_host(self) -> str:
        """Return the address by which this machine itself reaches the receiver."""
        near = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return f"[{near}]" if ":" in near and not near.startswith("[") else near

    @property
    def receiver_url(self) -> str:
        """Return the receiver's address."""
        return f"http://{self.near_host}:{self.receiver}"

    @property
    def flower_url(self) -> str:
        """Return Flower's address."""
        return f"http://127.0.0.1:{self.flower}"

    @property
    def console_url(self) -> str:
        """Return the web console's address."""
        return f"http://127.0.0.1:{self.console}"

    @property
    def standins_url(self) -> str:
        """Return the stand-ins' address; empty when there are none."""
        return f"http://127.0.0.1:{self.standins}" if self.standins else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEnvironment:
    """Variables by name; the tokens among them are made for this run where none were given."""

    variables: Mapping[str, str] = field(repr=False)
    made: frozenset[str]
    """The names of those that were made for this run."""
    shared: tuple[str, ...]
    """The names of those that a command in another terminal needs."""

    def __getitem__(self, name: str) -> str:
        return self.variables[name]

    @property
    def for_terminals(self) -> dict[str, str]:
        """Return what another terminal needs."""
        return {name: self.variables[name] for name in self.shared}


def compose(
    environ: Mapping[str, str], *, folder: Folder, config: Path | None, redis_url: str, ports: Ports
) -> StackEnvironment:
    """Lay over the user's environment what the stack decides; ``config`` ``None`` is the bundled one."""
    data = folder.data.resolve()
    made = {
        "DELACON_TOKEN": secrets.token_urlsafe(_TOKEN_BYTES),
        "FLOWER_BASIC_AUTH": f"{_FLOWER_USER}:{secrets.token_urlsafe(_TOKEN_BYTES)}",
    }
    made = {name: value for name, value in made.items() if not environ.get(name)}
    decided = {
        "REDIS_URL": redis_url,
        "SWITCHBOARD_CONFIG": str((config or BUNDLED).resolve()),
        "PORT": str(ports.receiver),
        "CONSOLE_HOST": "127.0.0.1",
        "CONSOLE_PORT": str(ports.console),
        "CONSOLE_URL": ports.console_url,
        "FLOWER_URL": ports.flower_url,
        "SPOOL_PATH": environ.get("SPOOL_PATH", str(data / "spool.db")),
    }
    shared = [*decided, "DELACON_TOKEN"]
    if ports.standins is not None:
        decided["STANDINS_URL"] = ports.standins_url
        shared.append("STANDINS_URL")
    # The code is found from any working directory, also where it was not installed.
    path = os.pathsep.join(filter(None, [str(_CODE), environ.get("PYTHONPATH", "")]))
    own = {"HOST": ports.host, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    return StackEnvironment(variables={**environ, **made, **decided, **own}, made=frozenset(made), shared=tuple(shared))
