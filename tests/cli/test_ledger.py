"""``switchboard ledger``, and ``import --journal``: what they say, what they change, and what they refuse."""

import os
import subprocess
import sys

import orjson
import pytest

from receiver.journal import files_in
from tasks.dispatch.dispatcher import dispatch
from tests.worker.ledger.golden_records import load_golden
from worker.build import LEDGER_FORMAT
from worker.ledger import keys
from worker.ledger.records import Verdict
from worker.ledger.schema import begin, note

PASSPHRASE = "correct horse battery staple"


def flush(cli, *, without: tuple[str, ...] = ()):
    """Empty Redis, as an accident does."""

    async def work(book):
        for key in await book.ledger.redis.keys("*"):
            if not key.startswith(without):
                await book.ledger.redis.delete(key)

    cli.fill(work)


async def two_calls(book):
    """Make a delivered and an open call."""
    await book.call("a")
    await book.end("law", Verdict.DELIVERED)
    await book.call("b", caller="+61491570157")


def test_info_says_what_the_ledger_is(cli):
    """Before any process of this version, after one, and with what was noticed."""
    cli.fill(two_calls)
    before = cli.json("ledger", "info")
    cli.fill(lambda book: begin(book.ledger))
    cli.fill(
        lambda book: note(book.ledger, changed={"what": "put_back", "to_ms": 1, "last_seen_ms": 2, "noticed_ms": 3})
    )
    after = cli.json("ledger", "info")

    assert (before["format"], before["epoch"], before["calls"]) == (1, None, 2)
    assert [one["to"] for one in before["migrations"]] == [LEDGER_FORMAT]
    assert len(after["epoch"]) == 16
    text = cli.run("ledger", "info").output
    assert "Redis went back to its state of 1970-01-01T00:00:00+00:00" in text
    assert "Migration to format 2" in text


@pytest.mark.parametrize(
    "command", [("calls", "list"), ("ledger", "check"), ("ledger", "backup", "x"), ("dead", "list"), ("spool", "drain")]
)
def test_an_unknown_format_is_refused(cli, command):
    """Status 2, and what to run; `ledger info` and `doctor` say so too."""
    cli.fill(lambda book: note(book.ledger, format=LEDGER_FORMAT + 2))

    assert "run the version that wrote it" in cli.run(*command, status=2).output
    assert "run the version that wrote it" in cli.json("ledger", "info")["fault"]
    assert any("run the version that wrote it" in one for one in cli.json("doctor", status=1)["problems"])


