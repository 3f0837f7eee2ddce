"""Every endpoint and every text of the vendors' documents, said by the stand-ins to the real vendor classes.

The table of docs/documents.md names each of these tests; tests/test_documents.py changes each text in the stand-in
and expects the test to fail, so what was said is compared here with the document's own words.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from deploy.local.standins.app import StandIns
from schemas.callcap.requests import RequestState
from schemas.kapture.options import OPERATIONS
from tasks.callcap.exchange import search
from tests.tasks.recording_http import NEW, VendorHarness, open_harness
from worker.config.settings import CallcapSettings
from worker.errors import Blocked, Permanent, Transient

SAVED = {"saved": True, "processed": True}
CREATED = {"Message": "Customer Added Successfully", "Status": "Success"}
UPDATED = {"message": "Customer Updated Successfully", "status": "success"}
PROVIDE = "Please provide the CaptorraId, Name, ID, ANI, Date"
NOTHING = "The resource did not exist or did not have anything to say"
CALLCAP_KEY = "standin-callcap-key"
WRONG_KEY = {"status": "unauthorized", "message": "Your key is invalid"}
PAGES = {
    "add": "/add-update-customer-from-other-source.html",
    "update": "/add-update-customer-from-other-source.html",
    "search": "/search-customer-by-customer-id.html",
    "select": "/select-customer-between-start-and-end-dates.html",
    "contact": "/add-more-contacts-for-existing-customer.html",
}


@pytest.fixture
async def harness(standins: StandIns) -> AsyncIterator[VendorHarness]:
    """Return a harness at the stand-ins."""
    async with open_harness(standins) as opened:
        yield opened


# Captorra


async def test_captorra_takes_a_call(harness: VendorHarness, make_call):
    """POST .../create, answered with success alone."""
    receipt = await harness.attempt("captorra", make_call())

    assert ("POST", "/api/captorracalltracking/create") == harness.heard.asked
    assert {"success": True} == harness.heard.said
    assert not receipt.duplicate
    assert 1 == len(harness.standins.store.records("captorra"))


@pytest.mark.parametrize(
    ("words", "change", "how"),
    [
        pytest.param("Invalid JSON data.", {}, {"body": {"Referrer": "no GUID"}}, id="json"),
        pytest.param(PROVIDE, {}, {"table": {"id_key": "Other"}}, id="all"),
        pytest.param(
            "Please provide Source Name, ID, ANI, Date", {"service_name": None, "service_id": None}, {}, id="name"
        ),
        pytest.param("Invalid Date", {}, {"fields": {"Date": "{started_at}"}}, id="date"),
        pytest.param("Invalid ANI", {}, {"fields": {"ANI": "anonymous"}}, id="ani"),
    ],
)
async def test_captorra_refuses_a_call(
    *, harness: VendorHarness, make_call, words: str, change: dict[str, Any], how: dict[str, Any]
):
    """It is dead, with the vendor's words."""
    error = await harness.refusal("captorra", make_call(**change), **how)

    assert {"success": False, "error": words} == harness.heard.said
    assert (Permanent, "rejected", words) == (type(error), error.reason, error.detail)
    assert [] == harness.standins.store.records("captorra")


async def test_captorra_refuses_a_call_as_printed(harness: VendorHarness, make_call):
    """With the small L of the document."""
    words = "Please provide the Captorrald, Name, ID, ANI, Date"
    harness.let_say("captorra", words)
    error = await harness.refusal("captorra", make_call())

    assert {"success": False, "error": words} == harness.heard.said
    assert (Permanent, "rejected", words) == (type(error), error.reason, error.detail)


@pytest.mark.parametrize(
    ("words", "saying"),
    [
        pytest.param("Please check CaptorraId.", "", id="sent"),
        pytest.param("Please check Captorrald.", "Please check Captorrald.", id="printed"),
    ],
)
async def test_captorra_does_not_know_the_organisation(harness: VendorHarness, make_call, words: str, saying: str):
    """The destination is blocked and probed."""
    if saying:
        harness.let_say("captorra", saying)
    error = await harness.refusal("captorra", make_call(), table={"captorra_id": "999999"})

    assert {"success": False, "error": words} == harness.heard.said
    assert isinstance(error, Blocked)
    assert ("unknown_account", words, True, False) == (error.reason, error.detail, error.probe, error.dead)


