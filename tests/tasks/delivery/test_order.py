"""The order: the call as it stands, what is remembered, and what an update or a withdrawal has to follow."""

from typing import Any

import pytest

from schemas.captorra import SPEC
from schemas.delivery import State
from tasks.delivery.transitions import Ready, begin, order_of, sent_before, skip_reason
from tests.destinations import make_destination
from tests.ledgers import NOON, key_of
from tests.tasks.dispatch.planned import END, START, record
from worker.ledger.history import Attempt, History
from worker.ledger.records import Claimed, DeliveryRecord, Verdict


def sibling(action: str, state: State, *, reason: str = "", at_ms: int = 0, sent_fields: str = "") -> DeliveryRecord:
    """Make a delivery of the same call."""
    return DeliveryRecord(
        key=key_of("c1", action), state=state, fence=1, number=1, step=0, at_ms=at_ms, group="", reason=reason,
        history=History(sent_fields=sent_fields),
    )  # fmt: skip


def make_claimed(action: str = "create", *siblings: DeliveryRecord, **changes: Any) -> Claimed:
    """Make a claim."""
    values = {
        "key": key_of("c1", action), "fence": 1, "number": 1, "step": 0, "reason": "", "ready_at_ms": 0, "memory": "",
        "suppressing": False, "version": 2, "history": History(), "siblings": {one.key.action: one for one in siblings},
        "events": (f"{NOON * 1000} {record('s', START)}", f"{NOON * 1000 + 1} {record('e', END)}"),
    }  # fmt: skip
    return Claimed(**{**values, **changes})


def test_an_order_holds_the_call_as_it_stands():
    """Merged from the events that came with the claim."""
    order = order_of(make_claimed(), destination=make_destination(SPEC), default_region="AU")

    assert ("c1", "+61491570156", "answered", 50) == (
        order.call.call_id, order.call.caller, order.call.result, order.call.duration,
    )  # fmt: skip
    assert (1, False, {}) == (order.number, order.unknown_before, order.memory)


def test_an_order_holds_what_is_remembered_of_the_caller():
    """As the delivery before it left it."""
    claimed = make_claimed(memory='{"customer_id":"7"}')

    assert {"customer_id": "7"} == order_of(claimed, destination=make_destination(SPEC), default_region="AU").memory


def test_an_order_tells_whether_another_call_of_the_caller_may_have_landed():
    """As its delivery, or the end of its lease, left it."""
    order = order_of(make_claimed(memory='{"unsure":"1"}'), destination=make_destination(SPEC), default_region="AU")

    assert order.unknown_before


@pytest.mark.parametrize("unknown", [True, False])
def test_an_order_tells_whether_an_earlier_try_may_have_landed(unknown: bool):
    """Any of them, not the last alone."""
    history = History()
    for number, fact in enumerate((unknown, False), 1):
        history = history.add(Attempt(number=number, at_ms=0, elapsed_ms=0, status=None, outcome="retry", unknown=fact))
    order = order_of(make_claimed(number=3, history=history), destination=make_destination(SPEC), default_region="AU")

    assert unknown == order.unknown_before


@pytest.mark.parametrize(
    ("action", "create", "reason"),
    [
        ("create", None, ""),
        ("update-2", None, "no_create"),
        ("update-2", sibling("create", State.DEAD), "no_create"),
        ("update-2", sibling("create", State.SKIPPED, reason="too_old"), "no_create"),
        ("update-2", sibling("create", State.SKIPPED, reason="no_caller"), ""),
        ("cancel", sibling("create", State.SKIPPED, reason="no_caller"), "no_create"),
        ("update-2", sibling("create", State.DELIVERED), ""),
        ("update-2", sibling("create", State.DELIVERED, reason="duplicate"), ""),
        ("cancel", sibling("create", State.DELIVERED), ""),
        ("cancel", sibling("create", State.DELIVERED, reason="duplicate"), "duplicate"),
        ("cancel", sibling("create", State.CANCELLED), "no_create"),
    ],
)
def test_what_follows_a_create_needs_it_delivered(action: str, create: DeliveryRecord | None, reason: str):
    """And a lead whose answer was a duplicate is not ours to withdraw."""
    assert reason == skip_reason(make_claimed(action, *([create] if create else [])))


@pytest.mark.parametrize(
    ("action", "earlier", "create_skipped"),
    [("create", State.DEAD, False), ("update-3", State.DEAD, True), ("update-3", State.DELIVERED, False)],
)
def test_an_update_makes_what_a_create_without_caller_did_not(action: str, earlier: State, *, create_skipped: bool):
    """The caller may be known by now; an update before this one may have made it already."""
    siblings = (sibling("create", State.SKIPPED, reason="no_caller"), sibling("update-2", earlier))
    claimed = make_claimed(action, *siblings)

    assert create_skipped == order_of(claimed, destination=make_destination(SPEC), default_region="AU").create_skipped


def test_what_the_vendor_has_is_what_it_confirmed_last():
    """By the time of the delivery, whatever the numbers of the updates."""
    create = sibling("create", State.DELIVERED, at_ms=1, sent_fields="first")
    later = sibling("update-2", State.DELIVERED, at_ms=9, sent_fields="second")
    dead = sibling("update-3", State.DEAD, at_ms=99, sent_fields="third")

    assert "second" == sent_before(make_claimed("update-4", create, later, dead))
    assert "first" == sent_before(make_claimed("update-2", create))
    assert "" == sent_before(make_claimed("update-2", sibling("create", State.DEAD, sent_fields="x")))


def killed(count: int, **changes: Any) -> Claimed:
    """Make a claim after so many attempts in a row of which nobody has said anything."""
    return make_claimed(number=count + 1, reason="interrupted" if count else "", **changes)


@pytest.mark.parametrize(("kills", "ends"), [(0, False), (5, False), (6, True)])
def test_a_claim_begins_ready_or_ends(kills: int, *, ends: bool):
    """A delivery whose workers were killed more often than its schedule has waits gets no further try."""
    begun = begin(killed(kills), destination=make_destination(SPEC), default_region="AU", at_ms=7)

    if ends:
        assert isinstance(begun, tuple)
        end, made = begun
        assert (Verdict.DEAD, "exhausted", "dead", 7) == (end.verdict, end.reason, made.outcome, made.at_ms)
    else:
        assert isinstance(begun, Ready)
        assert ("c1", "", "") == (begun.order.call.call_id, begun.skip, begun.sent_before)
        assert int(kills > 0) == len(begun.claimed.history.attempts)


def test_a_claim_begins_with_why_it_is_skipped_and_what_was_sent():
    """Both are found before anything is sent."""
    create = sibling("create", State.DELIVERED, reason="duplicate", sent_fields="first")
    begun = begin(make_claimed("cancel", create), destination=make_destination(SPEC), default_region="AU", at_ms=7)

    assert isinstance(begun, Ready)
    assert ("duplicate", "first") == (begun.skip, begun.sent_before)
