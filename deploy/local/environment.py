"""The environment that the processes of a local stack run in, and what of it another terminal needs."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.folder import Folder

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
    standins: int | None
    """``None``: there are no stand-ins."""
    worker_metrics: int

    @property
    def near_host(self) -> str:
        """Give the address by which this machine itself reaches the receiver."""
        near = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return f"[{near}]" if ":" in near and not near.startswith("[") else near

    @property
    def receiver_url(self) -> str:
        """Give the receiver's address."""
        return f"http://{self.near_host}:{self.receiver}"

    @property
    def flower_url(self) -> str:
        """Give Flower's address."""
        return f"http://127.0.0.1:{self.flower}"

    @property
    def standins_url(self) -> str:
        """Give the stand-ins' address; empty when there are none."""
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
        """Give what another terminal needs."""
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
