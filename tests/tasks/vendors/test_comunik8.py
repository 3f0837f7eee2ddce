"""What is special to Comunik8: leads and their words, in the forms of its document."""

import pytest

from schemas.comunik8 import SPEC
from tasks.vendors.comunik8 import Comunik8
from tests.destinations import make_destination, make_order, make_response
from worker.errors import Blocked, DeliveryError, Permanent, Skipped, Transient

VENDOR = Comunik8()


@pytest.fixture
def destination():
    """Return a destination that withdraws leads."""
    return make_destination(SPEC, {"cancel_when_answered": "24h", "subtype": "valeter", "delay": "10m"})


@pytest.fixture
def order(make_call, destination):
    """Return the order of a lead."""
    return make_order(make_call(result="unanswered"), destination)


def refusal(order, body, status=200):
    """Return what a reply raises."""
    with pytest.raises(DeliveryError) as caught:
        VENDOR.judge(order, make_response(body, status))
    return caught.value


def test_a_lead_is_added_with_its_number_of_seconds(order):
    """The page is /lead/add, ``delays`` a number."""
    request = VENDOR.prepare(order).request

    assert request.url.startswith("https://crm.example.com/lead/add?key=")
    assert 600 == request.json["delays"]


@pytest.mark.parametrize(
    ("result", "reason"), [("answered", "answered"), (None, "no_result"), ("unanswered", None), ("busy", None)]
)
def test_with_a_window_only_missed_calls_become_leads(make_call, destination, result, reason):
    """A call that was answered, or whose result is not known, is skipped; without a window every call is a lead."""
    call = make_call(result=result)
    if reason is None:
        assert VENDOR.prepare(make_order(call, destination)).fields
    else:
        with pytest.raises(Skipped, match=reason):
            VENDOR.prepare(make_order(call, destination))

    assert VENDOR.prepare(make_order(call, make_destination(SPEC))).fields


def test_a_test_lead_is_delivered_and_noted(order):
    """``{"test": "ok"}`` means that the format is right; nothing is saved."""
    assert "test: ok" == VENDOR.judge(order, make_response({"test": "ok"})).note


@pytest.mark.parametrize("words", ["Existing Contact", "Another call is already scheduled"])
def test_a_known_lead_is_a_duplicate_with_the_vendors_word(order, words):
    """The caller is being called already."""
    receipt = VENDOR.judge(order, make_response({"saved": True, "processed": False, "error": words}))

    assert (True, words) == (receipt.duplicate, receipt.note)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_unknown_type_blocks_without_probes_and_its_lead_is_dead(order, status):
    """The vendor saved the lead, so every probe would save one more."""
    error = refusal(order, {"saved": True, "processed": False, "error": "Unknown Type"}, status)

    assert isinstance(error, Blocked)
    assert ("unknown_type", False, False, True) == (error.reason, error.confirm, error.probe, error.dead)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"email": {"0": "Email cannot be blank."}}, "email: Email cannot be blank."),
        (
            {"data": {"0": "Empty or invalid content of `data` field"}},
            "data: Empty or invalid content of `data` field",
        ),
        ({"email": ["Email cannot be blank."]}, "email: Email cannot be blank."),
        (
            {"email": {"0": "cannot be blank", "1": "is no address"}, "mobile": ["is invalid"]},
            "email: cannot be blank is no address; mobile: is invalid",
        ),
        ({"error": {"mobile": {"0": "Mobile is invalid"}}}, "Mobile is invalid"),
    ],
)
def test_failing_validations_are_dead_with_a_message_for_each_field(order, body, detail):
    """400 with an object of numbered texts as the document shows it, or with lists."""
    error = refusal(order, body, 400)

    assert isinstance(error, Permanent)
    assert ("rejected", detail) == (error.reason, error.detail)


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    "body",
    [
        {"cancelled": False, "warning": "server error (save)"},
        {"saved": False, "error": "Server error (save)."},
        '{"cancelled": false, "warning": server error (save)}',
    ],
)
@pytest.mark.parametrize("action", ["create", "cancel"])
def test_a_failed_save_is_tried_again(*, make_call, destination, action, body, status):
    """In quotation marks or not, for leads and withdrawals."""
    error = refusal(make_order(make_call(), destination, action=action), body, status)

    assert isinstance(error, Transient)
    assert ("unavailable", "exhausted", False) == (error.reason, error.exhausted_as, error.unknown)


def test_the_words_of_a_withdrawal_mean_nothing_to_a_lead(order):
    """``not found`` of a lead is no yes, nor is a proxy's page that holds these words."""
    assert isinstance(refusal(order, {"saved": False, "error": "not found"}, 404), Permanent)
    assert isinstance(refusal(order, "<h1>not found</h1>", 404), Transient)


@pytest.mark.parametrize("body", [{"saved": True}, {"processed": True}, {"saved": True, "processed": None}])
def test_half_a_yes_is_none(order, body):
    """Both must be said; half is neither yes nor no."""
    error = refusal(order, body)

    assert isinstance(error, Transient)
    assert (True, "exhausted") == (error.unknown, error.exhausted_as)


@pytest.mark.parametrize("body", [{"saved": True, "processed": False}, {"saved": False, "processed": False}])
def test_a_no_without_words_is_unrecognised(order, body):
    """It may pass, and ends as a dead letter that a human reads."""
    assert "unrecognised" == getattr(refusal(order, body), "exhausted_as", "")


def test_it_never_updates_may_be_sent_twice_and_knows_suppressed_numbers(order):
    """The window of the withdrawal comes from the configuration."""
    assert (False, False, True) == (VENDOR.updates, VENDOR.one_at_a_time, VENDOR.suppressible)
    assert VENDOR.resend_is_safe(order.destination)
    assert not VENDOR.delivers_at_start(order.destination)
    assert 86400.0 == VENDOR.withdraw_within_s(order.destination)
    assert VENDOR.withdraw_within_s(make_destination(SPEC)) is None


def test_a_test_lead_that_is_saved_is_an_answer(destination):
    """Address and key work; that the lead is to be removed is told."""
    saved = make_response({"saved": True, "processed": True})

    assert "remove that lead" in VENDOR.judge_probe(destination, saved)