@pytest.mark.parametrize("command", [("receiver",), ("celery", "-A", "worker", "worker", "-n", "w@test")])
@pytest.mark.parametrize(("number", "says"), [(0, "ledger migrate --apply"), (4, "run the version that wrote it")])
def test_no_process_starts_on_an_unknown_format(cli, command, number, says):
    """Receiver and worker end with status 2 before they listen or consume."""
    cli.fill(lambda book: note(book.ledger, format=number))
    environ = {**os.environ, **cli.environ, "PORT": "0"}

    done = subprocess.run(
        [sys.executable, "-m", *command], env=environ, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert says in done.stderr


def test_check_tells_and_mends(cli):
    """Status 1 while something is wrong; --fix stands in the audit."""
    cli.fill(two_calls)
    assert cli.json("ledger", "check") == {
        "calls": 2, "wrong": 0, "fixed": 0, "set_aside": 0, "counts": {}, "faults": [], "changed": None,
    }  # fmt: skip
    cli.fill(lambda book: book.ledger.redis.delete(f"{keys.DUE_KEY}crm"))

    told = cli.run("ledger", "check", status=1)
    mended = cli.json("ledger", "check", "--fix", "--as", "ann")

    assert "a:crm:create is open, and nobody would look at it" in told.output
    assert (mended["wrong"], mended["fixed"]) == (2, 2)
    assert cli.json("ledger", "check")["wrong"] == 0
    [audited] = [one for one in cli.json("audit", "list") if one["what"] == "ledger.check"]
    assert (audited["who"], audited["count"]) == ("ann", 2)


def audited(cli):
    """Return who did what to the ledger as a whole, the newest first."""
    doings = cli.json("audit", "list")
    return [
        (one["who"], one["what"], one["which"], one["count"]) for one in doings if one["what"].startswith("ledger.")
    ]


def test_check_fix_ends_what_was_noticed(cli):
    """The operator has dealt with it."""
    cli.fill(lambda book: note(book.ledger, changed={"what": "emptied", "last_seen_ms": 2, "noticed_ms": 3}))
    assert any("was emptied or replaced" in one for one in cli.json("doctor", status=1)["problems"])

    assert "was emptied or replaced" in cli.run("ledger", "check", "--fix", "--as", "ann").output

    assert cli.json("ledger", "info")["changed"] is None
    assert audited(cli) == [("ann", "ledger.check", "", 1)]


def test_migrate_plans_applies_and_has_nothing_left_to_do(cli):
    """A ledger of the format before gets the number of this one."""
    cli.fill(lambda book: load_golden(book.ledger.redis, 1))
    assert any("format 1" in one for one in cli.json("doctor", status=1)["warnings"])

    planned = cli.json("ledger", "migrate")
    assert audited(cli) == []
    applied = cli.json("ledger", "migrate", "--apply", "--as", "ann")

    assert (planned["format"], planned["steps"][0]["to"], planned["steps"][0]["calls"]) == (1, 2, 10)
    assert (applied["from"], applied["format"]) == (1, LEDGER_FORMAT)
    assert audited(cli) == [("ann", "ledger.migrate", "to 2", 1)]  # the number alone: nothing stood in the old form
    assert "there is nothing to do" in cli.run("ledger", "migrate").output
    assert cli.json("ledger", "check")["wrong"] == 0


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_backup_is_restored(cli, encrypted):
    """All calls, a new epoch, and what it cannot know; doctor goes on saying so."""
    cli.fill(two_calls)
    options = []
    if encrypted:
        (cli.folder / "secret").write_text(PASSPHRASE + "\n")
        options = ["--passphrase-file", str(cli.folder / "secret")]
    file = cli.folder / "ledger.sb"
    made = cli.json("ledger", "backup", str(file), *options, "--as", "ann")
    assert audited(cli) == [("ann", "ledger.backup", "ledger.sb", 1)]
    epoch = cli.json("ledger", "info")["epoch"]
    flush(cli)

    restored = cli.json("ledger", "restore", str(file), *options, "--as", "bob")

    assert audited(cli) == [("bob", "ledger.restore", "ledger.sb", 2)]
    assert (made["calls"], made["encrypted"], made["bytes"]) == (2, encrypted, file.stat().st_size)
    assert b"61491570156" not in file.read_bytes()
    assert (restored["calls"], restored["kept"], restored["doubtful"]) == (2, 0, 3)
    assert len(restored["cannot_know"]) == 4
    info = cli.json("ledger", "info")
    assert info["epoch"] not in {None, epoch}
    assert info["restored"]["instead_of"][0] == epoch
    assert {one["call"]["call_id"] if "call" in one else one["call_id"] for one in cli.json("calls", "list")} == {
        "a",
        "b",
    }
    assert any("restored from a backup" in one for one in cli.json("doctor", status=1)["warnings"])
    assert cli.json("ledger", "check")["wrong"] == 0


def test_a_full_redis_takes_no_backup_by_accident(cli):
    """--merge adds what is lacking, and says what was there."""
    cli.fill(two_calls)
    file = str(cli.folder / "ledger.sb")
    cli.run("ledger", "backup", file)
    flush(cli)
    cli.fill(lambda book: book.call("c"))

    assert "holds a ledger already" in cli.run("ledger", "restore", file, status=1).output
    merged = cli.json("ledger", "restore", file, "--merge")
    again = cli.json("ledger", "restore", file, "--merge")

    assert (merged["calls"], merged["kept"]) == (2, 0)
    assert "`report`" in merged["cannot_know"][-1]
    assert (again["calls"], again["kept"]) == (0, 2)


def test_a_restore_that_was_cut_off_is_done_again(cli):
    """Nothing else starts meanwhile."""
    cli.fill(two_calls)
    file = str(cli.folder / "ledger.sb")
    cli.run("ledger", "backup", file)
    flush(cli)
    cli.fill(lambda book: note(book.ledger, restoring=1, format=2))
    cli.fill(lambda book: book.ledger.redis.sadd(keys.DESTINATIONS_KEY, "law"))

    assert "a restore is under way" in cli.run("calls", "list", status=2).output
    assert cli.json("ledger", "restore", file)["calls"] == 2
    assert len(cli.json("calls", "list")) == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "foreign", "passphrase"])
def test_nothing_of_a_bad_file_comes_in(cli, damage):
    """The whole file is read before the first call is written."""
    cli.fill(two_calls)
    file = cli.folder / "ledger.sb"
    cli.run("ledger", "backup", str(file))
    text = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(text[:-3])
        case "changed":
            file.write_bytes(text[:-60] + bytes([text[-60] ^ 1]) + text[-59:])
        case "foreign":
            file.write_bytes(b"{}\n")
        case _:
            (cli.folder / "secret").write_text(PASSPHRASE)
            cli.run("ledger", "backup", str(file), "--passphrase-file", str(cli.folder / "secret"))
    flush(cli)

    assert "cannot be restored" in cli.run("ledger", "restore", str(file), status=1).output
    assert cli.json("ledger", "info")["calls"] == 0


