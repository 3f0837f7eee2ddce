"""On a terminal: a long command shows how far it is, there and nowhere else, and tables break no key."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import pytest

from worker.ledger.records import Verdict

ROOT = Path(__file__).resolve().parents[2]
ROWS, COLUMNS = 24, 100
CALLS = 3
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]")
BAR = re.compile(r"━{5,}|\d+%")
ERASES = "\x1b[2K"
CURSOR_BACK = "\x1b[?25h"


@dataclass(frozen=True)
class Seen:
    """What a command wrote: to its pipes, and to the terminal behind the others."""

    stdout: str
    stderr: str
    terminal: str

    @property
    def text(self) -> str:
        """Return what the terminal showed, without what moves its cursor."""
        return CONTROL.sub("", self.terminal)


@pytest.fixture
def watch(cli):
    """Run ``switchboard`` with some of its streams on a terminal and the others in pipes; it must end with 0."""

    def run(*arguments: str, terminal: tuple[str, ...]) -> Seen:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        unset = {"NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"}
        environ = {name: value for name, value in os.environ.items() if name not in unset}
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", *arguments],
            env=environ | cli.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
            stdin=subprocess.DEVNULL,
            stdout=theirs if "stdout" in terminal else subprocess.PIPE,
            stderr=theirs if "stderr" in terminal else subprocess.PIPE,
        )
        os.close(theirs)
        shown = _read_all(ours)  # before the pipes: what they get is a line or two
        stdout, stderr = process.communicate(timeout=30)
        assert 0 == process.returncode, (stdout, stderr, shown)
        return Seen((stdout or b"").decode(), (stderr or b"").decode(), shown)

    return run


@pytest.fixture
def calls_file(tmp_path: Path) -> str:
    """Return a file of complete calls."""
    whole = {"PLA_Caller_Phone_Number": "+61491570156", "PLA_CID": "123", "PLA_CallResult": "Answered"}
    lines = [json.dumps({"PLA_Call_Id": f"c-{place}"} | whole) for place in range(CALLS)]
    (tmp_path / "calls.jsonl").write_text("\n".join(lines))
    return str(tmp_path / "calls.jsonl")


@pytest.fixture
def dead_letters(cli) -> None:
    """Fill the ledger with dead letters."""

    async def die(book):
        for place in range(CALLS):
            await book.call(f"a-{place}")
        await book.end("law", Verdict.DEAD, reason="rejected")

    cli.fill(die)


def test_an_import_shows_a_bar_on_a_terminal(watch, calls_file):
    """Its bar is wiped at the end, with the cursor back, and the result is the last line."""
    seen = watch("import", calls_file, terminal=("stdout", "stderr"))

    before, _, after = seen.terminal.rpartition(ERASES)
    assert "importing" in before
    assert BAR.search(before)
    assert CURSOR_BACK in seen.terminal
    assert f"{CALLS} new, 0 known, 0 refused" == CONTROL.sub("", after)


def test_a_replay_shows_a_bar_on_a_terminal(watch, dead_letters):
    """It goes up to 100 %, whether there is a rate or not."""
    seen = watch("dead", "replay", "--all", "--rate", "10/s", terminal=("stdout", "stderr"))

    assert "replaying" in seen.text
    assert "100%" in seen.text
    assert CURSOR_BACK in seen.terminal
    assert seen.text.endswith(f"{CALLS} replayed")


def test_the_bar_stays_out_of_the_json(watch, calls_file):
    """It is on standard error: with a pipe behind standard output that pipe gets one JSON value."""
    seen = watch("import", calls_file, "--json", terminal=("stderr",))

    assert "importing" in seen.text
    assert CALLS == json.loads(seen.stdout)["new"]


def test_without_a_terminal_an_import_shows_none(watch, calls_file):
    """Not on standard output either, when that alone is a terminal."""
    piped = watch("import", calls_file, terminal=())
    half = watch("import", calls_file, terminal=("stdout",))

    assert (f"{CALLS} new, 0 known, 0 refused\n", "") == (piped.stdout, piped.stderr)
    assert (f"0 new, {CALLS} known, 0 refused\r\n", "") == (half.terminal, half.stderr)


def test_without_a_terminal_a_replay_shows_none(watch, dead_letters):
    """One line on standard output, and nothing on standard error."""
    piped = watch("dead", "replay", "--all", "--rate", "10/s", terminal=())

    assert (f"{CALLS} replayed\n", "", "") == (piped.stdout, piped.stderr, piped.terminal)


def test_a_table_that_is_too_wide_for_a_terminal_breaks_no_key(watch, cli):
    """It leaves columns out, and says which; a pipe gets all of them."""
    long = "call-" + "7" * 60

    async def die(book):
        await book.call(long)
        await book.end("law", Verdict.DEAD, reason="rejected")

    cli.fill(die)
    seen = watch("dead", "list", terminal=("stdout", "stderr"))
    piped = watch("dead", "list", terminal=())

    assert f"{long}:law:create" in seen.terminal
    assert "died_at" not in seen.terminal.partition("Left out")[0]
    assert "Left out for want of room: died_at, attempts, words" in seen.text
    assert "died_at" in piped.stdout
    assert f"{long}:law:create" in piped.stdout


def _read_all(terminal: int) -> str:
    """Read a terminal until nobody has it open any more, and close it."""
    read = b""
    while True:
        try:
            read += (some := os.read(terminal, 65536))
        except OSError:  # what Linux answers when the other end is closed
            break
        if not some:
            break
    os.close(terminal)
    return read.decode()
