"""Comunik8's stand-in answers as the document "Comunik8 - Leads API" says."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from deploy.local.standins.app import StandIns

LEAD = {
    "first_name": "John",
    "surname": "Doe",
    "mobile": "07700900123",
    "email": "john@example.com",
    "type": "motor-trade",
    "subtype": "valeter",
    "delays": 600,
    "data": '{"vehicle_make":"Ford","addresss":"123 Greenacre Road"}',
}
WITHDRAWAL = {"mobile": LEAD["mobile"], "type": LEAD["type"]}
DONE = {"saved": True, "processed": True}

Post = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
async def post(standins: StandIns):
    """Post a body to /lead/add or /lead/cancel and return status and JSON values, or text where it is no JSON."""
    async with aiohttp.ClientSession() as session:

        async def send(action: str, body: Any, *, key: str = "standin-comunik8-key") -> tuple[int, Any]:
            url = f"{standins.url}/comunik8/lead/{action}"
            async with session.post(url, json=body, params={"key": key}) as reply:
                try:
                    return reply.status, await reply.json()
                except ValueError:
                    return reply.status, await reply.text()

        yield send


async def test_a_lead_is_saved_and_processed(post: Post, standins: StandIns):
    """The document's example makes one scheduled lead."""
    assert (200, DONE) == await post("add", LEAD)
    assert [("scheduled", 1)] == [(lead["state"], lead["posts"]) for lead in standins.store.records("comunik8")]


@pytest.mark.parametrize("test", [True, "true"])
async def test_a_test_saves_nothing(post: Post, standins: StandIns, test: Any):
    """A lead marked as a test is checked and answered "ok", and not kept."""
    assert (200, {"test": "ok"}) == await post("add", LEAD | {"test": test})
    assert [] == standins.store.records("comunik8")


async def test_a_second_lead_of_a_number_is_already_scheduled(post: Post, standins: StandIns):
    """While a lead waits to be dialled, another of its type and number is not processed."""
    await post("add", LEAD)
    answer = await post("add", LEAD)

    assert (200, {"saved": True, "processed": False, "error": "Another call is already scheduled"}) == answer
    assert ["added", "duplicate"] == standins.store.records("comunik8")[0]["history"]


async def test_a_dialled_lead_is_an_existing_contact(post: Post, standins: StandIns):
    """Once dialled, the number is a contact, and the lead can no longer be withdrawn."""
    await post("add", LEAD)
    standins.store.ahead_s += 3600

    assert (200, {"saved": True, "processed": False, "error": "Existing Contact"}) == await post("add", LEAD)
    assert (200, {"cancelled": False, "warning": "already processed"}) == await post("cancel", WITHDRAWAL)


async def test_types_are_leads_of_their_own(post: Post, standins: StandIns):
    """The same number may wait under two types."""
    await post("add", LEAD)

    assert (200, DONE) == await post("add", LEAD | {"type": "missed-call"})
    assert 2 == len(standins.store.records("comunik8"))


async def test_an_unknown_type_is_saved_and_not_processed(post: Post):
    """An unknown type is answered in the document's words."""
    answer = await post("add", LEAD | {"type": "unheard-of"})

    assert (200, {"saved": True, "processed": False, "error": "Unknown Type"}) == answer


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"email": ""}, {"email": {"0": "Email cannot be blank."}}),
        ({"email": "nobody"}, {"email": {"0": "Email is not a valid email address."}}),
        ({"mobile": None}, {"mobile": {"0": "Mobile cannot be blank."}}),
        ({"mobile": "withheld"}, {"mobile": {"0": "Mobile is not a valid phone number."}}),
        ({"type": ""}, {"type": {"0": "Type cannot be blank."}}),
        ({"data": ""}, {"data": {"0": "Empty or invalid content of `data` field"}}),
        ({"data": {"a": 1}}, {"data": {"0": "Empty or invalid content of `data` field"}}),
        ({"data": "{'a': 1}"}, {"data": {"0": "Empty or invalid content of `data` field"}}),
        ({"delays": "600"}, {"delays": {"0": "Delays must be a number."}}),
        (
            {"first_name": "", "surname": ""},
            {"first_name": {"0": "First Name cannot be blank."}, "surname": {"0": "Surname cannot be blank."}},
        ),
    ],
)
async def test_failing_validations(post: Post, standins: StandIns, change: dict[str, Any], faults: dict[str, Any]):
    """Status 400 names every failing field, and nothing is saved."""
    assert (400, faults) == await post("add", LEAD | change)
    assert [] == standins.store.records("comunik8")


async def test_a_waiting_lead_is_withdrawn_once(post: Post, standins: StandIns):
    """A withdrawal answers true, a second one finds nothing, and the number may be added again."""
    await post("add", LEAD)

    assert (200, {"cancelled": True}) == await post("cancel", WITHDRAWAL)
    assert "cancelled" == standins.store.records("comunik8")[0]["state"]
    assert (200, {"cancelled": False, "warning": "not found"}) == await post("cancel", WITHDRAWAL)
    assert (200, DONE) == await post("add", LEAD)


async def test_a_withdrawal_of_an_unknown_type_is_no_json(post: Post):
    """The words of that answer stand without quotation marks, as in the document."""
    status, answer = await post("cancel", WITHDRAWAL | {"type": "unheard-of"})

    assert 200 == status
    assert '"warning": server error (call group)' in answer


async def test_a_withdrawal_needs_its_fields(post: Post):
    """Type and mobile are required, and nothing else is."""
    faults = {"mobile": {"0": "Mobile cannot be blank."}, "type": {"0": "Type cannot be blank."}}

    assert (400, faults) == await post("cancel", {})


@pytest.mark.parametrize("action", ["add", "cancel"])
async def test_a_wrong_key_is_refused(post: Post, action: str):
    """A wrong key is status 401."""
    assert (401, {"error": "Invalid Key"}) == await post(action, LEAD, key="wrong")
