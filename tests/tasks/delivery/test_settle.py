"""Settling: the verdict, the wait and the effect of every outcome (contract, section 6)."""

from random import Random
from typing import Any

import orjson
import pytest

from schemas.captorra import SPEC
from schemas.delivery import Blocked, Dead, Delivered, Outcome, Prepared, Receipt, Request, Retry, Skipped
from tasks.delivery.attempt import Tried
from tasks.delivery.transitions import interrupted, noting_interruption, settle, unexpected
from tests.destinations import make_destination, make_order
from tests.ledgers import key_of
from worker.ledger.history import Attempt, History
from worker.ledger.records import Claimed, Finish, Verdict

SECRET = "a-secret-key-0123456789"
DESTINATION = make_destination(SPEC, retry_s=(100.0, 1000.0), secrets=(SECRET,))
PREPARED = Prepared(
    request=Request(method="POST", url=f"https://crm.example.com/?key={SECRET}", json={"ID": "c1", "key": SECRET}),
    notes=("Name cut",), fields={"ID": "c1"},
)  # fmt: skip


def make_claimed(**changes: Any) -> Claimed:
    """Make a claim of a first attempt."""
    values = {
        "key": key_of("c1"), "fence": 7, "number": 1, "step": 0, "reason": "", "ready_at_ms": 0, "memory": "",
        "suppressing": False, "version": 2, "history": History(), "siblings": {}, "events": ("1 s{}", "2 e{}"),
    }  # fmt: skip
    return Claimed(**{**values, **changes})


def settled(
    make_call: Any, outcome: Outcome, *, status: int | None = 200, order: Any = None, **changes: Any
) -> tuple[Finish, Attempt]:
    """Settle an attempt that came to ``outcome``."""
    tried = Tried(outcome=outcome, prepared=PREPARED, status=status, reply="words", sent_fields="digest")
    return settle(
        tried, order=order or make_order(make_call(), DESTINATION), claimed=make_claimed(**changes), at_ms=5,
        elapsed_ms=9, rng=Random(3),
    )  # fmt: skip


