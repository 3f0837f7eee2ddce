"""``[console]`` of the configuration file: who may look, who may act, and for how long it is remembered."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

from marshmallow import Schema

from schemas.options import Option, one_of, text
from worker.config import values
from worker.config.faults import Faults, Path
from worker.config.tables import DAY, read_table

Role = Literal["operator", "viewer"]
USER_NAME = re.compile(r"[A-Za-z0-9._@-]{1,100}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleUser:
    """One of ``[console.users]``."""

    name: str
    password: str = field(repr=False)
    """An argon2id hash as ``switchboard console password`` makes it; empty where a proxy names the user."""
    role: Role
    destinations: frozenset[str] | None
    """What the user sees and handles; ``None``: all."""

    @property
    def fingerprint(self) -> str:
        """Return a digest of everything that is set for this user: a session made before a change of it is dead."""
        parts = (self.name, self.password, self.role, *sorted(self.destinations or ()), str(self.destinations is None))
        return blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()

    def sees(self, destination: str) -> bool:
        """Return whether the user may see and handle a destination."""
        return self.destinations is None or destination in self.destinations


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """``[console]`` (contract, section 10)."""

    users: Mapping[str, ConsoleUser]
    trusted_header: str | None
    """The header in which an authenticating proxy names the user."""
    proxy_networks: tuple[values.Network, ...]
    audit_retention_s: float


class ConsoleTable(Schema):
    """``[console]``; ``users`` are read beside it."""

    trusted_header: Option[str | None] = Option(text)
    proxy_networks: Option[tuple[values.Network, ...]] = Option(values.list_of(values.network, empty=True), default=())
    audit_retention = Option(values.positive_s, default=400 * DAY)


class UserTable(Schema):
    """One of ``[console.users]``."""

    password: Option[str | None] = Option(text)
    role = Option(one_of("operator", "viewer"), default="viewer")
    destinations: Option[tuple[str, ...] | None] = Option(values.list_of(text))


def read_console(document: Mapping[str, Any], faults: Faults) -> ConsoleSettings:
    """Read ``[console]``; without it there are no users, and the console serves loopback alone."""
    path: Path = ("console",)
    table = document.get("console", {})
    read = read_table(ConsoleTable, table, path, faults, beside=("users",))
    names = document.get("destinations")
    users = _users(table, faults, destinations=names.keys() if isinstance(names, dict) else ())
    header = read["trusted_header"]
    if header is not None:
        if not _HEADER.fullmatch(header):
            faults.add((*path, "trusted_header"), "must be the name of a header, such as X-Forwarded-User")
        if not read["proxy_networks"]:
            faults.add((*path, "proxy_networks"), "is required with trusted_header: who else may name the user?")
        if not users:
            faults.add((*path, "trusted_header"), "needs users: whom the proxy names must stand in console.users")
    for name, user in users.items():
        if not user.password and header is None:
            faults.add((*path, "users", name, "password"), "is required; `switchboard console password` makes it")
    return ConsoleSettings(
        users=users, trusted_header=header, proxy_networks=read["proxy_networks"],
        audit_retention_s=read["audit_retention"],
    )  # fmt: skip


def _users(table: object, faults: Faults, *, destinations: Collection[str]) -> dict[str, ConsoleUser]:
    tables = table.get("users", {}) if isinstance(table, dict) else {}
    if not isinstance(tables, dict):
        faults.add(("console", "users"), "must be tables such as [console.users.ann]")
        return {}
    users: dict[str, ConsoleUser] = {}
    for name, one in tables.items():
        path: Path = ("console", "users", name)
        if not USER_NAME.fullmatch(name):
            faults.add_name(path, "the name must be 1 to 100 of letters, digits and . _ @ -")
        read = read_table(UserTable, one, path, faults)
        if read["password"] is not None and not read["password"].startswith("$argon2id$"):
            faults.add((*path, "password"), "must be an argon2id hash; `switchboard console password` makes it")
        seen: tuple[str, ...] | None = read["destinations"]
        for index, destination in enumerate(seen or ()):
            if destination not in destinations:
                faults.add((*path, "destinations", index), f"there is no destination {destination!r}")
        users[name] = ConsoleUser(
            name=name, password=read["password"] or "", role=read["role"],
            destinations=None if seen is None else frozenset(seen),
        )  # fmt: skip
    return users
