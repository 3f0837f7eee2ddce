"""``switchboard import``: imports calls that never came by webhook."""

import asyncio
import csv
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click
import orjson

from deploy.cli.import_columns import Columns
from deploy.cli.output import Failed, Misconfigured, as_option, emit, json_option, progress, say, shown
from deploy.cli.session import Session, with_ledger
from deploy.cli.startup import read_environment
from receiver.journal import Lines as JournalLines
from receiver.journal import batches, files_in
from schemas.delacon.call_keys import CALL_ID
from schemas.delacon.events import Event, UnusableBody, read_event
from schemas.delacon.import_row import WRITTEN_AS_NUMBERS, ImportRows, RefusedRow, is_formula, is_total, plain
from tasks.import_events import Fate, Importer, take_journaled
from worker.ledger.audit import note
from worker.ledger.schema import note as note_schema

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
        """Return the next line; raises ``ValueError`` for one that cannot be read, after which the reading goes on."""
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
        """Return the first line, which stays to be read; empty text where there is none or it cannot be read."""
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
    """Return why a row holds no call; empty text where it may hold one."""
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


BATCH = 200  # events a round trip
BATCH_BYTES = 1024 * 1024  # and as much of the file: lines of 64 KB come in smaller batches
SHOWN = 20  # refused lines on a terminal
KEPT = 1_000  # refused lines in --json: a file of another kind must not fill the memory
NOT_STORED = "Redis would not store it"


@dataclass(slots=True)
class Count:
    """The result of an import."""

    new: int = 0
    known: int = 0
    refused: int = 0
    refusals: list[dict[str, Any]] = field(default_factory=list)
    """Line and reason of the first thousand."""
    stopped: bool = False

    def add(self, fate: Fate, line: int) -> None:
        """Count one event."""
        match fate:
            case Fate.NEW:
                self.new += 1
            case Fate.KNOWN:
                self.known += 1
            case Fate.FAILED:
                self.refuse(line, NOT_STORED)

    def refuse(self, line: int, reason: str) -> None:
        """Count one line that held no event; nothing of what it held is kept."""
        self.refused += 1
        if len(self.refusals) < KEPT:
            self.refusals.append({"line": line, "reason": reason})


@click.command("import")
@click.argument("file", type=click.Path(exists=True, allow_dash=True), required=False)
@click.option("--journal", is_flag=True, help="FILE is a receiver's journal, or its folder; default: JOURNAL_DIR.")
@click.option("--dry-run", is_flag=True, help="Say what would come in, and take nothing.")
@as_option
@json_option
def import_file(*, file: str | None, journal: bool, dry_run: bool, as_json: bool) -> None:
    """Take in calls that never came by webhook; - is standard input. Safe to repeat.

    FILE holds JSON lines, each an event or a complete call as Delacon pushes them, or CSV whose header has the names
    of Delacon's keys (PLA_Call_Id and so on), those of Delacon's own reports (Call ID, Date/Time and so on), or those
    of [import.columns] in the configuration. Dates without a zone are of [import] timezone.

    What a call has already is known, whichever way it came, and is not taken again. A refused line is told with its
    number: one whose id or number a spreadsheet has spoilt, whose date cannot be read, a second header, a total. Then
    the status is 1, and all other lines are in. --dry-run says too what became of each column.

    --journal takes what a restored ledger lacks: every event that the receiver accepted. What is made of it may have
    been delivered before, so a vendor that knows no duplicates is asked first.
    """
    columns = Columns()
    if journal:
        _finish(_import_journal(file, dry_run=dry_run), columns, dry_run=dry_run, as_json=as_json, journal=True)
        return
    if file is None or Path(file).is_dir():
        raise click.UsageError("Give a FILE, or --journal.")

    async def work(session: Session) -> Count:
        columns.named = session.settings.import_columns
        rows = ImportRows(
            timezone=session.settings.import_timezone,
            formats=session.settings.import_date_formats,
            now=lambda: datetime.now(UTC),
        )
        by = session.does("import", Path(file).name)
        importer = Importer(
            session.ledger,
            default_region=session.settings.calls.default_region,
            now_us=lambda: time.time_ns() // 1000,
            dry_run=dry_run,
        )
        max_body = session.settings.receiver.max_body
        with _opened(file) as (stream, size), _stoppable() as stopped:
            lines = Lines(stream, longest=max_body)
            try:
                found = read_file(lines, name=file, columns=columns, rows=rows, max_body=max_body)
                count = await _take_all(found, importer, lines=lines, size=size, stopped=stopped)
                if not dry_run:
                    await note(session.ledger, by, count=count.new)
                return count
            except BadFile as error:
                raise Misconfigured([f"{file} cannot be imported: {error}."]) from None

    _finish(with_ledger(work), columns, dry_run=dry_run, as_json=as_json)


