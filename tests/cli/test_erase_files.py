"""``switchboard erase`` leaves no digit of the number: every file of a real Redis and of the spool is searched."""

import re
import sqlite3

import orjson
import pytest
from redis import Redis

from receiver.spool.file import Body, SpoolFile
from tests.cli.conftest import CALLER
from worker.ledger.records import Incoming, Verdict

NUMBER = re.compile(rb"[^0-9]{0,3}".join(str(digit).encode() for digit in "491570156"))
"""The national number in any form: with blanks, brackets and signs, after +61, 61, 0 or (0."""

FORMS = ("+61491570156", "61491570156", "0491570156", "0491 570 156", "(0491) 570-156", "+61 491 570 156")


@pytest.fixture
def server(cli, make_redis_server):
    """Return a Redis that keeps both of its files, in plain text, and the command line for it."""
    plain = ["aof-use-rdb-preamble", "no", "rdbcompression", "no"]
    made = make_redis_server(extra=plain)
    with Redis.from_url(made.url) as redis:
        redis.config_set("save", "3600 100000")
    cli.redis_url = cli.environ["REDIS_URL"] = made.url
    return made


async def _a_persons_traces(book):
    for place, form in enumerate(FORMS):
        await book.call(f"a-{place}", caller=form, result=("Answered", "Busy")[place % 2], PLA_City="Perth")
        await book.ledger.quarantine(
            f'{{"tel": "{form}"'.encode(), reason="not JSON", path_kind="create", received_us=1_772_452_800_000_000
        )
    await book.end("law", Verdict.DEAD, reason="rejected", reply="Invalid ANI", payload=f'{{"ANI": "{FORMS[2]}"}}')
    await book.ledger.claim("crm", want=1, lease_ms=60_000)
    await book.ledger.redis.set("sb:memo:crm:61491570156", "{}")
    await book.call("b-1", caller="+61491570157")


def _spool_the_same(cli):
    path = cli.folder / "spool.db"
    file = SpoolFile(path)
    file.put(
        [Incoming(f"s-{place}", place, f's{{"PLA_Caller_Phone_Number":"{form}"}}') for place, form in enumerate(FORMS)]
    )
    for form in FORMS:
        file.keep(Body(1, "create", "not JSON", f'{{"tel": "{form}"'.encode()))
    return file


def _holders(*folders):
    """Return the names of the files that hold the number."""
    files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return sorted(file.name for file in files if NUMBER.search(file.read_bytes()))


def test_no_digit_of_the_number_is_left_in_any_file(cli, server):
    """The append-only file, the snapshot, the spool with its WAL, and the log of Redis; another person's stay."""
    receiver = _spool_the_same(cli)  # stays open, as a receiver's does
    cli.fill(_a_persons_traces)
    with Redis.from_url(server.url) as redis:
        redis.save()
    before = _holders(server.directory, cli.folder)
    assert any("aof" in name for name in before)
    assert {"dump.rdb", "spool.db-wal"} <= {*before}
    cli.json("spool", "drain")
    events = cli.folder / "journal" / "events-2026-11-29.jsonl"
    events.parent.mkdir()
    lines = [(1, place, f"a-{place}", f's{{"e":"{form}"}}') for place, form in enumerate(FORMS)]
    events.write_bytes(b"\n".join(map(orjson.dumps, [*lines, (1, 9, "b-1", 's{"e":"+61491570157"}')])))
    cli.environ["JOURNAL_DIR"] = str(events.parent)

    done = cli.json("erase", "--caller", CALLER, "--yes")

    assert [] == _holders(server.directory, cli.folder)
    assert ["rewritten"] * 4 == [done["files"][name]["state"] for name in ("aof", "rdb", "spool", "journal")]
    assert [line[2] for line in map(orjson.loads, events.read_bytes().splitlines())] == ["b-1"]
    assert (2 * len(FORMS), 2 * len(FORMS)) == (done["calls"], done["quarantined"])
    assert (0, 0) == (done["spooled_events"], done["spooled_bodies"])
    assert ["b-1"] == [line["call_id"] for line in cli.json("calls", "list")]
    receiver.close()


def test_what_is_suppressed_stays_and_is_said(cli, server):
    """Whoever asked not to be called must not be called for having asked to be forgotten."""
    cli.run("suppress", "add", CALLER)

    assert cli.json("erase", "--caller", CALLER, "--yes")["suppressed"]
    assert [CALLER] == cli.json("suppress", "list")


@pytest.mark.parametrize(
    ("rights", "why"),
    [
        (["-bgrewriteaof", "-bgsave"], "this user may not run BGREWRITEAOF"),
        (["-info"], "this user may not run INFO"),
        (["-@dangerous", "+info"], "this user may not run BGREWRITEAOF"),
    ],
)
def test_without_the_right_it_says_what_is_left_to_do(cli, server, rights, why):
    """The ledger is clean, and the answer names the command that another user has to run."""
    cli.fill(_a_persons_traces)
    with Redis.from_url(server.url) as redis:
        redis.acl_setuser(
            "clerk", enabled=True, passwords=["+a-password"], keys=["*"], channels=["*"], commands=["+@all", *rights]
        )
    cli.environ["REDIS_URL"] = server.url.replace("//", "//clerk:a-password@")

    result = cli.run("erase", "--caller", CALLER, "--yes")

    assert f"The append-only file of Redis may still hold what was erased: {why}" in result.stderr
    assert any("aof" in name for name in _holders(server.directory))


def test_a_spool_of_an_earlier_version_is_cleaned_too(cli, server):
    """It did not overwrite what it removed, so pages in use and free ones still hold it."""
    path = cli.folder / "spool.db"
    SpoolFile(path).close()
    with sqlite3.connect(path) as old:
        old.execute("PRAGMA secure_delete=OFF")
        rows = [(n, f"s-{n}", f's{{"PLA_Caller_Phone_Number":"{FORMS[n % 6]}"}}') for n in range(600)]
        old.executemany("INSERT INTO events (received_us, call_id, record) VALUES (?, ?, ?)", rows)
        old.execute("DELETE FROM events")
    old.close()
    assert ["spool.db"] == _holders(cli.folder)

    assert "rewritten" == cli.json("erase", "--caller", CALLER, "--yes")["files"]["spool"]["state"]
    assert [] == _holders(cli.folder)


def test_a_spool_that_another_process_reads_is_told(cli, server):
    """Its WAL cannot be emptied then."""
    path = cli.folder / "spool.db"
    _spool_the_same(cli).close()
    with sqlite3.connect(path) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        result = cli.run("erase", "--caller", CALLER, "--yes")

    assert "The spool of this machine may still hold what was erased" in result.stderr
    assert "In this machine's spool: 6 events, 6 unreadable bodies. Drain it" in result.stderr
    reader.close()
