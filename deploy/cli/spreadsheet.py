"""CSV for spreadsheets: what one would compute is text."""

import csv
from collections.abc import Iterable, Sequence
from typing import IO

COMPUTED = ("=", "+", "-", "@", "\t", "\r")
"""The characters with which a formula begins in a spreadsheet."""


def cell(value: object) -> object:
    """Return a value for a cell: a text that would be computed stands behind an apostrophe; ``None`` is empty."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(COMPUTED):
        return f"'{value}"
    return value


class Sheet:
    """Writes rows as RFC 4180 has them, below a header."""

    def __init__(self, stream: IO[str], columns: Sequence[str]) -> None:
        self._writer = csv.writer(stream)
        self._writer.writerow(columns)

    def write(self, row: Iterable[object]) -> None:
        """Write one row."""
        self._writer.writerow([cell(value) for value in row])
