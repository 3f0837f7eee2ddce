"""``switchboard alerts``: the causes that hold, the messages that wait, and a test message."""

import asyncio
import threading

import pytest

from deploy.cli import alerts as command
from tests.cli.conftest import CONFIG, Book
from worker.ledger import alerts as kept
from worker.ledger.alerts import Noted

RULE = """
[[alerts]]
when = ["blocked"]
to = ["https://hooks.example.com/in?key=a-hook-key"]
"""


@pytest.fixture
def told(cli):
    """Return a command line that has an alert configured, and the short name of its address."""
    cli.configure(CONFIG + RULE)
    [target] = cli.fill(_targets)
    return cli, target


async def _targets(book: Book) -> list[str]:
    return [target.name for rule in book.planner.settings.alerts for target in rule.to]


def note(target: str, *, on: bool = True):
    """Return work that notes a cause."""

    async def work(book: Book) -> None:
        one = Noted(
            alert="blocked-1", on=on, hold_ms=0, clear_ms=0, may=True, targets=[target],
            facts={"cause": "blocked", "count": 1, "destinations": [{"destination": "law", "reason": "unauthorized"}]},
        )  # fmt: skip
        await kept.note(book.ledger, [one])

    return work


async def finish_all(book: Book, *, outcome: str = "delivered") -> int:
    """End every message that waits, as a worker does; return how many there were."""
    names = [line.target for line in await kept.lines(book.ledger)]
    claims = await kept.claim(book.ledger, names, lease_ms=60_000)
    for one in claims:
        await kept.finish(book.ledger, one, outcome)
    return len(claims)


def test_a_quiet_ledger_has_nothing_to_show(told):
    """And three empty lists as JSON."""
    cli, _ = told

    assert "Nothing is on." in cli.run("alerts", "list").output
    assert {"on": [], "waiting": [], "sent": []} == cli.json("alerts", "list")


def test_a_cause_is_shown_with_its_message(told):
    """First waiting, then sent; the key of the address is never shown."""
    cli, target = told
    cli.fill(note(target))
    waiting = cli.json("alerts", "list")
    shown = cli.run("alerts", "list").stdout
    cli.fill(finish_all)
    sent = cli.json("alerts", "list")
    after = cli.run("alerts", "list").stdout

    assert ["blocked"] == [one["cause"] for one in waiting["on"]]
    assert [1] == [one["messages"] for one in waiting["waiting"]]
    assert ([], ["delivered"]) == (sent["waiting"], [one["outcome"] for one in sent["sent"]])
    assert "law" in sent["sent"][0]["text"]
    assert "a-hook-key" not in f"{shown}{after}{waiting}{sent}"
    assert "hooks.example.com" in shown


def test_an_address_that_is_not_configured_any_more_is_named_so(told):
    """Its messages still wait in the ledger."""
    cli, target = told
    cli.fill(note(target))
    cli.configure(CONFIG)

    assert f"{target} (no longer configured)" == cli.json("alerts", "list")["waiting"][0]["target"]


def test_without_a_worker_a_test_message_waits(told, monkeypatch):
    """Status 1, and what to look at; the test stands in the audit."""
    cli, _ = told
    monkeypatch.setattr(command, "WAIT_S", 0.0)
    found = cli.run("alerts", "test", "--json", status=1)
    said = cli.run("alerts", "test", status=1)

    assert '"waiting"' in found.stdout
    assert "1 of 1 did not arrive." in said.stderr
    assert ["alerts.test", "alerts.test"] == [line["what"] for line in cli.json("audit", "list")]


def test_a_test_message_that_arrives_is_status_0(told):
    """A worker sends it meanwhile."""
    cli, _ = told
    done = threading.Event()

    def work() -> None:
        while not done.is_set() and not asyncio.run(cli._fill(finish_all)):
            done.wait(0.05)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        [one] = cli.json("alerts", "test")
    finally:
        done.set()
        worker.join()

    assert "delivered" == one["outcome"]


def test_without_a_rule_there_is_nobody_to_tell(cli):
    """Status 1."""
    assert "no [[alerts]]" in cli.run("alerts", "test", status=1).stderr
