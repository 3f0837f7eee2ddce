"""Reads a file of phone numbers, such as a do-not-call register's: one a line, or one column of a CSV file."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import click

from deploy.cli.import_events import Lines
from schemas.phones.phone import read_e164

LONGEST = 4096  # bytes of a line
SHOWN = 10  # lines that could not be read, by their numbers
_DELIMITERS = ",;\t|"


@dataclass(slots=True)
class NumberList:
    """The numbers of a file, read as callers are read; counts what could not be."""

    file: BinaryIO
    column: str | None
    """The header of the column; ``None``: the first one."""
    default_region: str
    read: int = 0
    unread: int = 0
    unread_lines: list[int] = field(default_factory=list)
    """The first of them; what they hold is shown nowhere."""

    def __iter__(self) -> Iterator[str]:
        """Return the numbers (E.164) in their order, doubles too; raises ``BadParameter`` for an unknown column."""
        lines = Lines(self.file, longest=LONGEST)
        first = lines.first()
        delimiter = next((one for one in _DELIMITERS if one in first), "")
        place = self._place(first, delimiter)
        while True:
            try:
                line = next(lines, None)
            except ValueError:
                self._pass_over(lines.number)
                continue
            if line is None:
                return
            cell = _cell(line, delimiter, place)
            if not cell:
                continue
            number = read_e164(cell, default_region=self.default_region)
            if number is not None:
                self.read += 1
                yield number
            elif lines.number > 1:  # the first line may be a header
                self._pass_over(lines.number)

    def _place(self, first: str, delimiter: str) -> int:
        if self.column is None:
            return 0
        headers = next(csv.reader([first], delimiter=delimiter or ","), [])
        names = [name.strip().casefold() for name in headers]
        if self.column.strip().casefold() not in names:
            raise click.BadParameter(f"the first line has no column {self.column!r}", param_hint="--column")
        return names.index(self.column.strip().casefold())

    def _pass_over(self, line: int) -> None:
        self.unread += 1
        if len(self.unread_lines) < SHOWN:
            self.unread_lines.append(line)


def _cell(line: str, delimiter: str, place: int) -> str:
    """Return one cell of a line, without blanks around it; empty where the line is shorter."""
    if not delimiter:
        return line.strip()
    cells = next(csv.reader([line], delimiter=delimiter), [])
    return cells[place].strip() if place < len(cells) else ""
