"""Kapture in mode contact: every caller becomes a contact of one customer, and never two."""

import pytest

from schemas.kapture.customer import SPEC
from tasks.vendors.kapture import Kapture
from tests.destinations import ScriptedHttp, make_destination, make_order, make_response
from worker.errors import Blocked, Permanent, Skipped, Transient

VENDOR = Kapture()
YES = {"Message": "Customer Added Successfully", "Status": "Success"}


@pytest.fixture
def contact(make_call):
    """Return the order of a call whose caller becomes a contact."""
    return make_order(make_call(), make_destination(SPEC, {"mode": "contact", "customer_id": "272930"}))


def test_a_caller_becomes_a_contact(contact):
    """The page of contacts, with the customer's number; it is remembered whose contact the caller is."""
    request = VENDOR.prepare(contact).request

    assert "https://crm.example.com/add-more-contacts-for-existing-customer.html" == request.url
    assert {
        "name": "Caller 0491570156",
        "phone": "0491570156",
        "email": "61491570156@calls.example.com",
        "customer_id": "272930",
    } == request.json
    assert {"contact_of": "272930"} == VENDOR.judge(contact, make_response(YES)).remember


async def test_a_contact_that_we_made_is_not_made_again(contact, make_call):
    """A later call of the caller sends nothing and is a duplicate; another customer's contact does not count."""
    http = ScriptedHttp(make_response(YES))
    for customer, requests in (("272930", 0), ("999", 1)):
        order = make_order(make_call(call_id="2"), contact.destination, memory={"contact_of": customer})
        receipt = await VENDOR.send(order, prepared=VENDOR.prepare(order), http=http)

        assert (requests == 0, requests) == (receipt.duplicate, len(http.requests))


def test_a_changed_end_has_nothing_to_update_in_a_contact(make_call, contact):
    """Contacts cannot be updated, so the revision is skipped."""
    with pytest.raises(Skipped, match="contained"):
        VENDOR.prepare(make_order(make_call(), contact.destination, action="update-2"))


def test_an_update_of_a_call_that_had_no_caller_makes_the_contact(make_call, contact):
    """There is nothing yet that it could be contained in."""
    prepared = VENDOR.prepare(make_order(make_call(), contact.destination, action="update-2", create_skipped=True))

    assert "272930" == prepared.request.json["customer_id"]


@pytest.mark.parametrize("written", ["0491570156", "+61 491 570 156", "61491570156", "0491-570-156", 61491570156])
async def test_after_an_unknown_outcome_the_contact_is_looked_for_first(make_call, contact, written):
    """Found under any way to write the number, it is a duplicate and no second one is made."""
    found = {"message": [{"id": 286829, "contacts": [{"phone": "999"}, {"Phone": written}], "status": "success"}]}
    http = ScriptedHttp(make_response(found))
    order = make_order(make_call(), contact.destination, number=2, unknown_before=True)
    receipt = await VENDOR.send(order, prepared=VENDOR.prepare(order), http=http)

    assert (True, {"contact_of": "272930"}) == (receipt.duplicate, receipt.remember)
    assert ["https://crm.example.com/search-customer-by-customer-id.html"] == [sent.url for sent in http.requests]
    assert {"customer_id": "272930"} == http.requests[0].json


@pytest.mark.parametrize(
    "found",
    [
        {"message": [{"id": 286829, "contacts": [{"phone": "999"}], "status": "success"}]},
        {"Customer Details": {"id": 286829, "contacts": [{"phone": "999"}]}, "status": "success"},
        {"Customer Details": "Information given by you does not exist in our sytsem.", "status": "failed"},
        {"message": [], "status": "success"},
    ],
)
async def test_a_contact_that_is_not_there_is_added(make_call, contact, found):
    """The newer page says not found under the key of the found."""
    http = ScriptedHttp(make_response(found), make_response(YES))
    order = make_order(make_call(), contact.destination, number=2, unknown_before=True)
    receipt = await VENDOR.send(order, prepared=VENDOR.prepare(order), http=http)

    assert not receipt.duplicate
    assert 2 == len(http.requests)


@pytest.mark.parametrize(
    ("body", "status", "decision"),
    [
        ("", 200, Transient),
        ("", 503, Transient),
        ({"Message": "the moon is full", "Status": "Fail"}, 200, Transient),
        ({"Message": "Auth Key Invalid", "Status": "Fail"}, 200, Blocked),
        ("", 404, Transient),
        ("", 410, Permanent),
    ],
)
async def test_a_search_that_tells_nothing_ends_the_attempt(*, make_call, contact, body, status, decision):
    """Nothing is added while it is not known whether the contact is there."""
    http = ScriptedHttp(make_response(body, status))
    order = make_order(make_call(), contact.destination, number=2, unknown_before=True)
    with pytest.raises(decision) as caught:
        await VENDOR.send(order, prepared=VENDOR.prepare(order), http=http)

    assert getattr(caught.value, "unknown", True)
    assert 1 == len(http.requests)


async def test_a_second_try_looks_first_whatever_was_answered_to_the_first(make_call, contact):
    """A redirect, or a no in words of no list, may come after the contact was stored."""
    found = {"message": [{"id": 286829, "contacts": [{"phone": "0491570156"}], "status": "success"}]}
    http = ScriptedHttp(make_response(found))
    order = make_order(make_call(), contact.destination, number=2)
    receipt = await VENDOR.send(order, prepared=VENDOR.prepare(order), http=http)

    assert receipt.duplicate
    assert ["https://crm.example.com/search-customer-by-customer-id.html"] == [sent.url for sent in http.requests]
