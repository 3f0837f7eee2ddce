"""The columns of an imported file: which of Delacon's keys each stands for, and how many values it brought."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.call import iso_utc
from schemas.delacon.call_keys import CALL_ID, name_of_key
from schemas.delacon.events import Event
from schemas.delacon.import_row import STARTED
from schemas.delacon.report import key_of_column
from schemas.fields import read_epoch

MOST = 200  # columns that are told: JSON lines may have any number of keys
_KEY = "PLA_"


@dataclass(slots=True)
class Column:
    """One column, or one key of JSON lines."""

    header: str
    key: str
    """Delacon's; empty where the column is left out."""
    values: int = 0
    mended: int = 0
    """How many values were written otherwise than a webhook writes them."""
    earliest: datetime | None = None
    latest: datetime | None = None

    def shape(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "column": self.header, "key": self.key or None, "name": name_of_key(self.key) if self.key else None,
            "values": self.values, "mended": self.mended,
            "from": iso_utc(self.earliest) if self.earliest else None,
            "to": iso_utc(self.latest) if self.latest else None,
        }  # fmt: skip

    def sentence(self) -> str:
        """Return it as words."""
        if not self.key:
            return f"{self.header}: left out"
        told = f"{self.header}: {name_of_key(self.key)}, {self.values} value{'s' * (self.values != 1)}"
        if self.mended:
            told += f", {self.mended} rewritten"
        return told + (f", {iso_utc(self.earliest)} to {iso_utc(self.latest)}" if self.earliest and self.latest else "")


@dataclass(slots=True)
class Columns:
    """All columns of a file; ``named`` is the configuration's header to Delacon's key."""

    named: Mapping[str, str] = field(default_factory=dict)
    _by_key: dict[str, Column] = field(default_factory=dict)
    _left_out: list[Column] = field(default_factory=list)

    def take_header(self, header: Sequence[str]) -> list[str]:
        """Return Delacon's key of each column, empty for one that is left out; raises ``ValueError``.

        The configuration goes before Delacon's names of keys, and both before the names of its reports.
        """
        keys = [self.named.get(name, name if name.startswith(_KEY) else "") for name in header]
        keys = [
            key or ("" if (found := key_of_column(name)) in keys else found)
            for key, name in zip(keys, header, strict=True)
        ]
        if CALL_ID not in keys:
            raise ValueError(f"its header has no column {CALL_ID}, and [import.columns] names none for it")
        doubled = sorted({key for key in keys if key and keys.count(key) > 1})
        if doubled:
            raise ValueError(f"two columns of its header stand for {', '.join(doubled)}")
        for key, name in zip(keys, header, strict=True):
            if key:
                self._by_key[key] = Column(name, key)
            else:
                self._left_out.append(Column(name, ""))
        return keys

    def count(self, written: Event, read: Event) -> None:
        """Count what a row has brought."""
        self._count(CALL_ID, written.call_id, read.call_id)
        for key, text in read.values.items():
            self._count(key, written.values[key], text)

    def _count(self, key: str, written: str, read: str) -> None:
        column = self._by_key.get(key)
        if column is None:
            if len(self._by_key) >= MOST:
                return
            column = self._by_key[key] = Column(key, key)
        column.values += 1
        column.mended += written != read
        moment = read_epoch(read) if key == STARTED else None
        if moment is not None:
            column.earliest = min(column.earliest or moment, moment)
            column.latest = max(column.latest or moment, moment)

    def shape(self) -> list[dict[str, Any]]:
        """Return all as JSON values, in the order of the file."""
        return [column.shape() for column in self._all()]

    def sentences(self) -> Iterator[str]:
        """Return all as words, a column a line."""
        return (column.sentence() for column in self._all())

    def _all(self) -> list[Column]:
        return [*self._by_key.values(), *self._left_out]
