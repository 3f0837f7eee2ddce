"""The display of a local stack: sentences, and a table of what landed where; plain lines without a terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.local.board import NOT_ROUTED, WITHDRAWN, Board, Cell, totals
from deploy.local.environment import Ports, StackEnvironment
from deploy.local.folder import Folder

_REFRESH_PER_S = 8
_STYLES = {"delivered": "green", WITHDRAWN: "cyan", "skipped": "yellow", "dead": "bold red", "held": "red"}


class Display:
    """Prints to a console: a live table on a terminal, one line for each outcome elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._told: set[tuple[str, str]] = set()

    def say(self, text: str, *, style: str = "") -> None:
        """Print a sentence; whole, so that what is in it can be copied."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Show boards as they come, and leave the last one whole."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=_REFRESH_PER_S, transient=True) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def show(self, board: Board) -> None:
        """Show how things stand now."""
        if self._live is not None:
            table = table_of(board)
            fits = len(self._console.render_lines(table, pad=False)) < self._console.height
            settled = sum(cell.final for cell in board.cells.values())
            self._live.update(table if fits else Text(f"{settled} of {len(board.cells)} settled"))
            return
        for key, cell in board.cells.items():
            if cell.final and cell.outcome != NOT_ROUTED and key not in self._told:
                self._told.add(key)
                self.say(f"{key[0]}  {key[1]}  {_words(cell)}")

    def conclude(self, board: Board, *, seconds: float) -> None:
        """Show the end: the whole table on a terminal, the sums, and what is wrong."""
        if self._console.is_terminal:
            self._console.print(table_of(board))
        counts = ", ".join(f"{count} {outcome}" for outcome, count in totals(board.cells).items())
        if board.landed:
            self.say(f"All {len(board.calls)} calls landed as they should in {seconds:.1f} s: {counts}.", style="green")
            if board.earlier:
                self.say(f"{board.earlier} of them landed before, at other stand-ins than these.")
            else:
                self.say("Every delivered call has one record at its stand-in.", style="green")
            return
        self.say(f"Not all has landed after {seconds:.1f} s: {counts}.", style="bold red")
        for line in [*(f"{key[0]} at {key[1]}: {text}" for key, text in board.problems.items()), *board.unfinished()]:
            self.say(f"  {line}", style="red")


def table_of(board: Board) -> Table:
    """Build the table: a row a call, a column a destination."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("call", no_wrap=True)
    table.add_column("result", no_wrap=True)
    for name in board.destinations:
        table.add_column(name)
    for call_id, call in board.calls.items():
        cells = [_cell(board, call_id, name) for name in board.destinations]
        table.add_row(Text(call_id), Text((call.result if call else None) or ""), *cells)
    return table


def _cell(board: Board, call_id: str, name: str) -> Text:
    cell = board.cells[call_id, name]
    if problem := board.problems.get((call_id, name)):
        return Text(problem, style="bold red")
    style = _STYLES.get(cell.outcome.partition(":")[0], "dim") if cell.final or "held" in cell.outcome else "dim"
    return Text(_words(cell), style=style)


def _words(cell: Cell) -> str:
    """Return a cell's outcome, and in brief what the ledger noted."""
    if not cell.final:
        return cell.outcome
    brief = [note for note in cell.notes if note == "duplicate"]
    brief += ["updated"] if any("updated" in note.casefold() for note in cell.notes) else []
    if cut := sum(" cut from " in note for note in cell.notes):
        brief.append(f"{cut} texts cut" if cut > 1 else "a text cut")
    return f"{cell.outcome} ({', '.join(brief)})" if brief else cell.outcome


# Reserved for fiction by Australia's ACMA.
_CALL = (
    '{"PLA_Call_Id": "my-first-call", "PLA_Caller_Phone_Number": "+61491570266", "PLA_Dealer_Name": "Smith Law", '
    '"PLA_CallResult": "Answered", "PLA_Duration": "50s"}'
)


def address_lines(
    environment: StackEnvironment, *, ports: Ports, folder: Folder, tokens: tuple[str, ...], name: str
) -> list[str]:
    """Return the lines; ``tokens`` are those that the receiver takes, ``name`` is how the command line was called.

    Of secrets only those are shown that were made for this run.
    """
    webhook = f"{ports.receiver_url}/services/calldata"
    token = environment["DELACON_TOKEN"]
    if tokens:
        ours = "DELACON_TOKEN" in environment.made and token in tokens
        webhook += f"?token={token if ours else 'YOUR-TOKEN'}"
    user, _, password = environment["FLOWER_BASIC_AUTH"].partition(":")
    login = f"user {user}, password {password}" if "FLOWER_BASIC_AUTH" in environment.made else f"user {user}"
    lines = [
        "",
        f"Webhook    {webhook}",
        f"Console    {ports.console_url}/",
        f"Flower     {ports.flower_url}  ({login})",
        f"Metrics    {ports.receiver_url}/metrics  http://127.0.0.1:{ports.worker_metrics}/metrics",
        f"Logs       {folder.logs}/",
    ]
    if ports.standins is not None:
        lines.insert(5, f"Stand-ins  {ports.standins_url}/control/records")
        lines += ["", "A call of your own:", f"  curl -d '{_CALL}' '{webhook}'"]
    return [*lines, "", "In another terminal:", f"  (. {folder.environment}; {name} calls list)", ""]


def command_name() -> str:
    """Return how the command line was called, so that it works from here when pasted."""
    called = Path(sys.argv[0])
    if called.name != "switchboard":
        return f"{_short(Path(sys.executable))} -m deploy.cli"
    return _short(called)


def _short(path: Path) -> str:
    if not path.is_absolute():
        return str(path)
    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near
