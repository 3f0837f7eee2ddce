"""What is wrong at a moment, cause by cause."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.hours import Hours
from tasks.alerts.causes import AuditDay, Seen, noted
from tasks.alerts.wording import title_of
from worker.config.alerts import CAUSES, AlertRule, AlertTarget
from worker.ledger.alerts import Message, Noted
from worker.ledger.overview import DestinationStatus, Overview
from worker.ledger.reports import Report, Reports
from worker.ledger.sign_ins import SignIn

SYDNEY = ZoneInfo("Australia/Sydney")
MONDAY = datetime(2026, 11, 30, 9, 0, tzinfo=SYDNEY)


def ms(moment: datetime) -> int:
    """Return a moment in epoch milliseconds."""
    return round(moment.timestamp() * 1000)


NOW = ms(MONDAY)


def destination(name: str = "law", **changes: Any) -> DestinationStatus:
    """Return a destination where all is well, with changes."""
    values: dict[str, Any] = {
        "due": 0,
        "queued": 0,
        "overdue_s": 0.0,
        "dead": 0,
        "paused": False,
        "blocked": "",
        "open": False,
    }
    return DestinationStatus(name=name, **(values | changes))


def seen(
    *destinations: DestinationStatus, reports: tuple[Report, ...] = (), heard: datetime = MONDAY, **changes: Any
) -> Seen:
    """Return what a look found where all is well, with changes."""
    values: dict[str, Any] = {
        "now_ms": NOW, "sign_ins": (SignIn(name="w1", config="aaa"),), "calls": 5, "waiting": 0, "waits_overdue_s": 0.0,
        "in_flight": 0, "no_start": 0, "unrouted": 0, "quarantined": 0,
        "destinations": destinations or (destination(),),
    }  # fmt: skip
    audits, changed = changes.pop("audits", ()), changes.pop("changed", "")
    return Seen(
        now_ms=NOW, overview=Overview(**(values | changes)), reports=Reports(heard_ms=ms(heard), processes=reports),
        audits=audits, changed=changed,
    )  # fmt: skip


def rule(*when: str, **changes: Any) -> AlertRule:
    """Return a rule of five minutes."""
    values: dict[str, Any] = {
        "for_s": 300.0, "hours": None, "timezone": None, "destinations": (),
        "to": (AlertTarget(address="https://example.com/hook"),),
    }  # fmt: skip
    return AlertRule(when=when, **(values | changes))


def told(one: Noted) -> str:
    """Return the sentence of what holds."""
    message = Message(
        message_id="m", kind="begun", alert=one.alert, since_ms=NOW, begun_ms=NOW, at_ms=NOW, facts=one.facts
    )
    return title_of(message)


def test_where_all_is_well_nothing_holds():
    """Of all the causes none."""
    assert [False] * len(CAUSES) == [one.on for one in noted(rule(*CAUSES), seen())]


DAY_9 = AuditDay(day="2026-11-20", there=9, missing=2, undelivered=0)
LACKING = AuditDay(day="2026-11-29", there=9, missing=2, undelivered=0)
WHOLE = AuditDay(day="2026-11-29", there=9, missing=0, undelivered=0)
NOT_AUDITED = AuditDay(day="2026-11-29", there=0, missing=0, undelivered=0, fault="expired")
SHORT = Report(name="h:1", at_ms=NOW, spool="s", spooled_since_ms=NOW - 9000, spooled_until_ms=NOW)
SPOOL = Report(name="h:1", at_ms=NOW, spool="s", spooled=0, spooled_since_ms=NOW - 400_000, spooled_until_ms=NOW - 1000)
STOPPED = Report(name="h:1", at_ms=NOW, config="aaa", journal="No space left on device")
OLDER = Report(name="h:0", at_ms=NOW - 9000, spool="s", spooled=7, spooled_since_ms=NOW - 400_000)


@pytest.mark.parametrize(
    ("cause", "look", "sentence"),
    [
        ("dead_letter", seen(destination(dead=2), destination("crm", dead=1)), "3 dead letters (law 2, crm 1)"),
        ("dead_letter", seen(no_start=1), "1 dead letter (calls without a start 1)"),
        ("blocked", seen(destination(blocked="unauthorized", gate={"blocked_at": "5"})), "law (unauthorized)"),
        ("circuit_open", seen(destination(open=True, gate={"open": "5"})), "deliveries are held: law"),
        ("overdue", seen(destination(due=3, overdue_s=301)), "no worker takes it: law 3"),
        ("overdue", seen(waits_overdue_s=301), "calls to be planned"),
        ("unrouted", seen(unrouted=2), "2 calls match no route"),
        ("quarantined", seen(quarantined=1), "1 webhook in quarantine"),
        ("spooled", seen(reports=(OLDER,)), "7 events wait in a spool"),
        ("spooled", seen(reports=(OLDER, SPOOL)), "the spool is empty again"),
        ("spooled", seen(reports=(STOPPED,)), "The journal is not kept (h:1: No space left on device)"),
        ("spooled", seen(reports=(STOPPED, OLDER)), "on device). 7 events wait in a spool"),
        ("refused", seen(reports=(Report(name="h:1", refused={"token": 2}, refused_ms=NOW - 9000),)), "(token 2)"),
        ("drift", seen(reports=(Report(name="h:1", at_ms=NOW, config="bbb"),)), "2 different configurations"),
        ("drift", seen(changed="Redis was emptied. Restore a backup."), "Redis was emptied. Restore a backup"),
        ("drift", seen(changed="x.", reports=(Report(name="h:1", at_ms=NOW, config="bbb"),)), "x. Processes run by 2"),
        ("silence", seen(heard=datetime(2026, 11, 29, 21, 54, tzinfo=UTC)), "No webhook for 6 min"),
        ("audit", seen(audits=(LACKING,)), "2 of 9 calls missing"),
        ("audit", seen(audits=(NOT_AUDITED,)), "expired"),
    ],
)  # fmt: skip
def test_what_is_wrong_holds_and_is_said_in_a_sentence(cause: str, look: Seen, sentence: str):
    """Each cause, with its count and the names of what it is about."""
    [one] = noted(rule(cause), look)

    assert one.on
    assert sentence in told(one)


@pytest.mark.parametrize(
    ("cause", "look"),
    [
        ("overdue", seen(destination(due=3, overdue_s=9999, paused=True))),  # on purpose
        ("overdue", seen(destination(due=3, overdue_s=9999, blocked="unauthorized"))),  # told as blocked
        ("overdue", seen(destination(due=3, overdue_s=299))),
        ("circuit_open", seen(destination(open=True, blocked="unauthorized", gate={"open": "5"}))),
        ("spooled", seen(reports=(SHORT,))),
        ("refused", seen(reports=(Report(name="h:1", refused={"token": 2}, refused_ms=NOW - 400_000),))),
        ("drift", seen(reports=(Report(name="h:1", at_ms=NOW - 90_000, config="bbb"),))),  # it is gone
        ("spooled", seen(reports=(replace(STOPPED, at_ms=NOW - 90_000),))),  # its receiver is gone
        ("audit", seen(audits=(DAY_9, WHOLE))),
    ],
)  # fmt: skip
def test_what_only_looks_wrong_does_not_hold(cause: str, look: Seen):
    """Another cause tells it, it is on purpose, or it is over."""
    assert [False] == [one.on for one in noted(rule(cause), look)]


def test_a_rule_of_some_destinations_is_told_of_no_others():
    """Nor of calls without a start, which have none."""
    look = seen(destination(dead=2), destination("crm", dead=1), no_start=4)

    assert [1, 7] == [
        noted(rule("dead_letter", **one), look)[0].facts["count"] for one in ({"destinations": ("crm",)}, {})
    ]
    assert not noted(rule("dead_letter", destinations=("dialler",)), look)[0].on


OFFICE: dict[str, Any] = {"hours": Hours.parse("Mon-Fri 08:00-18:00"), "timezone": SYDNEY}


@pytest.mark.parametrize(
    ("now", "heard", "on"),
    [
        ("30T08:03", "27T17:59", False),  # Monday; a minute of Friday and three of today
        ("30T08:04", "27T17:59", True),
        ("30T07:00", "27T17:50", True),  # it began on Friday at 17:55, and lasts
        ("29T12:00", "27T17:59", False),
        ("30T12:00", "30T11:56", False),
    ],
)
def test_silence_counts_its_hours_only(now: str, heard: str, on: bool):
    """A night and a weekend are no silence, and end none."""
    moment = datetime.fromisoformat(f"2026-11-{now}").replace(tzinfo=SYDNEY)
    look = seen(heard=datetime.fromisoformat(f"2026-11-{heard}").replace(tzinfo=SYDNEY))
    [one] = noted(rule("silence", **OFFICE), Seen(now_ms=ms(moment), overview=look.overview, reports=look.reports))

    assert on is one.on
    assert OFFICE["hours"].covers(moment, SYDNEY) is one.may
