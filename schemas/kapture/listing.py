"""A customer as Kapture lists it, whatever its keys are called in this tenant's edition."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.kapture.reply import IDS, digits_of, emails_of, phones_of

_CODE = ("customercode", "customer_code", "customer code")
_CREATED = ("generationdate", "generation_date", "generation date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One customer; absent texts are empty."""

    customer_id: str
    code: str = field(repr=False)
    name: str = field(repr=False)
    phones: tuple[str, ...] = field(repr=False)
    """As Kapture writes them, those of the contacts too."""
    emails: tuple[str, ...] = field(repr=False)
    created: str
    """As Kapture writes it, in a zone that its documents do not name."""
    record: Mapping[str, Any] = field(repr=False)
    """Everything, with the outer keys in lower case."""

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> "Customer":
        """Read one customer of ``KaptureReply.customers``."""
        return cls(
            customer_id=_first(record, IDS),
            code=_first(record, _CODE),
            name=_first(record, ("name", "customer_name")),
            phones=_distinct(phones_of(record)),
            emails=_distinct(emails_of(record)),
            created=_first(record, _CREATED),
            record=record,
        )

    @property
    def numbers(self) -> frozenset[str]:
        """Return the phones by their digits alone."""
        return frozenset(filter(None, map(digits_of, self.phones)))


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = record.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    return ""


def _distinct(texts: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))
