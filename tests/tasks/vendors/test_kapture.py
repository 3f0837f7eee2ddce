"""What is special to Kapture: adds and updates, and its words in all their forms."""

import pytest

from schemas.kapture.customer import SPEC
from tasks.vendors.kapture import Kapture
from tests.destinations import ScriptedHttp, make_destination, make_order, make_response
from worker.errors import Blocked, DeliveryError, Permanent, Transient

VENDOR = Kapture()
KEYS = {name: f"key-of-{name}" for name in ("add", "update", "search", "select", "contact")}
KNOWN = {"customer_known": "1"}
CONTACT = {"mode": "contact", "customer_id": "272930"}
YES = {"Message": "Customer Added Successfully", "Status": "Success"}


@pytest.fixture
def destination():
    """Return a destination with a key for each operation."""
    return make_destination(SPEC, {"auth_key": None, "auth_keys": KEYS})


@pytest.fixture
def order(make_call, destination):
    """Return the order of an unknown caller's call."""
    return make_order(make_call(), destination)


def refusal(order, body, status=200):
    """Return what a reply raises."""
    with pytest.raises(DeliveryError) as caught:
        VENDOR.judge(order, make_response(body, status))
    return caught.value


def test_the_first_call_of_a_caller_adds(order):
    """Every mapped field, with the key of adding."""
    request = VENDOR.prepare(order).request

    assert "https://crm.example.com/add-update-customer-from-other-source.html" == request.url
    assert {"Authorization": "Basic key-of-add"} == request.headers
    assert {"name", "email", "phone", "customer_code"} <= request.json.keys()


@pytest.mark.parametrize(
    ("action", "memory", "customer_id"),
    [
        ("create", KNOWN, None),
        ("create", {"customer_id": "48338968"}, "48338968"),
        ("create", {**KNOWN, "customer_id": "48338968"}, "48338968"),
        ("update-2", {}, None),
        ("update-3", {"customer_id": "48338968"}, "48338968"),
    ],
)
def test_later_calls_and_changed_ends_update(*, make_call, destination, action, memory, customer_id):
    """The same page with the key of updating, without name and email, with what finds the customer."""
    request = VENDOR.prepare(make_order(make_call(), destination, action=action, memory=memory)).request

    assert "https://crm.example.com/add-update-customer-from-other-source.html" == request.url
    assert {"Authorization": "Basic key-of-update"} == request.headers
    assert request.json.keys().isdisjoint({"name", "email"})
    assert ("61491570156", "0491570156") == (request.json["customer_code"], request.json["phone"])
    assert customer_id == request.json.get("customer_id")


def test_an_add_and_an_update_of_one_call_tell_the_same_fields(make_call, destination):
    """So an update is found to be contained in the add, unless the call has changed."""
    call = make_call()
    added = VENDOR.prepare(make_order(call, destination))
    updated = VENDOR.prepare(make_order(call, destination, action="update-2", memory={"customer_id": "1"}))
    changed = VENDOR.prepare(make_order(make_call(result="busy"), destination, action="update-2"))

    assert added.fields == updated.fields
    assert added.fields != changed.fields


@pytest.mark.parametrize(
    "body",
    [
        '{ \n"Message": "Customer Added Successfully",\n"Status": "Success"\n};',
        '{\n{"message": "Customer Updated Successfully""status": "success"\n}',
        {"message": "Customer Updated Successfully", "status": "success"},
        {"message": [{"id": 1, "status": "success"}]},
        {"message": {"text": "Customer Added Successfully", "status": "Success"}},
        [{"Message": "Customer Added Successfully", "Status": "Success"}],
    ],
)
def test_a_success_is_read_as_the_document_prints_it(order, body):
    """With the semicolon, the doubled brace and the lost comma of its samples; with the status inside the message."""
    assert KNOWN == VENDOR.judge(order, make_response(body)).remember


@pytest.mark.parametrize(
    "body",
    [
        {**YES, "Kapture Customer Id": "48338968"},
        {**YES, "kapture customer id": 48338968},
        {"status": "success", "message": {"Kapture Customer Id": "48338968"}},
        {"status": "success", "message": [{"KAPTURE CUSTOMER ID": "48338968"}]},
        {"status": "success", "Customer Details": {"kapture_customer_id": 48338968}},
    ],
)
def test_the_customers_number_is_remembered(order, body):
    """The next update of this caller names it."""
    receipt = VENDOR.judge(order, make_response(body))

    assert {"customer_known": "1", "customer_id": "48338968"} == receipt.remember
    assert "48338968" == receipt.remote_id


