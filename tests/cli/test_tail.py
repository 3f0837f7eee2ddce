"""``switchboard calls tail``: a line for each webhook, attempt and end, and for what operators do."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from worker.ledger.records import Verdict

ROOT = Path(__file__).resolve().parents[2]


def _lines(cli, *options):
    return [json.loads(line) for line in cli.run("calls", "tail", "--once", "--json", *options).stdout.splitlines()]


def test_what_has_happened_is_told_in_order(cli):
    """Since a moment: webhooks, operators; without --since nothing of the past."""
    cli.fill(lambda book: book.call("a-1"))
    cli.json("destinations", "pause", "law", "--as", "ann")
    cli.fill(lambda book: book.end("crm", Verdict.DELIVERED, effect="ok"))

    lines = _lines(cli, "--since", "1h")

    assert ["webhook", "operator", "ended"] == [line["event"] for line in lines]
    assert ["a-1", "", "a-1"] == [line["call_id"] for line in lines]
    assert "crm create delivered" == lines[-1]["what"]
    assert "ann destinations.pause law, 1" == lines[1]["what"]
    assert [] == _lines(cli)
    assert "+14:00" in cli.run("calls", "tail", "--once", "--since", "1h", "--tz", "Pacific/Kiritimati").stdout


def test_no_number_is_shown(cli):
    """A line goes into logs and onto screens."""
    cli.fill(lambda book: book.call("a-1"))

    assert "570156" not in cli.run("calls", "tail", "--once", "--since", "1h").stdout


def test_it_follows_until_it_is_interrupted(cli):
    """Each event once, also of a call that was there before and is tried now; Ctrl-C is status 0."""
    cli.fill(lambda book: book.call("old"))
    environ = {**os.environ, **cli.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "deploy.cli", "calls", "tail", "--json", "--since", "1h"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "old" == json.loads(process.stdout.readline())["call_id"]
            cli.fill(lambda book: book.call("new"))
            assert ("new", "webhook") == _of(process.stdout.readline())
            cli.fill(lambda book: book.end("law", Verdict.DEAD, reason="rejected"))
            told = {_of(process.stdout.readline()) for _ in range(2)}
            assert {("old", "ended"), ("new", "ended")} == told
            process.send_signal(signal.SIGINT)
            assert 0 == process.wait(30)
            assert "" == process.stdout.read()
        finally:
            process.kill()


def test_every_attempt_is_told(cli):
    """With the vendor's status and what became of it."""
    cli.fill(lambda book: book.call("a-1"))
    cli.fill(lambda book: book.end("law", Verdict.RETRY, reason="timeout"))

    [attempt] = [line for line in _lines(cli, "--since", "2026-03-01") if line["event"] == "attempt"]

    assert "law create attempt 1: 400, dead timeout" == attempt["what"]


def _of(line: str) -> tuple[str, str]:
    value = json.loads(line)
    return value["call_id"], value["event"]
