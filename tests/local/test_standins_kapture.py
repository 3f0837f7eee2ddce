"""Kapture's stand-in answers as its customer documents say."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from deploy.local.standins.app import StandIns

CUSTOMER = {"name": "rahul", "phone": "0491570156", "email": "abc@example.com", "customer_code": "61491570156"}
ADDED = {"Message": "Customer Added Successfully", "Status": "Success", "Kapture Customer Id": "272930"}
UPDATED = {"message": "Customer Updated Successfully", "status": "success", "Kapture Customer Id": "272930"}
MISSING = {"Message": "Mandatory field missing", "Status": "Fail"}
ABSENT = {"Customer Details": "Information given by you does not exist in our sytsem.", "status": "failed"}

ADD = "add-update-customer-from-other-source"
SEARCH = "search-customer-by-customer-id"
SELECT = "select-customer-between-start-and-end-dates"
CONTACT = "add-more-contacts-for-existing-customer"

Post = Callable[..., Awaitable[Any]]


@pytest.fixture
async def post(standins: StandIns):
    """Post a body to one of Kapture's pages and return the JSON answer."""
    async with aiohttp.ClientSession() as session:

        async def send(page: str, body: Any, *, key: str = "standin-kapture-key") -> Any:
            url = f"{standins.url}/kapture/{page}.html"
            async with session.post(url, json=body, headers={"Authorization": f"Basic {key}"}) as reply:
                assert 200 == reply.status
                return await reply.json()

        yield send


@pytest.mark.parametrize("body", [CUSTOMER, [CUSTOMER]])
async def test_a_customer_is_added(post: Post, standins: StandIns, body: Any):
    """An object, and an array of one, make a customer and return its id."""
    assert ADDED == await post(ADD, body)
    assert [("272930", CUSTOMER)] == [(kept["id"], kept["values"]) for kept in standins.store.records("kapture")]


@pytest.mark.parametrize(
    "identity",
    [{"customer_id": "272930"}, {"customer_code": "61491570156"}, {"phone": "0491570156"}],
)
async def test_a_known_customer_is_updated(post: Post, standins: StandIns, identity: dict[str, str]):
    """Id, code or phone alone name the customer; an update needs no name and no e-mail."""
    await post(ADD, CUSTOMER)
    answer = await post(ADD, identity | {"city": "Sydney"})

    kept = standins.store.records("kapture")
    assert UPDATED == answer
    assert [CUSTOMER | {"city": "Sydney"} | {k: v for k, v in identity.items() if k == "customer_id"}] == [
        record["values"] for record in kept
    ]
    assert ["added", "updated"] == kept[0]["history"]


async def test_the_id_goes_before_the_code_and_the_code_before_the_phone(post: Post):
    """Where a request names several customers, the strongest name counts."""
    await post(ADD, CUSTOMER)
    await post(ADD, CUSTOMER | {"customer_code": "two", "phone": "0491570157"})

    by_code = await post(ADD, {"customer_code": "two", "phone": "0491570156", "city": "Perth"})
    by_id = await post(ADD, {"customer_id": "272930", "customer_code": "two", "city": "Perth"})

    assert ("272931", "272930") == (by_code["Kapture Customer Id"], by_id["Kapture Customer Id"])


@pytest.mark.parametrize("gone", ["name", "phone", "email"])
async def test_an_add_lacks_a_mandatory_field(post: Post, standins: StandIns, gone: str):
    """Name, phone and e-mail are mandatory for a customer that is not known."""
    assert MISSING == await post(ADD, {key: value for key, value in CUSTOMER.items() if key != gone})
    assert [] == standins.store.records("kapture")


@pytest.mark.parametrize(
    ("page", "invalid", "expired"),
    [
        (ADD, "Auth Key Invalid", "Message Key Expired"),
        (SEARCH, "Auth Key Invalid", "Auth Key Expired"),
        (SELECT, "Auth Key Invalid", "Auth Key Expired"),
        (CONTACT, "Invalid Auth Key", "Auth Key Expired"),
    ],
)
async def test_keys_that_do_not_open(post: Post, page: str, invalid: str, expired: str):
    """A wrong and an expired key are refused in the words of each page."""
    assert {"Message": invalid, "Status": "Fail"} == await post(page, CUSTOMER, key="wrong")
    assert {"Message": expired, "Status": "Fail"} == await post(page, CUSTOMER, key="standin-kapture-expired")


