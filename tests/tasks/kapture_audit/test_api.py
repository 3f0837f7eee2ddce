"""Kapture's customers asked for: every shape of an answer, windows, pages, and the stand-in over real HTTP."""

import pytest

from deploy.local.standins.app import StandIns
from deploy.local.standins.faults import Fault
from schemas.kapture.customer import SPEC
from tasks.kapture_audit import api
from tasks.kapture_audit.api import Window, by_id, by_phone, windows
from tests.destinations import ScriptedHttp, make_destination, make_response
from worker.errors import Blocked, DeliveryError, Permanent, Transient
from worker.http.client import HttpClient
from worker.http.reply import MAX_REPLY_BYTES

KEYS = {name: f"key-of-{name}" for name in ("add", "update", "search", "select", "contact")}
DAY_S = 86_400
NOON_S = 1_772_452_800
"""2026-03-02 12:00 UTC."""
NONE = {"message": [], "status": "success"}


def customers(*numbers):
    """Return a select's answer with customers of these ids."""
    return {"message": [{"id": number, "contacts": []} for number in numbers], "status": "success"}


@pytest.fixture
def destination():
    """Return a destination with a key for each operation."""
    return make_destination(SPEC, {"auth_key": None, "auth_keys": KEYS})


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"message": [{"id": 286829, "contacts": [], "status": "success"}]}, ["286829"]),
        ({"Message": {"id": 286829, "contacts": []}, "Status": "Success"}, ["286829"]),
        ({"Customer Details": {"id": "48338968", "contacts": []}, "status": "success"}, ["48338968"]),
        ({"Customer Details": "Information given by you does not exist in our sytsem.", "status": "failed"}, []),
        ({"customer details": "information given by you does not exist", "STATUS": "FAILED"}, []),
        ({"Message": "Customer not found", "Status": "Fail"}, []),
        ([{"Customer Details": {"id": 1, "contacts": []}, "status": "success"}], ["1"]),
        ({"customers": [{"id": 1, "contacts": []}, {"id": 2, "contacts": []}], "status": "success"}, ["1", "2"]),
    ],
)
async def test_a_search_reads_every_shape_of_answer(destination, body, ids):
    """Both cases of the keys; the message as text, list or object; Customer Details as object or text."""
    http = ScriptedHttp(make_response(body))

    found = await api.search(destination, by_id("286829"), http=http)

    assert ids == [customer.customer_id for customer in found]
    assert {"Authorization": "Basic key-of-search"} == http.requests[0].headers
    assert "https://crm.example.com/search-customer-by-customer-id.html" == http.requests[0].url


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"Message": "Auth Key Invalid", "Status": "Fail"}, 200, Blocked),
        ({"Message": "Auth Key Expired", "Status": "Fail"}, 200, Blocked),
        ({"Message": "ReqFieldMissing", "Status": "Fail"}, 200, Permanent),
        ({"Message": "ServerFailure", "Status": "Fail"}, 200, Transient),
        ({"timestamp": 1, "status": 404, "error": "Not Found", "path": "/"}, 404, Permanent),
        ("<html>Not Found</html>", 404, Transient),
        ("<html>Gone</html>", 410, Permanent),
        ("<html>Bad Gateway</html>", 502, Transient),
        ({}, 200, Transient),
        ("", 200, Transient),
    ],
)
async def test_a_failure_is_no_empty_answer(*, destination, body, status, kind):
    """Who is not told about customers must not take them for absent; a server without the page is such a case."""
    http = ScriptedHttp(make_response(body, status), make_response(body, status))

    with pytest.raises(kind):
        await api.search(destination, by_id("1"), http=http)
    with pytest.raises(kind):
        await api.select(destination, Window(0, 10), http=http)


async def test_a_search_sends_the_documents_key_and_the_newer_pages(destination):
    """An object, or an array of one where the configuration says so."""
    http = ScriptedHttp(make_response(NONE), make_response(NONE))
    as_array = make_destination(SPEC, {"body": "array"})

    await api.search(destination, by_id("272930"), http=http)
    await api.search(as_array, by_id("272930"), http=http)

    wanted = {"customer_id": "272930", "kapture_customer_id": "272930"}
    assert [wanted, [wanted]] == [request.json for request in http.requests]


def test_a_span_is_cut_into_windows_of_a_day():
    """They share a second with the next; a span of less than a second is one of its own."""
    assert [Window(0, DAY_S), Window(DAY_S, 2 * DAY_S), Window(2 * DAY_S, 2 * DAY_S + 1)] == windows(
        999, 2 * DAY_S * 1000 + 1
    )
    assert [Window(0, DAY_S)] == windows(0, DAY_S * 1000)
    assert [Window(5, 6)] == windows(5_000, 5_000)


