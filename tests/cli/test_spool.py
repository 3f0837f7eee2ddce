"""``switchboard spool``: the receiver's local journal."""

from contextlib import closing

from receiver.spool.file import Body, SpoolFile, drain_lock
from worker.ledger.records import Incoming


def _spooled(cli):
    with closing(SpoolFile(cli.folder / "spool.db")) as file:
        file.put([Incoming("a-1", 1_772_452_800_000_000, 's{"PLA_CID":"1"}'), Incoming("a-2", 2, "s{}")])
        file.keep(Body(3, "create", "the body is not JSON", b"{"))


def test_status_counts(cli):
    """Events, unreadable bodies, the age of the oldest and the size; no Redis is needed."""
    _spooled(cli)

    shown = cli.json("spool", "status", REDIS_URL="")

    assert (2, 1, str(cli.folder / "spool.db")) == (shown["events"], shown["bodies"], shown["path"])
    assert shown["oldest_seconds"] > 1e6
    assert shown["bytes"] > 0
    assert "2 events waiting" in cli.run("spool", "status").stdout


def test_status_makes_no_file(cli):
    """Where there is no journal nothing waits."""
    assert 0 == cli.json("spool", "status")["events"]
    assert not (cli.folder / "spool.db").exists()
    assert {"path": None, "events": 0, "set_aside": 0, "bodies": 0, "oldest_seconds": None, "bytes": 0} == cli.json(
        "spool", "status", SPOOL_PATH=""
    )
    assert "There is no spool" in cli.run("spool", "status", SPOOL_PATH="").stdout
    assert {"moved": 0, "left": 0} == cli.json("spool", "drain", SPOOL_PATH="")


def test_drain_moves_everything_into_the_ledger(cli):
    """Events with their time of receipt, and bodies into quarantine."""
    _spooled(cli)

    assert {"moved": 2, "left": 0} == cli.json("spool", "drain")
    assert 0 == cli.json("spool", "status")["events"]
    assert {"a-1", "a-2"} == {line["call_id"] for line in cli.json("calls", "list")}
    assert 1 == len(cli.json("quarantine", "list"))
    assert "0 events moved, 0 left\n" == cli.run("spool", "drain").stdout


def test_drain_leaves_it_to_a_receiver_that_is_at_it(cli):
    """One process drains at a time: status 1, with a sentence."""
    _spooled(cli)
    with drain_lock(cli.folder / "spool.db"):
        result = cli.run("spool", "drain", status=1)

    assert "A receiver is draining" in result.stderr


def test_a_file_that_is_no_spool_is_status_1(cli):
    """A sentence instead of a traceback."""
    (cli.folder / "spool.db").write_text("this is no database, and it is long enough to be told apart " * 20)

    assert "cannot be read" in cli.run("spool", "status", status=1).stderr
    assert "cannot be read" in cli.run("spool", "drain", status=1).stderr
