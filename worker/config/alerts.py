"""``[[alerts]]``: what is told to whom, and when (contract, section 11)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from marshmallow import Schema

from schemas.hours import Hours
from schemas.options import Option, duration_s, flag, hours, secret, text, written_as, zone
from worker.config import values
from worker.config.faults import Faults, Path
from worker.config.tables import read_table

CAUSES = (
    "dead_letter", "blocked", "circuit_open", "overdue", "unrouted", "quarantined", "spooled", "refused", "drift",
    "silence", "audit",
)  # fmt: skip
"""In the order of the contract."""

DEFAULT_FOR_S = 300.0
_WEB = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTarget:
    """Where messages go: a web address, which we post JSON to, or an address of Apprise's."""

    address: str = field(repr=False)
    """Holds keys more often than not."""
    secret: str = field(default="", repr=False)
    """The key that signs a JSON webhook; empty: it is not signed."""

    @property
    def name(self) -> str:
        """Return a short name, which tells addresses apart and shows none of them."""
        return digest(self.address)

    @property
    def is_web(self) -> bool:
        """Return whether we post to it ourselves."""
        return self.address.partition(":")[0].lower() in _WEB

    @property
    def shown(self) -> str:
        """Return what may be shown of it: the host of a web address, the kind of any other, and the short name."""
        scheme = self.address.partition(":")[0].lower()
        where = f"{scheme}://{urlsplit(self.address).hostname}" if self.is_web else f"{scheme}:"
        return f"{where} ({self.name})"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One of ``[[alerts]]``."""

    when: tuple[str, ...]
    for_s: float
    """How long a cause must hold until it is told."""
    hours: Hours | None
    timezone: ZoneInfo | None
    destinations: tuple[str, ...]
    """Those that are meant; empty: all."""
    to: tuple[AlertTarget, ...]

    def id_of(self, cause: str) -> str:
        """Return the name of a cause of this rule: another one once the rule is changed."""
        rest = (
            self.for_s,
            self.hours.text if self.hours else "",
            str(self.timezone),
            self.destinations,
            [target.name for target in self.to],
        )
        return f"{cause}-{digest(repr(rest))}"

    def in_hours(self, now: datetime) -> bool:
        """Return whether a message may begin now."""
        return self.hours is None or self.timezone is None or self.hours.covers(now, self.timezone)

    def elapsed_s(self, since: datetime, now: datetime) -> float:
        """Return the seconds between two moments, of the rule's hours only."""
        if self.hours is None or self.timezone is None:
            return (now - since).total_seconds()
        return self.hours.within_s(since, now, self.timezone)


def digest(text: str) -> str:
    """Return a short name of a text."""
    return blake2b(text.encode(), digest_size=5).hexdigest()


@written_as(enum=list(CAUSES))
def _cause(value: object) -> str:
    if value not in CAUSES:
        raise ValueError(f"must be one of {', '.join(CAUSES)}")
    return str(value)


def _address(value: object) -> str:
    """Read an address; the fault does not show it, for it may hold a key."""
    address = secret(value)
    scheme, colon, rest = address.partition(":")
    if not colon or not rest.startswith("//") or not scheme.replace("+", "").replace("-", "").isalnum():
        raise ValueError("must be an address such as https://example.com/hook, or one of Apprise's")
    if scheme.lower() not in _WEB:
        if find_spec("apprise") is None:
            raise ValueError("is an address of Apprise's, which is not installed: pip install 'switchboard[alerts]'")
        return address
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("must be an address such as https://example.com/hook") from error
    if not host or parts.username is not None or parts.password is not None or "#" in address:
        raise ValueError("must name a host, and hold no user name, password or fragment")
    return address


AlertTable = Schema.from_dict(  # not a class: `for` is a word of Python's
    {
        "when": Option(values.list_of(_cause), required=True),
        "for": Option(duration_s, default=DEFAULT_FOR_S),
        "hours": Option(hours),
        "timezone": Option(zone),
        "destinations": Option(values.list_of(text, empty=True), default=()),
        "to": Option(values.list_of(_address), required=True),
        "secret": Option(secret),
        "allow_http": Option(flag, default=False),
    },
    name="AlertTable",
)
"""One of ``[[alerts]]``."""


def read_alerts(document: Mapping[str, Any], faults: Faults) -> tuple[AlertRule, ...]:
    """Read every ``[[alerts]]``, and note every broken rule."""
    tables = document.get("alerts", [])
    if not isinstance(tables, list):
        faults.add(("alerts",), "must be written as [[alerts]]")
        return ()
    destinations = document.get("destinations")
    names = destinations.keys() if isinstance(destinations, dict) else ()
    rules: dict[tuple[str, ...], AlertRule] = {}
    for index, table in enumerate(tables):
        rule = _read_rule(("alerts", index), table, names=names, faults=faults)
        ids = tuple(map(rule.id_of, rule.when))
        if any(not set(ids).isdisjoint(known) for known in rules):
            faults.add(("alerts", index, "when"), "holds a cause that an equal [[alerts]] before it tells already")
        rules[ids] = rule
    return tuple(rules.values())


def _read_rule(path: Path, table: object, *, names: Collection[str], faults: Faults) -> AlertRule:
    read = read_table(AlertTable, table, path, faults)
    for index, name in enumerate(read["destinations"]):
        if name not in names:
            faults.add((*path, "destinations", index), f"there is no destination {name!r}")
    if read["hours"] is not None and read["timezone"] is None:
        faults.add((*path, "hours"), "needs a timezone")
    for index, address in enumerate(read.get("to", ())):
        host = urlsplit(address).hostname or ""
        plain = address.lower().startswith("http://")
        if plain and not (read["allow_http"] or values.is_loopback(host)):
            faults.add((*path, "to", index), "must be https, unless the host is loopback or allow_http is set")
    return AlertRule(
        when=tuple(dict.fromkeys(read.get("when", ()))),
        for_s=read["for"],
        hours=read["hours"],
        timezone=read["timezone"],
        destinations=read["destinations"],
        to=tuple(
            AlertTarget(address=address, secret=read["secret"] or "") for address in dict.fromkeys(read.get("to", ()))
        ),
    )