LAST = {"step": 2}
TABLE = [
    (Delivered(Receipt()), {}, "D", "", "ok", "delivered"),
    (Delivered(Receipt(duplicate=True)), {}, "D", "duplicate", "ok", "delivered"),
    (Skipped("no_caller"), {}, "S", "no_caller", "skip", "skipped"),
    (Dead("rejected"), {}, "X", "rejected", "none", "dead"),
    (Dead("invalid_payload"), {"status": None}, "X", "invalid_payload", "skip", "dead"),
    (Retry("unavailable"), {}, "r", "unavailable", "fail", "retry"),
    (Retry("timeout"), {"status": None}, "r", "timeout", "fail", "retry"),
    (Retry("unrecognised", counts=False), {}, "r", "unrecognised", "none", "retry"),
    (Retry("unavailable"), LAST, "X", "exhausted", "fail", "dead"),
    (Retry("unrecognised", exhausted_as="unrecognised", counts=False), LAST, "X", "unrecognised", "none", "dead"),
    (Blocked("unauthorized"), {}, "h", "unauthorized", "block:soon:unauthorized", "blocked"),
    (Blocked("unauthorized"), LAST, "h", "unauthorized", "block:soon:unauthorized", "blocked"),
    (Blocked("forbidden", confirm=True), {}, "r", "forbidden", "refuse", "blocked"),
    (Blocked("forbidden", confirm=True), LAST, "X", "rejected", "refuse", "blocked"),
    (
        Blocked("unknown_type", probe=False, dead=True), {},
        "X", "saved_unprocessed", "block:never:unknown_type", "dead",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("outcome", "changes", "verdict", "reason", "effect", "name"), TABLE)
def test_every_outcome_has_its_verdict(make_call, *, outcome, changes, verdict, reason, effect, name):
    """And its reason, its effect on the destination, and its name in the attempt log."""
    end, made = settled(make_call, outcome, **changes)

    assert (verdict, reason, effect) == (end.verdict, end.reason, end.effect)
    assert (name, reason, 1, 5, 9, "words") == (
        made.outcome, made.reason, made.number, made.at_ms, made.elapsed_ms, made.reply,
    )  # fmt: skip
    assert (key_of("c1"), 7) == (end.key, end.fence)
    assert made == end.history.attempts[-1]


@pytest.mark.parametrize(("step", "asked_s", "least_s", "most_s"), [
    (0, None, 80, 120), (1, None, 800, 1200), (0, 500.0, 500, 500), (0, 1.0, 80, 120), (0, 10**6, 14400, 14400),
])  # fmt: skip
def test_a_retry_waits_by_the_schedule_and_the_vendors_wish(make_call, *, step, asked_s, least_s, most_s):
    """Jittered by a fifth; ``Retry-After`` between the scheduled wait and four hours."""
    end, _ = settled(make_call, Retry("unavailable", retry_after_s=asked_s), step=step)

    assert least_s * 1000 <= end.delay_ms <= most_s * 1000


def test_a_first_refusal_waits_and_a_block_does_not(make_call):
    """A single 403 is retried by the schedule; a blocked destination holds by itself."""
    assert 80_000 <= settled(make_call, Blocked("forbidden", confirm=True))[0].delay_ms <= 120_000
    assert 0 == settled(make_call, Blocked("unauthorized"))[0].delay_ms


def test_a_receipt_leaves_its_notes_and_its_memory(make_call):
    """What was remembered before is kept beside it, but for a doubt; what was sent is known by its digest."""
    receipt = Receipt(duplicate=True, note="Existing", remote_id="77", remember={"customer_id": "77"})
    memory = {"customer_known": "1", "unsure": "1"}
    order = make_order(make_call(notes=("odd",)), DESTINATION, memory=memory)
    end, _ = settled(make_call, Delivered(receipt), order=order)

    assert ("Name cut", "odd", "duplicate", "Existing", "remote id 77") == end.history.notes
    assert {"customer_known": "1", "customer_id": "77"} == orjson.loads(end.memory)
    assert (2, "digest") == (end.history.sent_version, end.history.sent_fields)


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("step", [0, 2])
def test_a_failure_leaves_what_was_known_and_perhaps_a_doubt(make_call, *, unknown: bool, step: int):
    """Only a yes tells what the vendor has; what may have landed counts for the caller's other calls."""
    outcome, before = Retry("reset", unknown=unknown), History(sent_fields="before")
    end, made = settled(make_call, outcome, history=before, step=step)

    assert ("", "before", 2) == (end.memory, end.history.sent_fields, end.history.sent_version)
    assert (unknown, unknown) == (made.unknown, end.unsure)


def test_what_was_skipped_was_not_sent(make_call):
    """The log says so, and nothing else changes."""
    end, _ = settled(make_call, Skipped("too_old"), history=History(sent_version=1, sent_fields="before"))

    assert (1, "before") == (end.history.sent_version, end.history.sent_fields)


def test_a_dead_letter_keeps_its_payload_without_secrets(make_call):
    """The body alone; a later attempt takes it away again."""
    dead, _ = settled(make_call, Dead("rejected"))
    assert '{"ID":"c1","key":"[blanked]"}' == dead.history.payload
    again, _ = settled(make_call, Delivered(Receipt()), history=dead.history)

    assert "" == again.history.payload


def test_an_attempt_that_was_cut_before_its_request_is_as_if_it_had_not_been(make_call):
    """It goes back with what was known of it."""
    claimed = make_claimed(number=3, reason="timeout", history=History(notes=("a",)))
    end = interrupted(claimed, at_ms=5, delay_ms=9, sent=False)

    assert (Verdict.UNCLAIM, "timeout", 0, "skip", claimed.history, False) == (
        end.verdict, end.reason, end.delay_ms, end.effect, end.history, end.unsure,
    )  # fmt: skip


def test_an_attempt_that_was_cut_after_its_request_is_unknown(make_call):
    """It says nothing of the destination, and leaves a doubt about the caller."""
    end = interrupted(make_claimed(number=3), at_ms=5, delay_ms=9, sent=True)

    assert (Verdict.INTERRUPTED, 9, "skip", True) == (end.verdict, end.delay_ms, end.effect, end.unsure)
    assert (3, "unknown", True) == (
        end.history.attempts[0].number, end.history.attempts[0].outcome, end.history.attempts[0].unknown,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "logged", "noted"), [("interrupted", 0, True), ("interrupted", 2, False), ("", 0, False)]
)
def test_an_interruption_that_nobody_logged_is_noted_once(reason: str, logged: int, noted: bool):
    """A killed worker logs nothing; one that was stopped has."""
    attempts = [Attempt(number=n, at_ms=0, elapsed_ms=0, status=None, outcome="unknown") for n in range(1, logged + 1)]
    history = History()
    for past in attempts:
        history = history.add(past)
    claimed = noting_interruption(make_claimed(number=3, reason=reason, history=history), at_ms=5)

    assert logged + noted == len(claimed.history.attempts)
    assert not noted or claimed.history.attempts[-1].number == 2


@pytest.mark.parametrize(("step", "verdict", "sent", "effect"), [(0, "r", True, "none"), (2, "X", False, "skip")])
def test_an_error_outside_the_attempt_goes_by_the_schedule(step: int, verdict: str, sent: bool, effect: str):
    """Retried, then dead; unsent it says nothing of the destination."""
    end, made = unexpected(
        make_claimed(step=step),
        destination=DESTINATION,
        at_ms=5,
        error=KeyError("61491570156"),
        sent=sent,
        rng=Random(3),
    )

    assert (verdict, "unexpected", effect) == (end.verdict, end.reason, end.effect)
    assert ("KeyError", sent) == (made.reply, made.unknown)
