"""Reads a file of events, JSON lines or CSV, line by line: nothing but the line at hand is kept."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import orjson

from schemas.delacon import Event, UnusableBody, read_event
from schemas.delacon_call import CALL_ID

_BOM = "\ufeff"
_DELIMITERS = ",;\t|"  # what spreadsheets write, by country
_KEY = "PLA_"
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


def read_file(lines: Lines, *, name: str, columns: Mapping[str, str], max_body: int) -> Iterator[Read]:
    """Read every event of a file, by the ending of its ``name``, else by how it begins; raises ``BadFile``.

    ``columns`` is the configuration's CSV header to Delacon's key; ``max_body`` bytes is what the receiver would take.
    """
    first = lines.first()
    start = first.lstrip()[:1]
    if start == "[":
        raise BadFile("it is one JSON array; JSON lines have one event a line")
    if _BY_NAME.get(Path(name).suffix.lower(), start == "{"):
        return _read_json(lines)
    return _read_csv(lines, first, columns=columns, max_body=max_body)


def _read_json(lines: Lines) -> Iterator[Read]:
    while True:
        try:
            line = next(lines, None)
        except ValueError as error:
            yield Read(lines.number, None, str(error))
            continue
        if line is None:
            return
        if line.strip():
            yield _read_event(lines.number, line.encode())


def _read_csv(lines: Lines, first: str, *, columns: Mapping[str, str], max_body: int) -> Iterator[Read]:
    delimiter = max(_DELIMITERS, key=first.count)
    # Strict: a quote in the wrong place is told, and not read as something else.
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        keys = _keys_of(next(rows, []), columns)
    except (csv.Error, ValueError) as error:
        raise BadFile(f"its header cannot be read: {error}") from None
    while True:
        number = lines.number + 1
        try:
            row = next(rows, None)
        except (csv.Error, ValueError) as error:
            yield Read(number, None, str(error))
            continue
        if row is None:
            return
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(keys):
            yield Read(number, None, f"{len(row)} cells, and the header has {len(keys)}")
            continue
        body = orjson.dumps({key: cell for key, cell in zip(keys, row, strict=True) if key})
        if len(body) > max_body:
            yield Read(number, None, f"longer than {max_body} bytes")
            continue
        yield _read_event(number, body)


def _keys_of(header: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    """Give Delacon's key of each column, empty for a column that is none of Delacon's; raises ``BadFile``."""
    names = [name.strip() for name in header]
    keys = [columns.get(name, name if name.startswith(_KEY) else "") for name in names]
    if CALL_ID not in keys:
        raise BadFile(f"its header has no column {CALL_ID}, and [import.columns] names none for it")
    doubled = sorted({key for key in keys if key and keys.count(key) > 1})
    if doubled:
        raise BadFile(f"two columns of its header stand for {', '.join(doubled)}")
    return keys


def _read_event(number: int, body: bytes) -> Read:
    try:
        return Read(number, read_event(body, path_kind="either"))
    except UnusableBody as error:
        return Read(number, None, str(error))
