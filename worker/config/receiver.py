"""``[receiver]``: who may post, from where, and how much at once."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.config.faults import Faults, Path
from worker.config.tables import ReceiverTable, SenderTable, read_table
from worker.config.values import Network, is_loopback

_NAME = re.compile(r"[a-z0-9-]{1,40}")
_TABLE: Path = ("receiver",)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSettings:
    """One of ``[[receiver.senders]]``: a party that posts, and the services that it speaks for."""

    name: str
    tokens: tuple[str, ...] = field(repr=False)
    service_ids: tuple[str, ...]
    rate_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSettings:
    """``[receiver]``."""

    tokens: tuple[str, ...] = field(repr=False)
    senders: tuple[SenderSettings, ...] = ()
    """Instead of ``tokens``."""
    ops_tokens: tuple[str, ...] = field(repr=False)
    allow_networks: tuple[Network, ...]
    trusted_proxies: int
    proxy_networks: tuple[Network, ...] = ()
    max_connections: int = 2000
    max_body: int
    """Bytes."""

    @property
    def posting_tokens(self) -> tuple[str, ...]:
        """Return every token that may post, those of senders too; none means that anybody may."""
        return (*self.tokens, *(token for sender in self.senders for token in sender.tokens))


def read_receiver(document: Mapping[str, Any], faults: Faults) -> ReceiverSettings:
    """Read ``[receiver]`` and its senders, and note every broken rule."""
    table = document.get("receiver", {})
    read = read_table(ReceiverTable, table, _TABLE, faults, beside=("senders",))
    senders = _read_senders(table.get("senders", []) if isinstance(table, dict) else [], faults)
    if read["tokens"] and senders:
        faults.add((*_TABLE, "tokens"), "must not stand beside senders: give each token to its sender")
    settings = ReceiverSettings(**read, senders=senders)
    _look_for_doubles(settings, faults)
    if read["trusted_proxies"] and not settings.posting_tokens:
        faults.add(
            (*_TABLE, "trusted_proxies"), "needs tokens or senders: behind a proxy anybody could post without any"
        )
    return settings


def faults_of_host(settings: ReceiverSettings, host: str) -> list[str]:
    """Return what forbids to listen on ``host``; on loopback nothing does."""
    if is_loopback(host):
        return []
    faults = []
    if not settings.posting_tokens:
        faults.append(f"receiver.tokens: without any the receiver starts on loopback only, and HOST is {host}")
    if settings.trusted_proxies and not settings.proxy_networks:
        faults.append(
            "receiver.proxy_networks: without any the receiver trusts proxies on loopback only, "
            f"and HOST is {host}: whoever can connect could write X-Forwarded-For"
        )
    return faults


def _read_senders(tables: object, faults: Faults) -> tuple[SenderSettings, ...]:
    path: Path = (*_TABLE, "senders")
    if not isinstance(tables, list):
        faults.add(path, "must be written as [[receiver.senders]]")
        return ()
    senders: list[SenderSettings] = []
    for index, table in enumerate(tables):
        read = read_table(SenderTable, table, (*path, index), faults)
        name = read.get("name", "")
        if name and not _NAME.fullmatch(name):
            faults.add((*path, index, "name"), "must be 1 to 40 of a-z, 0-9 and -")
        if name in {sender.name for sender in senders}:
            faults.add((*path, index, "name"), f"there is another sender {name!r}")
        senders.append(
            SenderSettings(
                name=name, tokens=read.get("tokens", ()), service_ids=read.get("service_ids", ()),
                rate_per_s=read["rate"],
            )
        )  # fmt: skip
    return tuple(senders)


def _look_for_doubles(settings: ReceiverSettings, faults: Faults) -> None:
    """Note a token that stands twice: it would say nothing of who posts, or open what it must not."""
    seen: Counter[str] = Counter()
    for path, token in _places(settings):
        if path[1] == "ops_tokens" and token in settings.posting_tokens:
            faults.add(path[:2], "must not hold one of tokens: Delacon's tokens open no metrics")
        elif seen[token]:
            faults.add(path, "stands here twice")
        seen[token] += 1


def _places(settings: ReceiverSettings) -> Iterator[tuple[Path, str]]:
    for index, token in enumerate(settings.tokens):
        yield (*_TABLE, "tokens", index), token
    for place, sender in enumerate(settings.senders):
        for index, token in enumerate(sender.tokens):
            yield (*_TABLE, "senders", place, "tokens", index), token
    for index, token in enumerate(settings.ops_tokens):
        yield (*_TABLE, "ops_tokens", index), token
