"""What a person sees of a local stack: sentences, and a table of what landed where; plain lines without a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.local.board import Board
from deploy.local.landing import NOT_ROUTED, WITHDRAWN, Cell, totals

_REFRESH_PER_S = 8
_STYLES = {"delivered": "green", WITHDRAWN: "cyan", "skipped": "yellow", "dead": "bold red", "held": "red"}


class Display:
    """Prints to a console: a table that lives on a terminal, one line for each fate elsewhere."""

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
    """Say what became of it, and in brief what the ledger noted."""
    if not cell.final:
        return cell.outcome
    brief = [note for note in cell.notes if note == "duplicate"]
    brief += ["updated"] if any("updated" in note.casefold() for note in cell.notes) else []
    if cut := sum(" cut from " in note for note in cell.notes):
        brief.append(f"{cut} texts cut" if cut > 1 else "a text cut")
    return f"{cell.outcome} ({', '.join(brief)})" if brief else cell.outcome
