"""What is special to Captorra: its words, in the forms of its document."""

import pytest

from schemas.captorra import SPEC
from tasks.vendors.captorra import Captorra
from tests.destinations import make_destination, make_order, make_response
from worker.errors import Blocked, DeliveryError, Permanent, Transient

VENDOR = Captorra()


@pytest.fixture
def order(make_call):
    """Return the order of an ordinary call."""
    return make_order(make_call(), make_destination(SPEC, url="https://captrack01.captorra.com/api/create"))


def refusal(order, body, status=200):
    """Return what a reply raises."""
    with pytest.raises(DeliveryError) as caught:
        VENDOR.judge(order, make_response(body, status))
    return caught.value


def test_the_post_goes_to_the_configured_address(order):
    """The address is whole; nothing is added to it."""
    assert "https://captrack01.captorra.com/api/create" == VENDOR.prepare(order).request.url


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    "words",
    [
        "Invalid JSON data.",
        "invalid json data",
        "Please provide the CaptorraId, Name, ID, ANI, Date",
        "Please provide the Captorrald, Name, ID, ANI, Date",
        "Please provide Source Name, ID, ANI, Date",
        "Invalid Date",
        " INVALID DATE. ",
        "Invalid ANI",
    ],
)
def test_a_refused_call_is_dead_with_the_vendors_words(order, words, status):
    """The words decide whatever the status, which the document does not tell."""
    error = refusal(order, {"success": False, "error": words}, status)

    assert isinstance(error, Permanent)
    assert ("rejected", words.strip()) == (error.reason, error.detail)


@pytest.mark.parametrize("status", [200, 400, 404, 503])
@pytest.mark.parametrize("words", ["Please check CaptorraId.", "Please check Captorrald.", "please check captorraid"])
def test_an_unknown_organisation_blocks_the_destination(order, words, status):
    """CaptorraId is the destination's own, so no other call would be taken; the slip with a small L is known."""
    error = refusal(order, {"success": False, "error": words}, status)

    assert isinstance(error, Blocked)
    assert ("unknown_account", False, True, False) == (error.reason, error.confirm, error.probe, error.dead)


def test_a_known_id_is_a_duplicate_with_the_vendors_word(order):
    """``ID`` is the call id, so the record is this call's."""
    receipt = VENDOR.judge(order, make_response({"success": False, "error": "Phone source already exists"}))

    assert (True, "Phone source already exists") == (receipt.duplicate, receipt.note)


def test_words_decide_without_a_success_key(order):
    """An error alone says no."""
    assert isinstance(refusal(order, {"error": "Invalid ANI"}), Permanent)


def test_a_no_without_words_is_unrecognised(order):
    """``success`` false and nothing else, or an empty error."""
    for body in ({"success": False}, {"success": "False", "error": ""}, {"success": False, "error": None}):
        error = refusal(order, body)

        assert isinstance(error, Transient)
        assert "unrecognised" == error.exhausted_as


def test_a_call_with_neither_service_name_nor_id_notes_what_is_missing(make_call):
    """Name is required; Captorra is asked all the same, and says so."""
    order = make_order(make_call(service_name=None, service_id=None), make_destination(SPEC))
    prepared = VENDOR.prepare(order)

    assert "Name is empty for this call, and captorra requires it" in prepared.notes
    assert "Name" not in prepared.request.json


def test_a_withheld_caller_is_sent_where_the_configuration_fills_the_field(make_call):
    """An override of ANI stands in for the number."""
    destination = make_destination(SPEC, fields={"ANI": "{tracking_number}"})
    prepared = VENDOR.prepare(make_order(make_call(caller=None), destination))

    assert "0255501234" == prepared.request.json["ANI"]


def test_it_never_updates_and_may_be_sent_twice(order):
    """There is no update; the second post of an ID is answered as a duplicate."""
    assert (False, False, False) == (VENDOR.updates, VENDOR.one_at_a_time, VENDOR.suppressible)
    assert VENDOR.resend_is_safe(order.destination)
    assert not VENDOR.delivers_at_start(order.destination)
    assert VENDOR.withdraw_within_s(order.destination) is None


def test_a_test_post_that_is_taken_is_an_answer(order):
    """The address works; whether a record was made of nothing is for a person to look at."""
    assert "look whether that made a record" in VENDOR.judge_probe(order.destination, make_response({"success": True}))