@pytest.mark.parametrize("status", [200, 400, 403, 500])
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Auth Key Invalid", "unauthorized"),
        ("Invalid Auth Key", "unauthorized"),
        ("AuthKeyInvalid", "unauthorized"),
        ("Please use correct Authkey", "unauthorized"),
        ("AuthKeyInvalid: please use correct authkey.", "unauthorized"),
        ("Auth Key Expired", "key_expired"),
        ("Message Key Expired", "key_expired"),
        ("API Request is Expired", "key_expired"),
        ("APIExpired", "key_expired"),
    ],
)
@pytest.mark.parametrize("shape", ["Message", "message", "list", "object", "details"])
def test_a_refused_key_blocks_the_destination(*, order, words, reason, status, shape):
    """Both forms of each error, the message as text, list or object, whatever the status."""
    body = {
        "Message": {"Message": words, "Status": "Fail"},
        "message": {"message": words, "status": "failed"},
        "list": {"message": [words], "status": "failed"},
        "object": {"message": {"error": words, "status": "failed"}},
        "details": {"Customer Details": words, "status": "failed"},
    }[shape]
    error = refusal(order, body, status)

    assert isinstance(error, Blocked)
    assert (reason, False, True, False, words) == (error.reason, error.confirm, error.probe, error.dead, error.detail)


@pytest.mark.parametrize(
    "words",
    ["ReqFieldMissing", "Mandatory field missing", "Name, Email Id, and Phone Number required", "phone is REQUIRED."],
)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_missing_field_is_dead_with_the_vendors_words(order, words, status):
    """The document's two forms, and the text of the newer page."""
    error = refusal(order, {"Message": words, "Status": "Fail"}, status)

    assert isinstance(error, Permanent)
    assert ("rejected", words) == (error.reason, error.detail)


@pytest.mark.parametrize("words", ["ServerFailure", "Server error while processing this request"])
@pytest.mark.parametrize("status", [200, 400])
def test_the_vendors_own_failure_is_tried_again(order, words, status):
    """Both forms; the customer may have been made."""
    error = refusal(order, {"Message": words, "Status": "Fail"}, status)

    assert isinstance(error, Transient)
    assert ("unavailable", "exhausted", True) == (error.reason, error.exhausted_as, error.unknown)


@pytest.mark.parametrize("status", ["Pending", "", 200, None])
def test_a_status_that_is_neither_yes_nor_no_is_a_lost_answer(order, status):
    """Only success is a yes, only a failure a no."""
    error = refusal(order, {"message": "Customer Added Successfully", "status": status})

    assert isinstance(error, Transient)
    assert (True, "exhausted") == (error.unknown, error.exhausted_as)


def test_texts_of_a_customer_are_no_words_of_the_vendor(order):
    """A customer named after an error does not block the destination."""
    error = refusal(order, {"message": [{"id": 1, "name": "Auth Key Invalid"}], "status": "failed"})

    assert isinstance(error, Transient)


async def test_customers_are_not_searched_for(make_call, destination):
    """A second add of a customer updates it, so an unknown outcome needs no search."""
    http = ScriptedHttp(make_response(YES))
    order = make_order(make_call(), destination, number=2, unknown_before=True)
    await VENDOR.send(order, prepared=VENDOR.prepare(order), http=http)

    assert 1 == len(http.requests)


def test_it_updates_one_caller_at_a_time(destination):
    """Customers may be sent twice, contacts not; the start of a call is wanted where ``when`` says so."""
    assert (True, True, False) == (VENDOR.updates, VENDOR.one_at_a_time, VENDOR.suppressible)
    assert VENDOR.resend_is_safe(destination)
    assert not VENDOR.resend_is_safe(make_destination(SPEC, CONTACT))
    assert not VENDOR.delivers_at_start(destination)
    assert VENDOR.delivers_at_start(make_destination(SPEC, {"when": "start"}))
    assert VENDOR.withdraw_within_s(destination) is None