async def test_captorra_has_the_call_already(harness: VendorHarness, make_call):
    """It is delivered, a duplicate, with the vendor's word."""
    await harness.attempt("captorra", make_call())
    receipt = await harness.attempt("captorra", make_call())

    assert {"success": False, "error": "Phone source already exists"} == harness.heard.said
    assert (True, "Phone source already exists") == (receipt.duplicate, receipt.note)
    assert 1 == len(harness.standins.store.records("captorra"))


# Comunik8


async def test_comunik8_takes_a_lead(harness: VendorHarness, make_call):
    """POST /lead/add; saved and processed, with 200."""
    receipt = await harness.attempt("comunik8", make_call())

    assert ("POST", "/lead/add") == harness.heard.asked
    assert (200, SAVED) == (harness.heard.status, harness.heard.said)
    assert not receipt.duplicate
    assert ["scheduled"] == [lead["state"] for lead in harness.standins.store.records("comunik8")]


async def test_comunik8_finds_a_test_lead_right(harness: VendorHarness, make_call):
    """Nothing is saved, and the delivery says so."""
    receipt = await harness.attempt("comunik8", make_call(), table={"test": True})

    assert {"test": "ok"} == harness.heard.said
    assert "test: ok" == receipt.note
    assert [] == harness.standins.store.records("comunik8")


@pytest.mark.parametrize(
    ("words", "later_s"),
    [
        pytest.param("Existing Contact", 3600, id="contact"),
        pytest.param("Another call is already scheduled", 0, id="scheduled"),
    ],
)
async def test_comunik8_has_the_lead_already(harness: VendorHarness, make_call, words: str, later_s: float):
    """It is delivered, a duplicate, with the vendor's word."""
    await harness.attempt("comunik8", make_call())
    harness.standins.store.ahead_s += later_s
    receipt = await harness.attempt("comunik8", make_call())

    assert {"saved": True, "processed": False, "error": words} == harness.heard.said
    assert (True, words) == (receipt.duplicate, receipt.note)


async def test_comunik8_does_not_know_the_type(harness: VendorHarness, make_call):
    """The lead was saved: it is dead, and the destination waits for a human."""
    error = await harness.refusal("comunik8", make_call(), table={"type": "nobody-knows"})

    assert {"saved": True, "processed": False, "error": "Unknown Type"} == harness.heard.said
    assert isinstance(error, Blocked)
    assert ("unknown_type", "Unknown Type", False, True) == (error.reason, error.detail, error.probe, error.dead)


@pytest.mark.parametrize(
    ("field", "words", "how"),
    [
        pytest.param("email", "Email cannot be blank.", {"table": {"email": "{ivr_option}"}}, id="email"),
        pytest.param("data", "Empty or invalid content of `data` field", {"body": {"data": ""}}, id="data"),
    ],
)
async def test_comunik8_finds_a_lead_wrong(
    *, harness: VendorHarness, make_call, field: str, words: str, how: dict[str, Any]
):
    """400; it is dead, with a message for each field."""
    error = await harness.refusal("comunik8", make_call(), **how)

    assert (400, {field: {"0": words}}) == (harness.heard.status, harness.heard.said)
    assert (Permanent, "rejected", f"{field}: {words}") == (type(error), error.reason, error.detail)


async def test_comunik8_fails(harness: VendorHarness, make_call):
    """500; it is tried again."""
    harness.let_say("comunik8", "Internal Server Error")
    error = await harness.refusal("comunik8", make_call())

    assert (500, "Internal Server Error") == (harness.heard.status, harness.heard.printed)
    assert (Transient, "unavailable", "Internal Server Error") == (type(error), error.reason, error.detail)


async def test_comunik8_withdraws_a_lead(harness: VendorHarness, make_call):
    """POST /lead/cancel."""
    await harness.attempt("comunik8", make_call())
    receipt = await harness.attempt("comunik8", make_call(), action="cancel")

    assert ("POST", "/lead/cancel") == harness.heard.asked
    assert {"cancelled": True} == harness.heard.said
    assert "" == receipt.note
    assert ["cancelled"] == [lead["state"] for lead in harness.standins.store.records("comunik8")]