async def test_search_by_an_object_is_answered_as_in_the_document(post: Post):
    """The status stands inside the one item of the message."""
    await post(ADD, CUSTOMER)
    answer = await post(SEARCH, {"customer_id": "272930"})

    found = answer["message"][0]
    assert (272930, "rahul", "success") == (found["id"], found["name"], found["status"])
    assert ["0491570156"] == [contact["phone"] for contact in found["contacts"]]


async def test_search_by_an_array_is_answered_as_on_the_newer_page(post: Post):
    """The customer stands under "Customer Details", found by code or phone as well."""
    await post(ADD, CUSTOMER)
    answer = await post(SEARCH, [{"phone": "0491 570 156"}])

    assert ("rahul", "success") == (answer["Customer Details"]["name"], answer["status"])


async def test_a_search_that_finds_nothing(post: Post):
    """A stranger is a failure in the vendor's own spelling; no name at all is a missing field."""
    assert ABSENT == await post(SEARCH, [{"phone": "0491570999"}])
    assert MISSING == await post(SEARCH, {"city": "Sydney"})


async def test_contacts_have_no_duplicate_rule(post: Post, standins: StandIns):
    """The same contact twice is two contacts of the customer, and the search shows both."""
    await post(ADD, CUSTOMER)
    contact = {"name": "adjetter", "phone": "0491570157", "email": "help@example.com", "customer_id": "272930"}
    first, second = await post(CONTACT, contact), await post(CONTACT, contact)

    done = {"Message": "Customer Added Successfully", "Status": "Success"}
    found = (await post(SEARCH, {"phone": "0491570157"}))["message"][0]
    assert [done, done] == [first, second]
    assert 2 == sum(record["kind"] == "contact" for record in standins.store.records("kapture"))
    assert ["0491570156", "0491570157", "0491570157"] == [entry["phone"] for entry in found["contacts"]]


async def test_a_contact_needs_its_customer(post: Post):
    """Without a customer id, or with one that nobody has, no contact is added."""
    assert MISSING == await post(CONTACT, CUSTOMER)
    assert "Fail" == (await post(CONTACT, CUSTOMER | {"customer_id": "1"}))["Status"]


async def test_select_pages_through_a_day(post: Post):
    """Select gives 100 customers unless limit and offset say otherwise."""
    for number in range(105):
        await post(ADD, CUSTOMER | {"customer_code": str(number), "phone": f"04915701{number:03}"})
    first_moment = datetime.now(UTC) - timedelta(hours=1)
    day = {
        "start_date": f"{first_moment:%Y-%m-%d %H:%M:%S}",
        "end_date": f"{first_moment + timedelta(hours=24):%Y-%m-%d %H:%M:%S}",
    }

    first, rest = await post(SELECT, day), await post(SELECT, day | {"limit": 50, "offset": 100})

    assert (100, 5) == (len(first["message"]), len(rest["message"]))
    assert "success" == first["status"]


async def test_select_takes_a_day_at_most(post: Post):
    """A window over 24 hours, a bad date and no date are refused."""
    long = {"start_date": "2026-03-01 00:00:00", "end_date": "2026-03-02 00:00:01"}
    whole = {"start_date": "2026-03-01 00:00:00", "end_date": "2026-03-02 00:00:00"}

    assert {"message": "Date range should not be more than 24 hours", "status": "failed"} == await post(SELECT, long)
    assert {"message": [], "status": "success"} == await post(SELECT, whole)
    assert "failed" == (await post(SELECT, {"start_date": "soon", "end_date": "later"}))["status"]
    assert {"message": "Mandatory field missing", "status": "failed"} == await post(SELECT, {})


async def test_a_removed_customer_is_added_anew(post: Post, standins: StandIns):
    """What was removed at the vendor is not found by an old id, code or phone."""
    await post(ADD, CUSTOMER)
    standins.store.shelves["kapture"].remove("272930")

    assert MISSING == await post(ADD, {"customer_id": "272930", "customer_code": "61491570156"})
    assert "272931" == (await post(ADD, CUSTOMER))["Kapture Customer Id"]
