"""What the audits against Delacon's own list found, day by day; kept for 400 days."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any

import orjson

from worker.ledger.keys import DELACON_KEY
from worker.ledger.ledger import Ledger

KEPT_DAYS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How many calls Delacon lists, and how many of them are here and delivered."""

    there: int = 0
    here: int = 0
    missing: int = 0
    delivered: int = 0
    """Everywhere they should be."""

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(**{name: value + getattr(other, name) for name, value in asdict(self).items()})

    @property
    def complete(self) -> bool:
        """Return whether nothing is missing, and all is delivered."""
        return self.delivered == self.there


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedDay:
    """What the audit of one day found."""

    day: date
    at_ms: int
    """When it was made."""
    services: Mapping[str, Figures] = field(default_factory=dict)
    fault: str = ""
    """Why it could not be made."""

    @property
    def total(self) -> Figures:
        """Return the figures of all services together."""
        return sum(self.services.values(), Figures())

    def shape(self) -> dict[str, Any]:
        """Return it as JSON values."""
        services = {name: asdict(figures) for name, figures in sorted(self.services.items())}
        return {"day": self.day.isoformat(), "at_ms": self.at_ms, **asdict(self.total), "services": services,
                "fault": self.fault}  # fmt: skip


async def keep(ledger: Ledger, found: AuditedDay) -> None:
    """Put a day into the ledger, in the place of an earlier audit of it."""
    oldest = found.day - timedelta(days=KEPT_DAYS)
    text = orjson.dumps(found.shape()).decode()
    await ledger.scripts.run("delacon_note", found.day.isoformat(), text, oldest.isoformat())


async def audited_days(ledger: Ledger) -> list[AuditedDay]:
    """Return the days that were audited, the newest first."""
    texts: Any = await ledger.redis.hgetall(DELACON_KEY)
    return sorted((_read(orjson.loads(text)) for text in texts.values()), key=lambda one: one.day, reverse=True)


async def newest_day(ledger: Ledger) -> AuditedDay | None:
    """Return the newest day that was audited; ``None``: none ever was."""
    days: Any = await ledger.redis.hkeys(DELACON_KEY)
    text: Any = await ledger.redis.hget(DELACON_KEY, max(days)) if days else None
    return _read(orjson.loads(text)) if text else None


def _read(shape: Mapping[str, Any]) -> AuditedDay:
    return AuditedDay(
        day=date.fromisoformat(shape["day"]), at_ms=shape["at_ms"], fault=shape["fault"],
        services={name: Figures(**figures) for name, figures in shape["services"].items()},
    )  # fmt: skip