def _finish(count: Count, columns: Columns, *, dry_run: bool, as_json: bool, journal: bool = False) -> None:
    """Print the result of an import, and end with its status."""
    told = dry_run and not journal
    if as_json:
        emit({
            "new": count.new, "known": count.known, "refused": count.refused, "refusals": count.refusals,
            "dry_run": dry_run, **({"columns": columns.shape()} if told else {}),
        })  # fmt: skip
    else:
        click.echo(f"{count.new} {'would be ' * dry_run}new, {count.known} known, {count.refused} refused")
        for line in columns.sentences() if told else ():
            click.echo(shown(line))
        for refusal in count.refusals[:SHOWN]:
            say(f"line {refusal['line']}: {refusal['reason']}")
        if count.refused > SHOWN:
            say(f"... and {count.refused - SHOWN} more; --json lists them.")
    if count.stopped:
        raise Failed("Stopped before the end; the same import again takes the rest.")
    if count.refused:
        raise SystemExit(1)


def _import_journal(file: str | None, *, dry_run: bool) -> Count:
    folder = file or read_environment().journal_dir
    if folder is None:
        raise click.UsageError("Give the journal, or set JOURNAL_DIR.")
    path = Path(folder)
    paths = files_in(path) if path.is_dir() else [path]
    if not paths:
        raise Failed(f"{path} holds no journal.")

    async def work(session: Session) -> Count:
        count, lines, taken = Count(), JournalLines(paths), 0
        by = session.does("import.journal", path.name)
        with _stoppable() as stopped, progress(sum(one.stat().st_size for one in paths), "importing") as advance:
            for batch in batches(iter(lines), BATCH):
                for fate in await take_journaled(session.ledger, batch, dry_run=dry_run):
                    count.add(fate, lines.number)
                advance(lines.position - taken)
                taken = lines.position
                if stopped():
                    count.stopped = True
                    break
        for number in lines.unreadable:
            count.refuse(number, "no event of a journal that this version reads")
        if not dry_run:
            await note(session.ledger, by, count=count.new)
            if not count.stopped:
                await note_schema(session.ledger, changed=None)
        return count

    try:
        return with_ledger(work)
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}.") from None


async def _take_all(
    found: Iterator[Read], importer: Importer, *, lines: Lines, size: int, stopped: Callable[[], bool]
) -> Count:
    count = Count()
    batch: list[Read] = []
    taken = 0
    with progress(size, "importing") as advance:
        for read in found:
            if read.event is None:
                count.refuse(read.line, read.refusal)
            else:
                batch.append(read)
            if len(batch) >= BATCH or lines.position - taken >= BATCH_BYTES:
                await _take(batch, importer, count)
                advance(lines.position - taken)
                taken = lines.position
                if stopped():
                    count.stopped = True
                    return count
        await _take(batch, importer, count)
        advance(size - taken)
    return count


async def _take(batch: list[Read], importer: Importer, count: Count) -> None:
    events = [read.event for read in batch if read.event is not None]
    for read, fate in zip(batch, await importer.take(events), strict=True):
        count.add(fate, read.line)
    batch.clear()


@contextmanager
def _opened(file: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open the file; its size is 0 where nobody knows it."""
    if file == "-":
        yield sys.stdin.buffer, 0
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}.") from None
    with stream:
        yield stream, Path(file).stat().st_size


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C end the work between two batches, so that the count is right."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stopped.set)
    try:
        yield stopped.is_set
    finally:
        loop.remove_signal_handler(signal.SIGINT)
