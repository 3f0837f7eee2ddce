"""Captorra's stand-in answers as the document "Captorra Call Tracking" says."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from deploy.local.standins.app import StandIns

SAMPLE = {
    "CaptorraId": "111111",
    "Name": "PPC Campaign 01",
    "ANI": "7702401011",
    "Date": "01/01/2018 4:00 PM",
    "ID": "1A2B3C4D5E6F7G8H9",
    **{f"String{n:02}": f"Custom Text {n:02}" for n in range(1, 21)},
    "Multi01": "Multi Line Text 01",
}

Post = Callable[..., Awaitable[Any]]


@pytest.fixture
async def post(standins: StandIns):
    """Post a body to Captorra's create and return the JSON answer, whatever its status."""
    async with aiohttp.ClientSession() as session:

        async def send(body: Any) -> Any:
            given = {"data": body} if isinstance(body, (str, bytes)) else {"json": body}
            async with session.post(f"{standins.url}/captorra/api/captorracalltracking/create", **given) as reply:
                return await reply.json()

        yield send


async def test_the_documents_example_is_created(post: Post, standins: StandIns):
    """The example post makes one phone source, kept as it was sent."""
    answer = await post(SAMPLE)

    assert {"success": True} == answer
    assert [SAMPLE] == [record["values"] for record in standins.store.records("captorra")]


async def test_the_same_id_is_a_duplicate(post: Post, standins: StandIns):
    """A second post of an ID is refused, counted, and changes nothing."""
    await post(SAMPLE)
    answer = await post(SAMPLE | {"Name": "Another"})

    record = standins.store.records("captorra")[0]
    assert {"success": False, "error": "Phone source already exists"} == answer
    assert (2, ["added", "duplicate"]) == (record["posts"], record["history"])
    assert "PPC Campaign 01" == record["values"]["Name"]


async def test_organisations_do_not_share_ids(post: Post, standins: StandIns):
    """The same ID may be posted once for each CaptorraId."""
    await post(SAMPLE)
    answer = await post(SAMPLE | {"CaptorraId": "222222"})

    assert {"success": True} == answer
    assert ["111111", "222222"] == [record["account"] for record in standins.store.records("captorra")]


@pytest.mark.parametrize("body", ["{", "[]", '"text"', "", '{"Name": "a",}'])
async def test_bad_json(post: Post, body: str):
    """What is no JSON object is called invalid."""
    assert {"success": False, "error": "Invalid JSON data."} == await post(body)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"CaptorraId": ""}, "Please provide the CaptorraId, Name, ID, ANI, Date"),
        ({"CaptorraId": None}, "Please provide the CaptorraId, Name, ID, ANI, Date"),
        ({"Name": " "}, "Please provide Source Name, ID, ANI, Date"),
        ({"ID": ""}, "Please provide Source Name, ID, ANI, Date"),
        ({"ANI": ""}, "Please provide Source Name, ID, ANI, Date"),
        ({"Date": ""}, "Please provide Source Name, ID, ANI, Date"),
        ({"CaptorraId": "999999"}, "Please check CaptorraId."),
        ({"Date": "2018-01-01T16:00:00Z"}, "Invalid Date"),
        ({"Date": "13/01/2018 4:00 PM"}, "Invalid Date"),
        ({"Date": "02/30/2018 4:00 PM"}, "Invalid Date"),
        ({"Date": "01/01/2018 16:00"}, "Invalid Date"),
        ({"ANI": "anonymous"}, "Invalid ANI"),
        ({"ANI": "12345"}, "Invalid ANI"),
        ({"ANI": "770240101177024010117702401011"}, "Invalid ANI"),
        ({"Referrer": "not a GUID"}, "Invalid JSON data."),
    ],
)
async def test_refusals(post: Post, standins: StandIns, change: dict[str, Any], error: str):
    """Each fault of a body has the document's own words, and stores nothing."""
    answer = await post(SAMPLE | change)

    assert {"success": False, "error": error} == answer
    assert [] == standins.store.records("captorra")


@pytest.mark.parametrize("change", [{"Name": "n" * 101}, {"String05": "s" * 501}, {"String20": "s" * 101}])
async def test_a_text_over_its_limit_is_no_success(post: Post, standins: StandIns, change: dict[str, str]):
    """A text that should have been cut is noticed."""
    answer = await post(SAMPLE | change)

    assert {"Message": "An error has occurred."} == answer
    assert [] == standins.store.records("captorra")


@pytest.mark.parametrize("change", [{"Date": "1/1/2018 04:00 AM"}, {"ANI": "+61491570156"}, {"CaptorraId": 111111}])
async def test_other_forms_that_pass(post: Post, change: dict[str, Any]):
    """Dates without leading zeros, E.164 callers and a numeric id are taken."""
    assert {"success": True} == await post(SAMPLE | change)


async def test_a_referrer_guid_passes(post: Post):
    """A Referrer that is a GUID is taken."""
    assert {"success": True} == await post(SAMPLE | {"Referrer": "6f9619ff-8b86-d011-b42d-00c04fc964ff"})
