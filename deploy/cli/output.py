"""The output of commands: one JSON value or a table on standard output, everything else on standard error."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import click
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")

ACTING_AS = "switchboard.acting_as"


def _keep_name(ctx: click.Context, _: click.Parameter, name: str | None) -> None:
    if name is not None:
        ctx.meta[ACTING_AS] = name


as_option = click.option(
    "--as", metavar="NAME", expose_value=False, callback=_keep_name,
    help="Who acts, for the audit.  [default: the system's user]",
)  # fmt: skip

NO_TERMINAL = 80  # columns
TABLE_LIMIT = 100  # rows of a listing on a terminal; --json gives all
limit_option = click.option(
    "--limit", type=click.IntRange(min=1), help=f"The newest N only.  [default: {TABLE_LIMIT}; with --json all]"
)


class Failed(click.ClickException):
    """Raised when a command could not do what it was asked for: exit status 1, one sentence on standard error."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence."""
        click.echo(shown(self.message, lines=True), file=file or sys.stderr)


class Misconfigured(Failed):
    """Raised for wrong use or configuration: exit status 2, every fault on a line of its own."""

    exit_code = 2

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


def emit(value: object) -> None:
    """Print one JSON value."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace"))


def say(text: str) -> None:
    """Print a sentence for the person in front of it, on standard error."""
    click.echo(shown(text, lines=True), err=True)


def limit_of(limit: int | None, *, as_json: bool) -> int:
    """Return how many rows to list."""
    return limit or (sys.maxsize if as_json else TABLE_LIMIT)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str, least: Sequence[str] = ()
) -> None:
    """Print rows as a table, or ``empty`` when there are none; absent values are blank.

    ``least``: what a terminal that is too narrow leaves out, in that order, so that no key is broken over lines.
    """
    if not rows:
        say(empty)
        return
    if least and sys.stdout.isatty():
        print_fitted(columns, rows, least=least, empty=empty)
        return
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text("" if cell is None else shown(str(cell)), overflow="fold") for cell in row))
    width = None if sys.stdout.isatty() else 1000  # a pipe gets whole lines
    Console(width=width).print(table)


def print_fitted(columns: Sequence[str], rows: Sequence[Sequence[object]], *, least: Sequence[str], empty: str) -> None:
    """Print rows as a table that fits the terminal, 80 columns where there is none, by leaving columns out.

    ``least`` names columns in the order in which they are left out; the others stay, and no value is broken.
    """
    width = Console().width if sys.stdout.isatty() else NO_TERMINAL
    kept = list(columns)
    for name in (None, *least):
        kept = [one for one in kept if one != name]
        places = [columns.index(one) for one in kept]
        table = Table(*kept, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            cells = ("" if row[place] is None else shown(str(row[place])) for place in places)
            table.add_row(*(Text(cell, no_wrap=True) for cell in cells))
        wide = Console(width=100_000)
        if Measurement.get(wide, wide.options, table).maximum <= width:
            break
    if not rows:
        say(empty)
        return
    wide.print(table, soft_wrap=True)
    if left_out := [name for name in columns if name not in kept]:
        say(f"Left out for want of room: {', '.join(left_out)}; --json has them.")


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun as a reader counts: ``1 call``, ``2 calls``."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def shown(text: str, *, lines: bool = False) -> str:
    """Return a text without control characters, which could move a terminal's cursor."""
    kept = "\n" if lines else ""
    return "".join(c if c.isprintable() or c in kept else " " if c.isspace() else "\ufffd" for c in text)


@contextmanager
def progress(total: int, label: str) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error while it is a terminal; returns what to call with each step."""
    if not sys.stderr.isatty() or not total:
        yield lambda _: None
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda step: bar.advance(task, step)