@pytest.mark.parametrize(
    ("words", "before"),
    [pytest.param("not found", False, id="absent"), pytest.param("already processed", True, id="dialled")],
)
async def test_comunik8_has_no_lead_to_withdraw(harness: VendorHarness, make_call, words: str, before: bool):
    """The withdrawal is delivered, and the vendor's word noted."""
    if before:
        await harness.attempt("comunik8", make_call())
        harness.standins.store.ahead_s += 3600
    receipt = await harness.attempt("comunik8", make_call(), action="cancel")

    assert {"cancelled": False, "warning": words} == harness.heard.said
    assert words == receipt.note


async def test_comunik8_does_not_know_the_type_of_a_withdrawal(harness: VendorHarness, make_call):
    """The warning stands without quotation marks, as printed; the destination is blocked and probed."""
    error = await harness.refusal("comunik8", make_call(), table={"type": "nobody-knows"}, action="cancel")

    assert '"warning": server error (call group)\n' in harness.heard.printed
    assert isinstance(error, Blocked)
    assert ("unknown_type", "server error (call group)") == (error.reason, error.detail)
    assert (True, False) == (error.probe, error.dead)


async def test_comunik8_could_not_withdraw(harness: VendorHarness, make_call):
    """It is tried again."""
    harness.let_say("comunik8", "server error (save)")
    error = await harness.refusal("comunik8", make_call(), action="cancel")

    assert {"cancelled": False, "warning": "server error (save)"} == harness.heard.said
    assert (Transient, "unavailable", "server error (save)") == (type(error), error.reason, error.detail)


# Kapture


async def test_kapture_adds_a_customer(harness: VendorHarness, make_call):
    """POST /add-update-customer-from-other-source.html; delivered, and the number remembered."""
    receipt = await harness.operate("add", make_call())

    assert ("POST", PAGES["add"]) == harness.heard.asked
    assert CREATED.items() <= harness.heard.said.items()
    assert ("272930", "272930") == (receipt.remote_id, receipt.remember["customer_id"])


async def test_kapture_updates_a_customer(harness: VendorHarness, make_call):
    """The same page, for a caller whom we know."""
    added = await harness.operate("add", make_call())
    await harness.attempt("kapture", make_call(call_id="2", result="busy"), memory=added.remember)

    assert ("POST", PAGES["update"]) == harness.heard.asked
    assert UPDATED.items() <= harness.heard.said.items()
    [record] = harness.standins.store.records("kapture")
    assert "busy" == record["values"]["type"]


async def test_kapture_selects_customers(harness: VendorHarness, make_call):
    """POST /select-customer-between-start-and-end-dates.html."""
    await harness.operate("add", make_call())
    [found] = await harness.operate("select", make_call())

    assert ("POST", PAGES["select"]) == harness.heard.asked
    assert {"message", "status"} == harness.heard.said.keys()
    assert ("272930", "success") == (found.customer_id, harness.heard.said["status"])


async def test_kapture_finds_a_customer(harness: VendorHarness, make_call):
    """POST /search-customer-by-customer-id.html; the status stands inside the customer."""
    await harness.operate("add", make_call())
    [found] = await harness.operate("search", make_call())

    assert ("POST", PAGES["search"]) == harness.heard.asked
    assert ("272930", ["success"]) == (found.customer_id, [item["status"] for item in harness.heard.said["message"]])


async def test_kapture_adds_a_contact(harness: VendorHarness, make_call):
    """POST /add-more-contacts-for-existing-customer.html."""
    await harness.operate("add", make_call())
    await harness.operate("contact", make_call())

    assert ("POST", PAGES["contact"]) == harness.heard.asked
    assert CREATED == harness.heard.said
    [_, contact] = harness.standins.store.records("kapture")
    assert (contact["account"], contact["values"]["phone"]) == ("272930", NEW["phone"])


