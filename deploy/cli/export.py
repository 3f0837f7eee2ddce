"""``switchboard export``: calls or deliveries as a file for a spreadsheet or another program."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import click
import orjson

from deploy import search
from deploy.cli.listing import call_filter, delivery_filter, filter_options
from deploy.cli.output import Failed, Misconfigured, emit, json_option, say
from deploy.cli.rendering import Gates, delivery_line
from deploy.cli.session import Session, with_ledger
from deploy.cli.spreadsheet import Sheet
from schemas.call import CANONICAL

BATCH = 5_000  # rows of a group in a parquet file
_TIMES = frozenset({"started_at", "due_at", "lease_until", "ended_at"})
_NUMBERS = frozenset({"duration", "attempts", "revision"})
CALL_COLUMNS = (*CANONICAL, "call_state", "revision", "delivered_to")
DELIVERY_COLUMNS = (
    "key", "call_id", "destination", "vendor", "action", "state", "reason", "attempts", "due_at", "lease_until",
    "ended_at",
)  # fmt: skip

Row = Mapping[str, Any]
Rows = AsyncIterator[Row]


@click.group
def export() -> None:
    """Write calls or deliveries into a file, the newest first: with the filters of the lists, and every column."""


def _output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in (
        click.option("--output", type=click.Path(dir_okay=False), help="A file; parquet needs one."),
        click.option(
            "--format", "form", type=click.Choice(["csv", "jsonl", "parquet"]), default="csv", show_default=True,
            help="parquet needs the extra of that name.",
        ),
    ):  # fmt: skip
        command = decorate(command)
    return command


@export.command("calls")
@filter_options("calls")
@_output_options
@json_option
def export_calls(*, form: str, output: str | None, as_json: bool, **given: Any) -> None:
    """Write calls, a row each, with all canonical values."""

    async def rows(session: Session) -> Rows:
        async for found in search.calls(session, await call_filter(session, given)):
            done = [one.key.destination for one in found.stored.deliveries.values() if one.state == "delivered"]
            yield {
                **found.call.canonical(), "call_state": found.stored.state, "revision": found.stored.revision or 1,
                "delivered_to": " ".join(dict.fromkeys(done)),
            }  # fmt: skip

    _write(rows, CALL_COLUMNS, form, output, as_json=as_json)


@export.command("deliveries")
@filter_options("deliveries")
@_output_options
@json_option
def export_deliveries(*, form: str, output: str | None, as_json: bool, **given: Any) -> None:
    """Write deliveries, a row each."""

    async def rows(session: Session) -> Rows:
        gates = await Gates.read(session)
        async for record, _ in search.deliveries(session, await delivery_filter(session, given)):
            yield delivery_line(record, gates)

    _write(rows, DELIVERY_COLUMNS, form, output, as_json=as_json)


def _write(
    rows: Callable[[Session], Rows], columns: Sequence[str], form: str, output: str | None, *, as_json: bool
) -> None:
    """Write as the rows come, so that the memory stays small; says how many there were."""
    if as_json and output is None:
        raise click.UsageError("--json tells what was written, and needs --output; --format jsonl writes JSON.")
    if form == "parquet":
        if output is None:
            raise click.UsageError("parquet needs --output.")
        writer: Callable[[Rows], Any] = lambda found: _write_parquet(found, columns, Path(output))  # noqa: E731
    else:
        kind = _write_csv if form == "csv" else _write_jsonl
        writer = lambda found: kind(found, columns, output)  # noqa: E731

    async def work(session: Session) -> int:
        count: int = await writer(rows(session))
        return count

    count = with_ledger(work)
    if as_json:
        emit({"rows": count, "format": form, "output": output})
    else:
        say(f"{count} rows" if count != 1 else "1 row")


@contextmanager
def _opened(output: str | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    try:
        stream = Path(output).open("w", encoding="utf-8", newline="")  # noqa: SIM115  closed below
    except OSError as error:
        raise Failed(f"{output} cannot be written: {error.strerror}.") from None
    with stream:
        yield stream


async def _write_csv(rows: Rows, columns: Sequence[str], output: str | None) -> int:
    count = 0
    with _opened(output) as stream:
        sheet = Sheet(stream, columns)
        async for row in rows:
            sheet.write(row.get(name) for name in columns)
            count += 1
    return count


async def _write_jsonl(rows: Rows, columns: Sequence[str], output: str | None) -> int:
    count = 0
    with _opened(output) as stream:
        async for row in rows:
            known = {name: row[name] for name in columns if row.get(name) is not None}
            stream.write(orjson.dumps(known).decode() + "\n")
            count += 1
    return count


async def _write_parquet(rows: Rows, columns: Sequence[str], output: Path) -> int:
    """Write typed columns: ids and phone numbers as texts, times as UTC milliseconds, counts as integers."""
    try:
        pa, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise Misconfigured(["parquet needs the extra of that name: pip install 'switchboard[parquet]'"]) from None
    types = {name: pa.timestamp("ms", "UTC") for name in _TIMES} | {name: pa.int64() for name in _NUMBERS}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in columns])
    count, batch = 0, list[dict[str, Any]]()
    try:
        with parquet.ParquetWriter(output, schema, compression="zstd") as writer:
            async for row in rows:
                batch.append({name: _typed(name, row.get(name)) for name in columns})
                count += 1
                if len(batch) == BATCH:
                    writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                    batch.clear()
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
    except OSError as error:
        raise Failed(f"{output} cannot be written: {error.strerror}.") from None
    return count


def _typed(name: str, value: Any) -> Any:
    if value is None or value == "":
        return None
    if name in _TIMES:
        return datetime.fromisoformat(value)
    return int(value) if name in _NUMBERS else str(value)