def test_a_short_passphrase_is_a_fault(cli):
    """Eleven characters are not enough."""
    (cli.folder / "secret").write_text("elevenchars\n")

    said = cli.run("ledger", "backup", "x", "--passphrase-file", str(cli.folder / "secret"), status=2).output

    assert "at least 12 characters" in said
    assert not (cli.folder / "x").exists()


def journal(cli, *lines):
    """Write a journal; each line is the receipt, the id and the record, or bytes as they are."""
    folder = cli.folder / "journal"
    folder.mkdir(exist_ok=True)
    text = [line if isinstance(line, bytes) else orjson.dumps([1, *line]) for line in lines]
    (folder / "events-2026-11-29.jsonl").write_bytes(b"\n".join(text) + b"\n")
    assert len(files_in(folder)) == 1
    return {"JOURNAL_DIR": str(folder)}


def test_a_journal_gives_what_the_ledger_lacks_once(cli):
    """New calls and later events of known ones, with their receipts; what is known or removed is not taken again."""
    cli.fill(lambda book: book.call("known", result=None))
    stored = cli.fill(lambda book: book.ledger.load(["known"]))[0]
    us, record = stored.texts[0].split(" ", 1)
    cli.fill(lambda book: book.ledger.redis.set(f"{keys.REMEMBERED_KEY}gone", "", ex=60))
    environ = journal(
        cli,
        (int(us), "known", record),
        (int(us) + 1, "known", 'e{"u":"answered","v":"5"}'),
        (7, "new", 'c{"e":"0491570156","u":"answered"}'),
        (7, "new", 'c{"e":"0491570156","u":"answered"}'),
        (8, "gone", 's{"a":"1"}'),
        b"torn [1,2",
    )
    cli.fill(lambda book: note(book.ledger, changed={"what": "emptied", "last_seen_ms": 2, "noticed_ms": 3}))

    dry = cli.json("import", "--journal", "--dry-run", status=1, **environ)
    first = cli.json("import", "--journal", status=1, **environ)
    again = cli.json("import", "--journal", str(cli.folder / "journal" / "events-2026-11-29.jsonl"), status=1)

    assert (dry["new"], dry["known"], dry["refused"]) == (3, 2, 1)
    assert (first["new"], first["known"], first["refused"]) == (2, 3, 1)
    assert first["refusals"][0]["line"] == 6
    assert (again["new"], again["known"]) == (0, 5)
    [new] = cli.fill(lambda book: book.ledger.load(["new"]))
    assert new.texts == ('7 c{"e":"0491570156","u":"answered"}',)
    assert cli.json("ledger", "info")["changed"] is None


def test_a_caller_from_the_journal_is_in_doubt(cli):
    """His call may have been delivered before, so a vendor that knows no duplicates is asked first."""
    environ = journal(cli, (7, "new", 'c{"a":"123","e":"0491570156","u":"answered","v":"5"}'))
    cli.run("import", "--journal", **environ)

    async def claimed(book):
        await dispatch(["new"], ledger=book.ledger, planner=book.planner)
        return (await book.ledger.claim("crm", want=5, lease_ms=1000)).items

    [item] = cli.fill(claimed)
    assert orjson.loads(item.memory) == {"unsure": "1"}


def test_a_journal_has_to_be_named(cli):
    """By JOURNAL_DIR or the argument; an empty folder is told."""
    assert "JOURNAL_DIR" in cli.run("import", "--journal", status=2).output
    assert "Give a FILE" in cli.run("import", status=2).output
    (cli.folder / "empty").mkdir()
    assert "holds no journal" in cli.run("import", "--journal", str(cli.folder / "empty"), status=1).output


def test_every_result_is_told_in_words_too(cli, tmp_path):
    """Without ``--json``: what the ledger is, what is wrong with it, what a backup holds and cannot know."""
    cli.fill(lambda book: book.call("1"))
    info = cli.run("ledger", "info").stdout
    file = tmp_path / "words.backup"
    backed_up = cli.run("ledger", "backup", str(file))
    merged = cli.run("ledger", "restore", str(file), "--merge")
    cli.run("ledger", "backup", str(tmp_path / "no" / "such" / "folder"), status=1)

    assert "1 call" in info
    assert "1 call" in backed_up.stdout
    assert "0 calls restored" in merged.stdout
    assert "1 were there already" in merged.stdout
    assert "It cannot know:" in merged.stderr


def test_a_ledger_of_the_first_format_is_brought_to_the_present_one_in_words(cli):
    """The plan changes nothing; afterwards there is nothing to do."""
    cli.fill(lambda book: book.call("1"))
    plan = cli.run("ledger", "migrate").stdout
    done = cli.run("ledger", "migrate", "--apply").stdout

    assert "to format 2" in plan
    assert "to change" in plan
    assert "Now run switchboard ledger check." in done
    assert "there is nothing to do" in cli.run("ledger", "migrate").stdout