async def test_a_select_names_its_dates_as_the_document_does(destination):
    """YYYY-MM-DD hh:mm:ss in UTC, with limit and offset."""
    http = ScriptedHttp(make_response(NONE))

    await api.select(destination, Window(NOON_S, NOON_S + DAY_S), http=http)

    assert [
        {"start_date": "2026-03-02 12:00:00", "end_date": "2026-03-03 12:00:00", "limit": "100", "offset": "0"}
    ] == [request.json for request in http.requests]
    assert "https://crm.example.com/select-customer-between-start-and-end-dates.html" == http.requests[0].url
    assert {"Authorization": "Basic key-of-select"} == http.requests[0].headers


@pytest.mark.parametrize(
    ("pages", "ids", "offsets"),
    [
        ([customers(1, 2), customers(3), NONE], ["1", "2", "3"], ["0", "2", "3"]),
        ([customers(1, 2), customers(1, 2)], ["1", "2"], ["0", "2"]),  # limit and offset mean nothing to it
        ([customers(1, 2), customers(2, 3), NONE], ["1", "2", "3"], ["0", "2", "4"]),
        ([customers(1), {"Message": "No record found", "Status": "Fail"}], ["1"], ["0", "1"]),
    ],
)
async def test_pages_are_asked_for_until_one_brings_nobody_new(destination, pages, ids, offsets):
    """Each customer once, whether the server pages, pages in its own size, or gives everything at once."""
    http = ScriptedHttp(*map(make_response, pages))

    found = await api.select(destination, Window(0, 100), http=http)

    assert ids == [customer.customer_id for customer in found]
    assert offsets == [request.json["offset"] for request in http.requests]


async def test_a_reply_that_is_too_long_is_asked_for_in_halves(destination):
    """What was cut at 256 KB is no JSON; half a day holds half as much."""
    cut = make_response(b'{"message": [' + b" " * (MAX_REPLY_BYTES - 13))
    http = ScriptedHttp(
        cut, *map(make_response, (customers(1), NONE, customers(1, 2), NONE)),
    )  # fmt: skip

    found = await api.select(destination, Window(NOON_S, NOON_S + DAY_S), http=http)

    assert ["1", "2"] == [customer.customer_id for customer in found]
    assert ["2026-03-03 12:00:00", "2026-03-03 00:00:00", "2026-03-03 12:00:00"] == [
        http.requests[place].json["end_date"] for place in (0, 1, 3)
    ]


async def test_a_minute_with_more_than_a_reply_holds_is_a_failure(destination):
    """Said, and not taken for empty; so is a search that is cut."""
    cut = make_response(b"x" * MAX_REPLY_BYTES)

    with pytest.raises(Permanent, match="too_long"):
        await api.select(destination, Window(0, 60), http=ScriptedHttp(cut))
    with pytest.raises(Permanent, match="too_long"):
        await api.search(destination, by_id("1"), http=ScriptedHttp(cut))


async def test_customers_without_an_id_are_told_apart_by_what_they_hold(destination):
    """Each once."""
    page = {"message": [{"name": "a", "contacts": []}, {"name": "b", "contacts": []}], "status": "success"}

    found = await api.select(destination, Window(0, 1), http=ScriptedHttp(make_response(page), make_response(page)))

    assert ["a", "b"] == [customer.name for customer in found]


@pytest.mark.parametrize(
    "body",
    [
        {"Message": "Customer Added Successfully", "Status": "Success", "Kapture Customer Id": "48338968"},
        '{\n{"message": "Customer Updated Successfully""status": "success"\n}',
        '{"Message": "Customer Added Successfully","Status": "Success"};',
        {"message": ["Customer Updated Successfully"], "status": "SUCCESS"},
        {"message": {"message": "Customer Updated Successfully"}, "status": "success"},
    ],
)
async def test_a_change_is_done_when_kapture_says_so(destination, body):
    """Each operation with its own page and key, the customer's number in the body."""
    http = ScriptedHttp(make_response(body), make_response(body))

    await api.update(destination, "272930", {"city": "Perth"}, http=http)
    said = await api.add_contact(destination, "272930", {"name": "Ann"}, http=http)

    assert "Successfully" in said.words[0]
    assert [
        ("add-update-customer-from-other-source.html", "Basic key-of-update", {"city": "Perth"}),
        ("add-more-contacts-for-existing-customer.html", "Basic key-of-contact", {"name": "Ann"}),
    ] == [
        (
            request.url.rsplit("/", 1)[1],
            request.headers["Authorization"],
            {name: value for name, value in request.json.items() if name != "customer_id"},
        )
        for request in http.requests
    ]
    assert {"272930"} == {request.json["customer_id"] for request in http.requests}


