"""The alerts' chore on a ledger: it looks, notes what holds, and sends the messages."""

import json
from collections.abc import Iterator
from datetime import date
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.alerts.watch import LONGEST_WORDS, look, targets_of, watch
from tests.alert_sink import AlertSink
from tests.ledgers import Driver
from worker.config.alerts import AlertRule, AlertTarget
from worker.http.client import HttpClient
from worker.ledger import alerts
from worker.ledger.delacon_days import AuditedDay, Figures, keep
from worker.ledger.history import Attempt

KEY = "a-kapture-key-0123"


@pytest.fixture
def sink() -> Iterator[AlertSink]:
    """Return a sink."""
    made = AlertSink()
    yield made
    made.close()


def settings_of(*when: str, to: str = "https://hooks.example.com/in") -> Any:
    """Return what the chore reads of the configuration: one rule, one destination."""
    rule = AlertRule(when=when, for_s=0, hours=None, timezone=None, destinations=(), to=(AlertTarget(address=to),))
    return SimpleNamespace(alerts=(rule,), destinations={"crm": None}, secrets=frozenset({KEY}))


async def block(driver: Driver, words: str) -> None:
    """Have the destination block with these words of the vendor."""
    await driver.make("1")
    claimed = await driver.take_one()
    made = Attempt(
        number=1, at_ms=driver.time.ms, elapsed_ms=5, status=401, outcome="blocked", reason="unauthorized", reply=words
    )
    await driver.end(claimed, "blocked", reason="unauthorized", history=claimed.history.add(made))


async def test_the_words_of_a_blocked_destination_hold_no_number_and_no_key(driver: Driver):
    """They are cut, and read only where a rule asks for such a cause."""
    await block(driver, f"{KEY} is wrong for +61491570156 {'x' * 999}")
    seen = await look(driver.ledger, settings_of("blocked"))
    without = await look(driver.ledger, settings_of("unrouted"))

    assert "unauthorized" == seen.words["crm"]["reason"]
    assert "1:crm:create" == seen.words["crm"]["delivery"]
    assert "[blanked] is wrong for +61…156" in seen.words["crm"]["words"]
    assert LONGEST_WORDS == len(seen.words["crm"]["words"])
    assert {} == without.words


async def test_audited_days_are_seen_where_a_rule_asks_for_them(driver: Driver):
    """With what is missing, and what is here and not delivered."""
    figures = Figures(there=9, here=7, missing=2, delivered=6)
    await keep(driver.ledger, AuditedDay(day=date(2026, 3, 1), at_ms=1, services={"101": figures}))
    [day] = (await look(driver.ledger, settings_of("audit"))).audits
    none = (await look(driver.ledger, settings_of("blocked"))).audits

    assert ("2026-03-01", 9, 2, 1, "") == (day.day, day.there, day.missing, day.undelivered, day.fault)
    assert [] == list(none)


async def test_a_look_notes_what_holds_and_sends_it_once(driver: Driver, sink: AlertSink):
    """A second look sends nothing more."""
    settings = settings_of("blocked", to=f"{sink.url}/hook")
    await block(driver, "no")
    async with HttpClient.open() as http:
        for _ in range(2):
            await watch(settings, ledger=driver.ledger, http=http, rng=Random(1))
            driver.time.pass_s(30)
    [standing] = await alerts.standing(driver.ledger)
    [sent] = await alerts.sent(driver.ledger)

    assert ["alert.begun"] == [message["type"] for message in sink.messages]
    assert ("blocked", "delivered") == (standing.cause, sent.outcome)
    assert KEY not in json.dumps(sink.messages)


async def test_what_does_not_arrive_waits_and_is_told_when_it_does(driver: Driver, sink: AlertSink):
    """The line keeps why; an address that no rule has any more is passed over."""
    await block(driver, "no")
    nowhere = settings_of("blocked", to="http://127.0.0.1:9/hook")
    async with HttpClient.open() as http:
        await watch(nowhere, ledger=driver.ledger, http=http, rng=Random(1))
        [line] = await alerts.lines(driver.ledger)
        driver.time.pass_s(3600)
        await watch(settings_of("unrouted", to=f"{sink.url}/hook"), ledger=driver.ledger, http=http, rng=Random(1))

    assert (1, 1) == (line.waiting, line.tries)
    assert line.reason
    assert [] == sink.messages
    assert list(targets_of(nowhere.alerts)) == [line.target]
