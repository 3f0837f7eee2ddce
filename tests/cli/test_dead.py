"""``switchboard dead``: dead letters are listed, grouped, shown, replayed and dropped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from redis import Redis

from tasks.dispatch.dispatcher import dispatch
from worker.ledger.records import Verdict

ROOT = Path(__file__).resolve().parents[2]


async def _two_dead(book):
    await book.call("a-1")
    await book.call("a-2")
    await book.end("law", Verdict.DEAD, reason="rejected", reply="Invalid ANI", payload='{"ID":"a"}')


async def _saved(book):
    await book.call("m-1", result="Busy")
    await book.end("dialler", Verdict.DEAD, reason="saved_unprocessed", reply="Unknown Type")


def _keys(lines):
    return sorted(line["key"] for line in lines)


def test_lists_by_destination_reason_and_time(cli):
    """A line has the key, the reason and the vendor's words."""
    cli.fill(_two_dead)
    cli.fill(_saved)

    assert ["a-1:law:create", "a-2:law:create", "m-1:dialler:create"] == _keys(cli.json("dead", "list"))
    assert ["m-1:dialler:create"] == _keys(cli.json("dead", "list", "--destination", "dialler"))
    assert ["m-1:dialler:create"] == _keys(cli.json("dead", "list", "--reason", "saved_unprocessed"))
    assert 3 == len(cli.json("dead", "list", "--since", "1h"))
    assert [] == cli.json("dead", "list", "--until", "1h")
    assert "Invalid ANI" in cli.run("dead", "list").stdout
    [line] = cli.json("dead", "list", "--destination", "dialler")
    assert ("comunik8", "saved_unprocessed", "Unknown Type", 1) == tuple(
        line[key] for key in ("vendor", "reason", "words", "attempts")
    )


def test_groups_by_cause(cli):
    """One line a destination, reason and vendor's words, the most frequent first."""
    cli.fill(_two_dead)
    cli.fill(_saved)

    causes = cli.json("dead", "list", "--by", "cause")

    assert [(2, "law", "rejected", "Invalid ANI"), (1, "dialler", "saved_unprocessed", "Unknown Type")] == [
        (cause["count"], cause["destination"], cause["reason"], cause["words"]) for cause in causes
    ]
    assert "Invalid ANI" in cli.run("dead", "list", "--by", "cause").stdout


def test_shows_one_with_its_payload(cli):
    """Reason, words, payload as sent, notes, attempts and the call."""
    cli.fill(_two_dead)

    shown = cli.json("dead", "show", "a-1:law:create")

    assert ("rejected", "Invalid ANI", {"ID": "a"}, ["String01 cut"]) == tuple(
        shown[key] for key in ("reason", "words", "payload", "notes")
    )
    assert 1 == len(shown["attempts"])
    assert "a-1" == shown["call"]["call_id"]
    assert "Invalid ANI" in cli.run("dead", "show", "a-1:law:create").stdout
    assert 'payload: {"ID": "a"}' in cli.run("dead", "show", "a-1:law:create").stdout


def test_what_is_no_dead_letter_is_status_1(cli):
    """Unknown, delivered, or no key at all: for show, replay and drop."""
    cli.fill(_two_dead)

    for key in ("nobody:law:create", "a-1:crm:create", "nonsense", "a-1:calls:start", "a-1:calls:create"):
        cli.run("dead", "show", key, status=1)
        cli.run("dead", "replay", key, status=1)
        cli.run("dead", "drop", key, "--yes", status=1)
    cli.run("dead", "list", "--destination", "nobody", status=1)


def test_replays_by_key(cli):
    """It is due again at once, from the first wait, and its attempts go on counting."""
    cli.fill(_two_dead)

    assert {"replayed": 1, "left_out": 0, "unknown": []} == cli.json("dead", "replay", "a-1:law:create")

    [line] = [line for line in cli.json("deliveries", "list") if line["key"] == "a-1:law:create"]
    assert ("queued", "replayed", 1) == (line["state"], line["reason"], line["attempts"])
    assert ["a-2:law:create"] == _keys(cli.json("dead", "list"))
    assert ["a-1:law:create"] == [
        str(key) for key in cli.fill(lambda book: book.end("law", Verdict.DELIVERED, effect="ok"))
    ]
    assert "delivered" in [line["state"] for line in cli.json("deliveries", "list")]


def test_one_unknown_key_does_not_stop_the_others(cli):
    """What could be replayed is, and the status says that something could not."""
    cli.fill(_two_dead)

    done = cli.json("dead", "replay", "a-1:law:create", "nobody:law:create", status=1)

    assert {"replayed": 1, "left_out": 0, "unknown": ["nobody:law:create"]} == done


def test_replays_by_filters(cli):
    """Filters narrow each other; nothing that matches is status 0."""
    cli.fill(_two_dead)

    assert 0 == cli.json("dead", "replay", "--destination", "law", "--reason", "exhausted")["replayed"]
    assert 0 == cli.json("dead", "replay", "--until", "1h")["replayed"]
    assert 2 == cli.json("dead", "replay", "--destination", "law", "--reason", "rejected", "--since", "1h")["replayed"]


