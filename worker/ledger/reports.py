"""The reports of the receivers' processes, for readers that see the ledger alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from worker.ledger.ledger import Ledger

FORGOTTEN_MS = 7 * 86_400_000
"""How long a spool that nobody drains is shown after its receiver's last report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One process of a receiver."""

    name: str
    """Of the machine and the process."""
    at_ms: int = 0
    """By the ledger's clock."""
    config: str = ""
    heard_ms: int = 0
    """When it last took a webhook; 0: not yet."""
    spool: str = ""
    """A short name of its spool's file on its machine; empty: none."""
    spooled: int = 0
    """Events that wait there."""
    spooled_since_ms: int = 0
    """The receipt of the oldest of those that waited together last; 0: none ever did."""
    spooled_until_ms: int = 0
    """When the last of them had left; 0: they wait still."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """By reason, since the process began."""
    refused_ms: int = 0
    """When it last refused something."""
    journal: str = ""
    """Why it does not keep its journal at this moment; empty: it does, or is to keep none."""

    def dump(self) -> str:
        """Write it for the ledger; names and values that say nothing are left out."""
        values = {name: getattr(self, name) for name in _WRITTEN}
        return orjson.dumps({name: value for name, value in values.items() if value}).decode()


_WRITTEN = (
    "config", "spool", "spooled", "spooled_since_ms", "spooled_until_ms", "refused", "refused_ms", "journal",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """All of them, and when any last took a webhook."""

    heard_ms: int
    processes: tuple[Report, ...]


async def report(ledger: Ledger, told: Report) -> None:
    """Put a process's report into the ledger, in the place of its last one."""
    await ledger.scripts.run("receiver_report", told.name, told.dump(), told.heard_ms, FORGOTTEN_MS)


async def reports(ledger: Ledger) -> Reports:
    """Return what the receivers last said."""
    heard, found = await ledger.scripts.run("reports")
    return Reports(heard_ms=int(heard), processes=tuple(_read(*one) for one in found))


def _read(name: str, at: str, text: str) -> Report:
    values: dict[str, Any] = orjson.loads(text)
    known = {key: value for key, value in values.items() if key in _WRITTEN}  # a later version may say more
    return Report(name=name, at_ms=int(float(at)), **known)
