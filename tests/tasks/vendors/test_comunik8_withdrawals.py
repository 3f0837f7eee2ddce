"""Comunik8's withdrawals: ``/lead/cancel`` and its words, in the forms of its document."""

import pytest

from schemas.comunik8 import SPEC
from tasks.vendors.comunik8 import Comunik8
from tests.destinations import make_destination, make_order, make_response
from worker.errors import Blocked, DeliveryError, Skipped, Transient

VENDOR = Comunik8()
UNQUOTED_GROUP = '{\n    "cancelled": false,\n    "warning": server error (call group)\n}'


@pytest.fixture
def destination():
    """Return a destination that withdraws leads."""
    return make_destination(SPEC, {"cancel_when_answered": "24h", "subtype": "valeter", "delay": "10m"})


@pytest.fixture
def withdrawal(make_call, destination):
    """Return the order of a withdrawal."""
    return make_order(make_call(), destination, action="cancel")


def refusal(order, body, status=200):
    """Return what a reply raises."""
    with pytest.raises(DeliveryError) as caught:
        VENDOR.judge(order, make_response(body, status))
    return caught.value


def test_a_withdrawal_names_type_and_number_alone(withdrawal):
    """The page is /lead/cancel; it has no test field and no other."""
    prepared = VENDOR.prepare(withdrawal)

    assert prepared.request.url.startswith("https://crm.example.com/lead/cancel?key=")
    assert {"type": "motor-trade", "mobile": "0491570156"} == prepared.request.json


def test_a_withdrawal_names_the_lead_as_it_was_added(make_call):
    """An override of the type or the number holds for both."""
    destination = make_destination(SPEC, fields={"type": "{service_category}", "mobile": "{caller}"})
    call = make_call()
    lead = VENDOR.prepare(make_order(call, destination)).request.json
    withdrawal = VENDOR.prepare(make_order(call, destination, action="cancel")).request.json

    assert {"type": "Legal", "mobile": "+61491570156"} == withdrawal
    assert withdrawal.items() <= lead.items()


def test_a_withdrawal_without_a_caller_is_skipped(make_call, destination):
    """There is no number to withdraw."""
    with pytest.raises(Skipped, match="no_caller"):
        VENDOR.prepare(make_order(make_call(caller=None), destination, action="cancel"))


def test_a_withdrawal_is_delivered_plainly(withdrawal):
    """``{"cancelled": true}``."""
    receipt = VENDOR.judge(withdrawal, make_response({"cancelled": True}))

    assert (False, "") == (receipt.duplicate, receipt.note)


@pytest.mark.parametrize("status", [200, 400, 404])
@pytest.mark.parametrize("words", ["not found", "already processed", "Already Processed."])
def test_a_withdrawal_that_came_too_late_is_delivered_with_the_word_noted(withdrawal, words, status):
    """There is no lead to withdraw any more."""
    receipt = VENDOR.judge(withdrawal, make_response({"cancelled": False, "warning": words}, status))

    assert words == receipt.note


@pytest.mark.parametrize(
    "body", [UNQUOTED_GROUP, {"cancelled": False, "warning": "server error (call group)"}, "Server error (call group)"]
)
@pytest.mark.parametrize("status", [200, 500])
def test_a_withdrawal_of_an_unknown_type_blocks_the_destination(withdrawal, body, status):
    """The document shows the words without quotation marks, which is no JSON."""
    error = refusal(withdrawal, body, status)

    assert isinstance(error, Blocked)
    assert ("unknown_type", False, True, False) == (error.reason, error.confirm, error.probe, error.dead)


def test_a_proxys_not_found_is_no_answer_to_a_withdrawal(withdrawal):
    """Only the vendor's own keys hold its words."""
    assert isinstance(refusal(withdrawal, {"message": "not found"}, 404), Transient)
    assert isinstance(refusal(withdrawal, "not found", 404), Transient)