@pytest.mark.parametrize(
    "body",
    [
        {"Customer Details": "Information given by you does not exist in our sytsem.", "status": "failed"},
        {"Message": "Mandatory field missing", "Status": "Fail"},
        {"message": [{"id": 1, "contacts": []}]},
        {},
    ],
)
async def test_a_change_that_kapture_did_not_confirm_is_a_failure(destination, body):
    """Not there is no success, nor is an answer without a status."""
    with pytest.raises(DeliveryError):
        await api.update(destination, "1", {"city": "Perth"}, http=ScriptedHttp(make_response(body)))


async def test_an_operation_without_a_key_is_not_asked(destination):
    """One key per API: the one that is missing is named."""
    only = make_destination(SPEC, {"auth_key": None, "auth_keys": {"add": KEYS["add"], "update": KEYS["update"]}})

    with pytest.raises(LookupError, match="select"):
        await api.select(only, Window(0, 1), http=ScriptedHttp())


@pytest.mark.parametrize(
    ("number", "forms"),
    [
        ("0491 570 156", ["0491570156", "+61491570156", "61491570156"]),
        ("+61491570156", ["0491570156", "+61491570156", "61491570156"]),
        ("+17702401011", ["+17702401011", "7702401011", "17702401011"]),
        ("12", ["12"]),
    ],
)
def test_a_phone_is_searched_as_it_was_sent_and_then_in_its_other_forms(destination, number, forms):
    """Each form once; what is no number is asked for as it stands."""
    assert forms == [wanted["phone"] for wanted in by_phone(number, destination)]


@pytest.fixture
async def account(standins: StandIns):
    """Return a destination at the stand-in, and what asks it."""
    async with HttpClient.open() as http:
        yield make_destination(SPEC, {"auth_key": "standin-kapture-key"}, url=f"{standins.url}/kapture"), http


async def test_the_stand_in_agrees(account, standins):
    """Added customers are listed, found by number, phone and code, changed, and get contacts, over real HTTP."""
    destination, http = account
    now_s = standins.store.now_ms() // 1000
    for number in range(120):
        fields = {
            "name": f"c{number}", "phone": f"049157{number:04d}", "email": "a@example.com",
            "customer_code": f"6149157{number:04d}",
        }  # fmt: skip
        await api.update(destination, "", fields, http=http)  # the page adds whom it does not find

    listed = await api.select_all(
        destination, windows((now_s - 3 * DAY_S) * 1000, (now_s + 60) * 1000), http=http, advance=lambda _: None
    )
    first = listed[0]
    await api.update(destination, first.customer_id, {"city": "Perth"}, http=http)
    contact = {"name": "Ann", "phone": "0491570999", "email": "ann@example.com"}
    await api.add_contact(destination, first.customer_id, contact, http=http)

    assert 120 == len({customer.customer_id for customer in listed}) == len(listed)
    for wanted in (by_id(first.customer_id), {"phone": "0491570000"}, {"phone": "0491570999"}):
        [found] = await api.search(destination, wanted, http=http)
        assert first.customer_id == found.customer_id
        assert {"0491570000", "0491570999"} == found.numbers
    assert "Perth" == found.record["city"]
    [by_code] = await api.search(destination, {"customer_code": "61491570001"}, http=http)
    assert "c1" == by_code.name
    assert [] == await api.search(destination, by_id("1"), http=http)


async def test_the_stand_in_refuses_windows_of_more_than_a_day(account):
    """The limit that the windows are made for; its words are kept."""
    destination, http = account

    with pytest.raises(DeliveryError) as caught:
        await api.select(destination, Window(NOON_S, NOON_S + DAY_S + 1), http=http)
    assert "24 hours" in caught.value.detail


async def test_a_lost_answer_to_a_change_is_unknown(account, standins):
    """Whoever asked has to look."""
    destination, http = account
    standins.store.faults.append(Fault(vendor="kapture", mode="store_then_drop", times=1))
    fields = {"name": "c", "phone": "0491570156", "email": "a@example.com"}

    with pytest.raises(Transient) as caught:
        await api.update(destination, "", fields, http=http)

    assert caught.value.unknown
    assert 1 == len(standins.store.records("kapture"))
