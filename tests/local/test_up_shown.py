"""What the local stack shows: tokens of this run alone, a table on a terminal, lines elsewhere."""

import io
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from deploy.local.board import Board, Cell
from deploy.local.display import Display, address_lines
from deploy.local.environment import Ports, StackEnvironment, compose
from deploy.local.folder import Folder
from schemas.call import Call

PORTS = Ports(host="0.0.0.0", receiver=8080, flower=5555, console=8090, standins=9000, worker_metrics=9101)
GIVEN = {"DELACON_TOKEN": "a-real-token-of-mine", "FLOWER_BASIC_AUTH": "me:my-password", "PYTHONPATH": "/mine"}


def composed(environ: dict[str, str], *, config: Path | None = None) -> StackEnvironment:
    """Lay the stack's decisions over an environment."""
    return compose(environ, folder=Folder(Path("var")), config=config, redis_url="unix:///redis.sock", ports=PORTS)


def lines(environment: StackEnvironment) -> str:
    """Return the address lines as one text."""
    tokens = (environment["DELACON_TOKEN"],)
    return "\n".join(
        address_lines(environment, ports=PORTS, folder=Folder(Path("var")), tokens=tokens, name="switchboard")
    )


def test_tokens_are_made_for_the_run_and_shown() -> None:
    """Each run has its own, long enough for the receiver, in a line to be pasted."""
    first, second = composed({}), composed({})
    shown = lines(first)

    assert first["DELACON_TOKEN"] != second["DELACON_TOKEN"]
    assert 16 <= len(first["DELACON_TOKEN"])
    assert f"'http://127.0.0.1:8080/services/calldata?token={first['DELACON_TOKEN']}'" in shown
    assert first["FLOWER_BASIC_AUTH"].partition(":")[2] in shown


def test_given_tokens_are_used_and_not_shown() -> None:
    """What the user's environment holds stays there."""
    environment = composed(dict(GIVEN))
    shown = lines(environment)

    assert GIVEN["DELACON_TOKEN"] == environment["DELACON_TOKEN"]
    assert "a-real-token-of-mine" not in shown
    assert "my-password" not in shown
    assert "?token=YOUR-TOKEN" in shown


def test_the_users_environment_goes_on() -> None:
    """But for what the stack decides; a spool that was named stays where it is."""
    environment = composed(
        {"COMUNIK8_KEY": "k", "SPOOL_PATH": "", "REDIS_URL": "other", **GIVEN}, config=Path("my.toml")
    )

    assert ("k", "", "unix:///redis.sock") == (
        environment["COMUNIK8_KEY"], environment["SPOOL_PATH"], environment["REDIS_URL"]
    )  # fmt: skip
    assert str(Path("my.toml").resolve()) == environment["SWITCHBOARD_CONFIG"]
    assert environment["PYTHONPATH"].endswith(":/mine")


def board(make_call: Callable[..., Call], *, problem: str = "") -> Board:
    """Make a board of one call at two destinations."""
    cells = {
        ("SB-1", "law"): Cell(outcome="delivered", final=True, notes=("Name cut from 181 to 100 characters",)),
        ("SB-1", "crm"): Cell(outcome="-", final=True),
    }
    problems = {("SB-1", "law"): problem} if problem else {}
    return Board(calls={"SB-1": make_call()}, destinations=["law", "crm"], cells=cells, problems=problems)


def shown_on(*boards: Board, terminal: bool, height: int = 40) -> str:
    """Return what a display shows of boards, the last one as the end."""
    file = io.StringIO()
    display = Display(Console(file=file, force_terminal=terminal, width=100, height=height, color_system=None))
    with display.watching():
        for each in boards:
            display.show(each)
    display.conclude(boards[-1], seconds=1.25)
    return file.getvalue()


def test_without_a_terminal_each_fate_is_one_line(make_call: Callable[..., Call]) -> None:
    """Told once, however often it is seen; what no route leads to is not told."""
    shown = shown_on(board(make_call), board(make_call), terminal=False)

    assert [
        "SB-1  law  delivered (a text cut)",
        "All 1 calls landed as they should in 1.2 s: 1 delivered.",
        "Every delivered call has one record at its stand-in.",
    ] == shown.splitlines()


def test_an_update_is_told_from_an_add(make_call: Callable[..., Call]) -> None:
    """The caller was a customer already: Kapture's own word says so."""
    cell = Cell(outcome="delivered", final=True, notes=("Customer Updated Successfully", "remote id 500001"))
    one = Board(calls={"SB-1": make_call()}, destinations=["crm"], cells={("SB-1", "crm"): cell}, problems={})

    assert "SB-1  crm  delivered (updated)" in shown_on(one, terminal=False).splitlines()


def test_a_terminal_ends_with_the_whole_table(make_call: Callable[..., Call]) -> None:
    """A row a call, a column a destination."""
    rows = [line.split() for line in shown_on(board(make_call), terminal=True).splitlines()]

    assert ["call", "result", "law", "crm"] in rows
    assert ["SB-1", "answered", "delivered", "(a", "text", "cut)", "-"] in rows


def test_a_short_terminal_gets_a_count_meanwhile(make_call: Callable[..., Call]) -> None:
    """What does not fit would leave its traces; the whole table comes at the end all the same."""
    shown = shown_on(board(make_call), terminal=True, height=4)

    assert "2 of 2 settled" in shown
    assert 1 == shown.count("SB-1")
    assert "settled" not in shown_on(board(make_call), terminal=True)


def test_what_is_wrong_is_said_last(make_call: Callable[..., Call]) -> None:
    """With the call and the destination."""
    shown = shown_on(board(make_call, problem="delivered, but its stand-in has no record of it"), terminal=False)

    assert "Not all has landed after 1.2 s: 1 delivered." in shown
    assert shown.endswith("  SB-1 at law: delivered, but its stand-in has no record of it\n")