def test_all_leaves_out_what_the_vendor_has_saved(cli):
    """saved_unprocessed is replayed only when --reason names it, or by its key."""
    cli.fill(_two_dead)
    cli.fill(_saved)

    result = cli.run("dead", "replay", "--all")
    assert "2 replayed\n" == result.stdout
    assert "1 of reason saved_unprocessed left out" in result.stderr
    assert {"replayed": 1, "left_out": 0, "unknown": []} == cli.json(
        "dead", "replay", "--all", "--reason", "saved_unprocessed"
    )


def test_a_selection_is_required(cli):
    """Neither nothing nor keys with filters: wrong use is status 2."""
    cli.run("dead", "replay", status=2)
    cli.run("dead", "drop", status=2)
    cli.run("dead", "replay", "a-1:law:create", "--all", status=2)
    cli.run("dead", "replay", "--all", "--rate", "fast", status=2)
    cli.run("dead", "replay", "--since", "yesterday", status=2)


def test_replays_at_a_rate(cli):
    """Ten a second take at least 0.2 s for four, in steps of two."""
    cli.fill(_two_dead)
    cli.fill(lambda book: book.call("a-3"))
    cli.fill(lambda book: book.call("a-4"))
    cli.fill(lambda book: book.end("law", Verdict.DEAD, reason="rejected"))

    began = time.monotonic()
    done = cli.json("dead", "replay", "--all", "--rate", "10/s")

    assert 4 == done["replayed"]
    assert 0.2 <= time.monotonic() - began


def test_ctrl_c_leaves_nothing_half_done(cli):
    """What was replayed is queued, what was not is a dead letter still; the status is 1."""

    async def many(book):
        for number in range(10):
            await book.call(f"a-{number}")
        await book.end("law", Verdict.DEAD, reason="rejected")

    cli.fill(many)
    command = [sys.executable, "-m", "deploy.cli", "dead", "replay", "--all", "--rate", "1/s"]
    environ = {**os.environ, **cli.environ, "PYTHONPATH": str(ROOT)}
    with (
        Redis.from_url(cli.redis_url) as redis,
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
    ):
        deadline = time.monotonic() + 20
        while redis.zcard("sb:dead:law") == 10 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)

        left = redis.zcard("sb:dead:law")
    assert 1 == process.returncode, stderr
    assert 0 < left < 10
    assert f"{10 - left} replayed\n" == stdout
    assert f"Stopped: {left} are left as they were.\n" == stderr


def test_drop_asks(cli):
    """Without --yes it asks on standard error, and a no changes nothing."""
    cli.fill(_two_dead)

    result = cli.run("dead", "drop", "--all", input="n\n", status=1)
    assert "Drop 2 dead letters for good?" in result.stderr
    assert 2 == len(cli.json("dead", "list"))
    assert "2 dropped\n" == cli.run("dead", "drop", "--all", input="y\n").stdout
    assert [] == cli.json("dead", "list")


def test_a_dropped_delivery_is_cancelled(cli):
    """It leaves the list and cannot be replayed; its call keeps it with its attempts."""
    cli.fill(_two_dead)

    assert {"dropped": 1, "unknown": []} == cli.json("dead", "drop", "a-1:law:create", "--yes")

    cli.run("dead", "replay", "a-1:law:create", status=1)
    law = cli.json("calls", "show", "a-1")["deliveries"][0]
    assert ("cancelled", "dropped", 1) == (law["state"], law["reason"], len(law["attempts"]))


def test_a_call_without_a_start_is_a_dead_letter_of_calls(cli):
    """It is listed as CALL_ID:calls:start; replaying dispatches it again, dropping takes it off the list."""
    cli.configure((cli.folder / "switchboard.toml").read_text() + '[calls]\nstart_wait = "0.001s"\n')

    async def end_only(book):
        await book.event({"PLA_Call_Id": "end:only", "PLA_CallResult": "Answered"}, kind="update")
        deadline = time.monotonic() + 5
        while not await book.ledger.redis.zcard("sb:nostart") and time.monotonic() < deadline:
            await dispatch(["end:only"], ledger=book.ledger, planner=book.planner)

    cli.fill(end_only)

    [line] = cli.json("dead", "list")
    assert ("end:only:calls:start", "calls", "no_start", "end:only") == tuple(
        line[key] for key in ("key", "destination", "reason", "call_id")
    )
    assert "no_start" == cli.json("calls", "show", "end:only")["state"]
    assert "no_start" == cli.json("dead", "show", line["key"])["reason"]
    assert 1 == cli.json("dead", "replay", "--destination", "calls")["replayed"]
    with Redis.from_url(cli.redis_url) as redis:
        assert b"end:only" in redis.zrange("sb:waits", 0, -1)
    assert 1 == cli.json("dead", "drop", line["key"], "--yes")["dropped"]
    assert [] == cli.json("dead", "list")


def test_a_replayed_lead_is_withdrawn_when_its_caller_got_through(cli):
    """The answered call came while the lead was dead: the replayed lead is followed by its withdrawal."""
    cli.configure(
        (cli.folder / "switchboard.toml").read_text() + '[[routes]]\nto = ["dialler"]\nservice_ids = ["123"]\n'
    )
    cli.fill(_saved)
    cli.fill(lambda book: book.call("m-2"))
    cli.run("dead", "replay", "m-1:dialler:create")

    deliveries = cli.json("calls", "show", "m-1")["deliveries"]

    assert [("create", "queued"), ("cancel", "queued")] == [(one["action"], one["state"]) for one in deliveries]
