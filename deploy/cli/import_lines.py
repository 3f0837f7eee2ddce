"""Reads a file of events, JSON lines or CSV, line by line: nothing but the line at hand is kept."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import orjson

from deploy.cli.import_columns import Columns
from schemas.delacon.call_keys import CALL_ID
from schemas.delacon.events import Event, UnusableBody, read_event
from schemas.delacon.import_row import WRITTEN_AS_NUMBERS, ImportRows, RefusedRow, is_formula, is_total, plain

_BOM = "\ufeff"
_DELIMITERS = ",;\t|"  # what spreadsheets write, by country
_BY_NAME = {".csv": False, ".tsv": False, ".jsonl": True, ".ndjson": True, ".json": True}


class BadFile(Exception):
    """Raised when a file as a whole cannot be imported; its text has nothing of the file in it."""


@dataclass(frozen=True, slots=True)
class Read:
    """What one line held: an event, or why there is none."""

    line: int
    """Where it begins, from 1."""
    event: Event | None = field(repr=False)
    refusal: str = ""


class Lines:
    """The lines of a file as texts, of bounded length; ``number`` and ``position`` say how far it has been read."""

    def __init__(self, file: BinaryIO, *, longest: int) -> None:
        self.number = 0
        self.position = 0
        self._file = file
        self._longest = longest
        self._held: str | ValueError | None = None

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        """Give the next line; raises ``ValueError`` for one that cannot be read, after which the reading goes on."""
        if self._held is not None:
            held, self._held = self._held, None
            if isinstance(held, ValueError):
                raise held
            return held
        piece = self._read()
        if not piece:
            raise StopIteration
        self.number += 1
        if len(piece) > self._longest and not piece.endswith(b"\n"):
            while piece and not piece.endswith(b"\n"):
                piece = self._read()
            raise ValueError(f"longer than {self._longest} bytes")
        try:
            return piece.decode().removeprefix(_BOM if self.number == 1 else "")
        except UnicodeDecodeError:
            raise ValueError("not UTF-8") from None

    def first(self) -> str:
        """Give the first line, which stays to be read; empty text where there is none or it cannot be read."""
        try:
            self._held = next(self, "")
        except ValueError as error:
            self._held = error
            return ""
        return self._held

    def _read(self) -> bytes:
        piece = self._file.readline(self._longest + 1)
        self.position += len(piece)
        return piece


def read_file(lines: Lines, *, name: str, columns: Columns, rows: ImportRows, max_body: int) -> Iterator[Read]:
    """Read every event of a file, by the ending of its ``name``, else by how it begins; raises ``BadFile``.

    ``columns`` learns what became of each column; ``max_body`` bytes is what the receiver would take.
    """
    first = lines.first()
    start = first.lstrip()[:1]
    if start == "[":
        raise BadFile("it is one JSON array; JSON lines have one event a line")
    if _BY_NAME.get(Path(name).suffix.lower(), start == "{"):
        return _read_json(lines, columns=columns, rows=rows)
    return _read_csv(lines, first, columns=columns, rows=rows, max_body=max_body)


def _read_json(lines: Lines, *, columns: Columns, rows: ImportRows) -> Iterator[Read]:
    while True:
        try:
            line = next(lines, None)
        except ValueError as error:
            yield Read(lines.number, None, str(error))
            continue
        if line is None:
            return
        if line.strip():
            yield _read_event(lines.number, line.encode(), columns=columns, rows=rows)


def _read_csv(lines: Lines, first: str, *, columns: Columns, rows: ImportRows, max_body: int) -> Iterator[Read]:
    delimiter = max(_DELIMITERS, key=first.count)
    # Strict: a quote in the wrong place is told, and not read as something else.
    cells = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(cells, [])]
    except (csv.Error, ValueError) as error:
        raise BadFile(f"its header cannot be read: {error}") from None
    try:
        keys = columns.take_header(header)
    except ValueError as error:
        raise BadFile(str(error)) from None
    while True:
        number = lines.number + 1
        try:
            row = next(cells, None)
        except (csv.Error, ValueError) as error:
            yield Read(number, None, str(error))
            continue
        if row is None:
            return
        if not any(cell.strip() for cell in row):
            continue
        if odd := _odd_row(row, header, keys.index(CALL_ID)):
            yield Read(number, None, odd)
            continue
        values = {key: _text_of(cell, key) for key, cell in zip(keys, row, strict=True) if key}
        body = orjson.dumps(values)
        if len(body) > max_body:
            yield Read(number, None, f"longer than {max_body} bytes")
            continue
        yield _read_event(number, body, columns=columns, rows=rows)


def _text_of(cell: str, key: str) -> str:
    """Take a text out of the formula around it; ids, numbers and dates are read with their rows."""
    return plain(cell) if key not in WRITTEN_AS_NUMBERS and key != CALL_ID and is_formula(cell) else cell


def _odd_row(row: Sequence[str], header: Sequence[str], id_at: int) -> str:
    """Say why a row is no call's; empty text where it may be one."""
    if [cell.strip() for cell in row] == header or (len(row) > id_at and row[id_at].strip() in {*header, CALL_ID}):
        return "the header again"
    if is_total(row):
        return "a total and no call"
    if len(row) != len(header):
        return f"{len(row)} cells, and the header has {len(header)}"
    return ""


def _read_event(number: int, body: bytes, *, columns: Columns, rows: ImportRows) -> Read:
    try:
        written = read_event(body, path_kind="either")
        event = rows.read(written)
    except (UnusableBody, RefusedRow) as error:
        return Read(number, None, str(error))
    columns.count(written, event)
    return Read(number, event)
