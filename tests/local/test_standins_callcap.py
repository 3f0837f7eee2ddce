"""Callcap's stand-in answers as the document "Phone Numbers" says, where it says anything."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from deploy.local.standins.app import StandIns

NOTHING = (404, {"status": "not found", "message": "The resource did not exist or did not have anything to say"})

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
async def call(standins: StandIns):
    """Call Callcap's API and return status and JSON answer."""
    async with aiohttp.ClientSession() as session:

        async def send(method: str, tail: str = "", *, key: str = "standin-callcap-key", **options: Any) -> Any:
            url = f"{standins.url}/callcap/v3/numbers/{tail}"
            headers = {"Authorization": f"Bearer {key}"}
            async with session.request(method, url, headers=headers, **options) as reply:
                return reply.status, await reply.json()

        yield send


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        ({}, "3165550100"),
        ({"areaCode": "212"}, "2125550100"),
        ({"areaCode": "316", "exchange": "555", "line": "0123"}, "3165550123"),
        ({"city": "wichita", "state": "KS", "country": "US"}, "3165550100"),
        ({"zipcode": "94102"}, "4155550100"),
        ({"country": "CA"}, "4165550100"),
        ({"showTollfree": "true"}, "8005550100"),
        ({"showTollfree": "true", "showLocal": "true"}, "3165550100"),
        ({"vanityText": "jkl01##"}, "3165550100"),
        ({"vanityText": "55501*9", "areaCode": "415"}, "4155550109"),
        ({"fullNumber": "3165550142"}, "3165550142"),
        ({"showReservedPool": "true", "account": "L-3"}, "3165550190"),
        ({"showReservedPool": "true", "showPublicPool": "true", "locationID": "3"}, "3165550100"),
    ],
)
async def test_a_search_finds(call: Call, wanted: dict[str, str], first: str):
    """Each parameter narrows the search."""
    status, answer = await call("GET", params=wanted)

    assert (200, "success") == (status, answer["status"])
    assert first == answer["numbers"][0]["phoneNumber"]


async def test_an_empty_search_is_an_error_status(call: Call):
    """Nothing found "did not exist or did not have anything to say"."""
    assert NOTHING == await call("GET", params={"areaCode": "999"})
    assert NOTHING == await call("GET", params={"showReservedPool": "true", "account": "L-4"})


@pytest.mark.parametrize("wanted", [{"showReservedPool": "true"}, {"vanityText": "a b"}])
async def test_a_search_that_cannot_be(call: Call, wanted: dict[str, str]):
    """The reserved pool needs an account, and vanity text only letters, digits and wildcards."""
    status, answer = await call("GET", params=wanted)

    assert (400, "error") == (status, answer["status"])


@pytest.mark.parametrize("encoding", ["data", "json"])
async def test_a_number_is_provisioned_and_leaves_the_pool(call: Call, standins: StandIns, encoding: str):
    """A form and a JSON body both provision, and the number is not found again."""
    given = {"account": "L-3", "phoneNumber": "3165550142", "destination": "3165550199", "recording": "true"}
    answer = await call("POST", **{encoding: given})

    kept = standins.store.records("callcap")[0]
    assert (200, {"status": "success", "phoneNumber": "3165550142", "campaignName": "3165550142"}) == answer
    assert ("3165550142", "L-3", "3165550199") == (kept["id"], kept["account"], kept["values"]["destination"])
    assert NOTHING == await call("GET", params={"fullNumber": "3165550142"})
    assert 400 == (await call("POST", data=given))[0]


async def test_search_and_provision_at_once_costs_a_number_each_time(call: Call, standins: StandIns):
    """The first match is provisioned; the same request again takes another number."""
    given = {"locationID": "3", "areaCode": "415", "memo1": "ours"}
    await call("POST", data=given)
    await call("POST", data=given)

    assert ["4155550100", "4155550101"] == [record["id"] for record in standins.store.records("callcap")]
    assert NOTHING == await call("POST", data=given | {"areaCode": "999"})


@pytest.mark.parametrize(
    "change",
    [
        {"account": ""},
        {"account": "C-3"},
        {"account": "L-99"},
        {"evaluation": "delayed"},
        {"recording": "perhaps"},
        {"destination": "12"},
        {"mediaTypeID": "radio"},
        {"phoneNumber": "3165559999"},
    ],
)
async def test_a_provisioning_that_is_refused(call: Call, standins: StandIns, change: dict[str, str]):
    """A wrong account, an evaluation that only an update knows, and other bad values take no number."""
    status, answer = await call("POST", data={"account": "L-3"} | change)

    assert (400, "error") == (status, answer["status"])
    assert [] == standins.store.records("callcap")


async def test_a_number_is_updated(call: Call, standins: StandIns):
    """Routing, features and campaign change; today is a valid last day."""
    await call("POST", data={"account": "L-3", "phoneNumber": "3165550142"})
    today = datetime.now(UTC).date()
    change = {"evaluation": "delayed", "stopDate": f"{today + timedelta(days=1)}", "campaignName": "Spring"}
    answer = await call("POST", "3165550142", data=change)

    values = standins.store.records("callcap")[0]["values"]
    assert (200, {"status": "success", "phoneNumber": "3165550142"}) == answer
    assert change == {key: values[key] for key in change}


@pytest.mark.parametrize("change", [{"stopDate": "2020-01-01"}, {"stopDate": "soon"}, {"evaluation": "always"}])
async def test_an_update_that_is_refused(call: Call, change: dict[str, str]):
    """A past or unreadable stop date and an unknown evaluation are refused."""
    await call("POST", data={"account": "L-3", "phoneNumber": "3165550142"})

    assert 400 == (await call("POST", "3165550142", data=change))[0]


async def test_an_update_of_a_number_that_is_not_ours(call: Call):
    """A number that was never provisioned did not exist."""
    assert NOTHING == await call("POST", "3165550142", data={"notes": "x"})


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_wrong_key_is_unauthorized(call: Call, method: str):
    """A wrong key has the vendor's own status and words."""
    answer = await call(method, key="wrong")

    assert (401, {"status": "unauthorized", "message": "Your key is invalid"}) == answer
