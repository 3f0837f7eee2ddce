"""``switchboard deliveries retry``, ``cancel``, ``redeliver``, and the audit of every command that changes anything."""

import socket
from pathlib import Path

from worker.ledger import admin
from worker.ledger.records import Verdict

NUMBER = "0491570156"


async def _waiting(book):
    await book.call("a-1")
    await book.call("a-2")
    await book.end("law", Verdict.RETRY, reason="timeout")


def _states(cli, *names):
    lines = cli.json("deliveries", "list")
    return {line["key"]: (line["state"], line["reason"]) for line in lines if line["destination"] in names}


def test_retries_by_filters_and_by_key(cli):
    """What it did is counted; a key that is nowhere is status 1, and the others are done."""
    cli.fill(_waiting)

    assert {"retried": 2, "left": 0, "unknown": []} == cli.json(
        "deliveries", "retry", "--destination", "law", "--reason", "timeout", "--yes"
    )
    done = cli.json("deliveries", "retry", "a-1:law:create", "nobody:law:create", "--yes", status=1)
    assert {"retried": 1, "left": 0, "unknown": ["nobody:law:create"]} == done
    assert 0 == cli.json("deliveries", "retry", "--until", "1h", "--yes")["retried"]


def test_cancels_what_is_not_sent(cli):
    """Of one destination; the other keeps its deliveries. It asks first, and no is an answer."""
    cli.fill(_waiting)

    asked = cli.run("deliveries", "cancel", "--destination", "law", input="n\n", status=1)
    assert "Cancel 2 deliveries for good?" in asked.output
    assert {"retrying"} == {state for state, _ in _states(cli, "law").values()}

    assert "2 cancelled" in cli.run("deliveries", "cancel", "--destination", "law", input="y\n").output

    assert {("cancelled", "cancelled")} == set(_states(cli, "law").values())
    assert {("queued", "")} == set(_states(cli, "crm").values())


def test_redelivers_what_is_final_and_says_so(cli):
    """Filters need a state; a key needs none; what is not final is status 1."""
    cli.fill(_waiting)
    cli.fill(lambda book: book.end("crm", Verdict.DELIVERED, effect="ok"))

    cli.run("deliveries", "redeliver", "--destination", "crm", "--yes", status=2)
    assert 0 == cli.json("deliveries", "redeliver", "--all", "--state", "skipped", "--yes")["redelivered"]
    assert 1 == cli.json("deliveries", "redeliver", "--all", "--state", "delivered", "--yes")["redelivered"]
    assert ("queued", "redelivered") == _states(cli, "crm")["a-1:crm:create"]
    cli.run("deliveries", "redeliver", "a-1:crm:create", "--yes", status=1)


def test_a_redelivered_dead_letter_leaves_the_list(cli):
    """It is as replayed, under its own word."""
    cli.fill(_waiting)
    cli.fill(lambda book: admin.retry(book.ledger, []))
    cli.json("deliveries", "retry", "--destination", "law", "--yes")
    cli.fill(lambda book: book.end("law", Verdict.DEAD, reason="rejected"))

    assert {"redelivered": 1, "left": 0, "unknown": []} == cli.json(
        "deliveries", "redeliver", "a-1:law:create", "--yes"
    )

    assert ["a-2:law:create"] == [line["key"] for line in cli.json("dead", "list")]


def test_wrong_use_is_status_2(cli):
    """Neither keys nor filters, or both."""
    for command in ("retry", "cancel", "redeliver"):
        cli.run("deliveries", command, "--yes", status=2)
        cli.run("deliveries", command, "a-1:law:create", "--all", "--yes", status=2)


def test_every_command_that_changes_anything_is_on_record(cli, tmp_path):
    """With who, where, which and how many; numbers are masked; looking leaves no trace."""
    cli.fill(_waiting)
    cli.fill(lambda book: book.ledger.quarantine(b"{nonsense", reason="not JSON", path_kind="create", received_us=1))
    cli.fill(lambda book: book.call("m-1", result=None))
    Path(tmp_path / "calls.jsonl").write_text(
        '{"PLA_Call_Id":"i-1","PLA_Caller_Phone_Number":"0491570157","PLA_CallResult":"Busy"}\n'
    )

    cli.json("deliveries", "retry", "--destination", "law", "--yes", "--as", "ann")
    cli.fill(lambda book: book.end("law", Verdict.DEAD, reason="rejected"))
    cli.json("dead", "replay", "a-1:law:create", "--as", "ann")
    cli.json("dead", "drop", "--all", "--yes", "--as", "ann")
    cli.json("destinations", "pause", "law", "--as", "ann")
    cli.json("destinations", "resume", "law", "--as", "ann")
    cli.json("destinations", "test", "law", "--as", "ann", status=1)
    cli.json("suppress", "add", NUMBER, "--as", "ann")
    cli.json("suppress", "remove", NUMBER, "--as", "ann")
    cli.json("calls", "reroute", "a-1", "--as", "ann")
    cli.json("import", str(tmp_path / "calls.jsonl"), "--as", "ann")
    cli.json("import", str(tmp_path / "calls.jsonl"), "--as", "ann")
    cli.json("import", str(tmp_path / "calls.jsonl"), "--dry-run", "--as", "ann")
    cli.json("deliveries", "cancel", "a-2:crm:create", "--yes", "--as", "ann")
    cli.json("erase", "--caller", NUMBER, "--yes", "--as", "ann")
    cli.json("calls", "list")

    lines = cli.json("audit", "list", "--who", "ann")
    assert {("ann", "cli", socket.gethostname())} == {(line["who"], line["by"], line["from"]) for line in lines}
    assert [
        ("deliveries.retry", "destination=law", 2),
        ("dead.replay", "a-1:law:create", 1),
        ("dead.drop", "all", 1),
        ("destinations.pause", "law", 1),
        ("destinations.resume", "law", 1),
        ("destinations.test", "law", 1),
        ("suppress.add", "+61…156", 1),
        ("suppress.remove", "+61…156", 1),
        ("calls.reroute", "a-1", 1),
        ("import", "calls.jsonl", 1),
        ("deliveries.cancel", "a-2:crm:create", 1),
        ("erase", "caller=+61…156", 3),
    ] == [(line["what"], line["which"], line["count"]) for line in reversed(lines)]
    assert "570156" not in cli.run("audit", "list").stdout


def test_the_audit_is_listed_by_time_name_and_number(cli):
    """The newest first; without --as it is the system's user."""
    cli.json("destinations", "pause", "law")
    cli.json("destinations", "pause", "crm", "--as", "ann")

    assert ["crm", "law"] == [line["which"] for line in cli.json("audit", "list")]
    assert ["crm"] == [line["which"] for line in cli.json("audit", "list", "--limit", "1")]
    assert [] == cli.json("audit", "list", "--until", "1h")
    [mine] = [line for line in cli.json("audit", "list") if line["who"] != "ann"]
    assert mine["who"]
    assert "destinations.pause" in cli.run("audit", "list", "--since", "1h").stdout


def test_a_test_of_a_destination_needs_no_ledger(cli):
    """It says that nothing is put on record."""
    result = cli.run("destinations", "test", "law", "--json", status=1, REDIS_URL="redis://127.0.0.1:9/0")

    assert "not put on record" in result.stderr