@pytest.mark.parametrize(
    ("operation", "words"),
    [("add", CREATED["Message"]), ("update", UPDATED["message"]), ("select", "success")],
    ids=("add", "update", "select"),
)
async def test_kapture_says_yes_as_printed(harness: VendorHarness, make_call, operation: str, words: str):
    """``};`` at the end, a lost comma, a comma too many: none is JSON, each is a yes."""
    harness.let_say("kapture", f"printed {operation}")
    answer = await harness.operate(operation, make_call())

    assert f'"{words}"' in harness.heard.responses[0].body.decode()
    if operation == "update":
        assert (words,) == answer.words
    if operation == "select":
        assert ["287230"] == [customer.customer_id for customer in answer]


@pytest.mark.parametrize(
    ("operation", "key", "reason", "words"),
    [
        pytest.param("add", "standin-kapture-expired", "key_expired", "Message Key Expired", id="add"),
        pytest.param("select", "standin-kapture-expired", "key_expired", "Auth Key Expired", id="select"),
        pytest.param("search", "wrong", "unauthorized", "Auth Key Invalid", id="search"),
        pytest.param("update", "wrong", "unauthorized", "Auth Key Invalid", id="update"),
        pytest.param("contact", "wrong", "unauthorized", "Invalid Auth Key", id="contact"),
    ],
)
async def test_kapture_refuses_the_key(
    harness: VendorHarness, make_call, *, operation: str, key: str, reason: str, words: str
):
    """The failure of each API; the destination is blocked and probed."""
    error = await harness.failure(operation, make_call(), auth_key=key)

    assert {"Message": words, "Status": "Fail"} == harness.heard.said
    assert isinstance(error, Blocked)
    assert (reason, words, True) == (error.reason, error.detail, error.probe)


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        pytest.param("AuthKeyInvalid", Blocked, "unauthorized", id="AuthKeyInvalid"),
        pytest.param("Please use correct Authkey", Blocked, "unauthorized", id="AuthKeyInvalid-text"),
        pytest.param("ServerFailure", Transient, "unavailable", id="ServerFailure"),
        pytest.param("Server error while processing this request", Transient, "unavailable", id="ServerFailure-text"),
        pytest.param("ReqFieldMissing", Permanent, "rejected", id="ReqFieldMissing"),
        pytest.param("Mandatory field missing", Permanent, "rejected", id="ReqFieldMissing-text"),
        pytest.param("APIExpired", Blocked, "key_expired", id="APIExpired"),
        pytest.param("API Request is Expired", Blocked, "key_expired", id="APIExpired-text"),
    ],
)
async def test_kapture_has_an_error_message(
    *, harness: VendorHarness, make_call, words: str, kind: type[Exception], reason: str
):
    """The document lists a name and a text of each, the same for all of its five APIs."""
    for operation in OPERATIONS:
        harness.let_say("kapture", words)
        error = await harness.failure(operation, make_call())

        assert {"Message": words, "Status": "Fail"} == harness.heard.said
        assert (kind, reason, words) == (type(error), error.reason, error.detail)


# Callcap


@pytest.mark.parametrize(
    ("key", "parameters", "status", "document", "state"),
    [
        pytest.param("standin-callcap-key", {}, 200, {"status": "success"}, RequestState.DONE, id="found"),
        pytest.param(
            "wrong",
            {},
            401,
            {"status": "unauthorized", "message": "Your key is invalid"},
            RequestState.FAILED,
            id="key",
        ),
        pytest.param(
            "standin-callcap-key", {"areaCode": "999"}, 404, {"message": NOTHING}, RequestState.DONE, id="nothing"
        ),
    ],
)
async def test_callcap_answers(
    harness: VendorHarness,
    *,
    key: str,
    parameters: dict[str, str],
    status: int,
    document: dict[str, str],
    state: RequestState,
):
    """The document shows no reply; these are of Callcap's page on getting started."""
    account = CallcapSettings(url=f"{harness.standins.url}/callcap/v3", api_key=key, encoding="form")
    outcome = await search(account, parameters, http=harness.heard)

    assert status == harness.heard.status
    assert document.items() <= harness.heard.said.items()
    assert (state, document.get("message", "")) == (outcome.state, outcome.words)
