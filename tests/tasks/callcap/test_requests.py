"""Callcap's numbers carried out against the stand-in: every endpoint, parameter and answer of the document."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from marshmallow import ValidationError

from deploy.local.standins.app import StandIns
from schemas.callcap.requests import Kind, RequestState
from tasks.callcap.requests import DifferentRequest, NoSuchRequest, new_key
from tests.tasks.callcap.callcap_harness import EXACT, NOTHING, TODAY, CallcapHarness, open_harness, outcome_of


@pytest.fixture
async def harness(standins: StandIns, redis_url: str) -> AsyncIterator[CallcapHarness]:
    """Return a harness on a real Redis."""
    async with open_harness(standins, redis_url) as opened:
        yield opened


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"areaCode": "316", "exchange": "555", "line": "0123"}, "3165550123"),
        ({"areaCode": "415", "showPublicPool": True, "showLocal": True}, "4155550100"),
        ({"showReservedPool": True, "locationID": 3, "areaCode": "212"}, "2125550190"),
        ({"showReservedPool": True, "account": "L-3"}, "3165550190"),
        ({"showTollfree": True}, "8005550100"),
        ({"country": "CA"}, "4165550100"),
        ({"state": "KS", "city": "Wichita", "rateCenter": "WICHITA DOWNTOWN", "zipcode": "67202"}, "3165550100"),
        ({"vanityText": "###JKL01"}, "3165550100"),
        ({"vanityText": "555*109"}, "3165550109"),
        ({"fullNumber": "3165550142"}, "3165550142"),
        ({}, "3165550100"),
    ],
)
async def test_a_search_finds_by_every_documented_parameter(
    harness: CallcapHarness, parameters: dict[str, Any], found: str
):
    """GET /v3/numbers/: place, kind, pool, vanity text with ``*`` and ``#``, one full number."""
    outcome = await harness.search(**parameters)

    assert (RequestState.DONE, found) == (outcome.state, outcome.numbers[0])
    assert "success" == outcome.document["status"]


async def test_an_empty_search_is_done_with_nothing(harness: CallcapHarness):
    """Even where it comes as an error, "did not exist or did not have anything to say"."""
    outcome = await harness.search(areaCode="999")

    assert (RequestState.DONE, "nothing_found", ()) == (outcome.state, outcome.reason, outcome.numbers)
    assert NOTHING == outcome.words


async def test_a_search_with_a_wrong_key_is_refused(harness: CallcapHarness):
    """The document's 401: "unauthorized", "Your key is invalid"."""
    harness.account = harness.account_with(api_key="wrong")
    outcome = await harness.search()

    assert (RequestState.FAILED, "unauthorized", "Your key is invalid") == (
        outcome.state, outcome.reason, outcome.words,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "reason"),
    [({"status": 503}, "unavailable"), ({"body": "<html>"}, "unreadable"), ({"mode": "drop"}, "reset")],
)
async def test_a_search_that_got_no_answer_may_be_repeated(harness: CallcapHarness, fault: dict[str, Any], reason: str):
    """It changes nothing; aiohttp itself repeats a GET on a connection that was lost."""
    harness.lay(**fault)
    outcome = await harness.search()

    assert (RequestState.WAITING, reason) == (outcome.state, outcome.reason)


@pytest.mark.parametrize("encoding", ["form", "json"])
async def test_every_documented_parameter_of_a_provisioning_arrives(harness: CallcapHarness, encoding: str):
    """POST /v3/numbers/ with an exact number, form-encoded or as JSON."""
    campaign = {
        "destination": "3165550199", "campaignName": "My Campaign", "notes": "n", "memo1": "123", "memo2": "m",
        "recording": False, "evaluation": "realtime", "mediaTypeID": 7, "brand": "b", "service": "s", "target": "t",
        "offer": "o",
    }  # fmt: skip
    harness.account = harness.account_with(encoding=encoding)
    outcome = await harness.provision({**EXACT, **campaign})

    assert (RequestState.DONE, "3165550142") == (outcome.state, outcome.number)
    [kept] = harness.kept()
    assert ("3165550142", "L-3") == (kept["id"], kept["account"])
    expected = campaign if encoding == "json" else {**campaign, "recording": "false", "mediaTypeID": "7"}
    assert expected == {name: kept["values"][name] for name in campaign}


async def test_search_and_provision_at_once_takes_the_first_that_matches(harness: CallcapHarness):
    """POST /v3/numbers/ with search parameters; the number is Callcap's choice."""
    outcome = await harness.provision({"locationID": 3, "areaCode": "415", "vanityText": "##4"})

    assert (RequestState.DONE, "4155550104") == (outcome.state, outcome.number)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"account": "L-99", "phoneNumber": "3165550142"}, "A valid Callcap location account is required"),
        ({"account": "L-3", "phoneNumber": "3165559999"}, "The phone number is not available"),
        ({"account": "L-3", "areaCode": "999"}, NOTHING),
    ],
)
async def test_a_refused_provisioning_has_failed_with_callcaps_words(
    harness: CallcapHarness, parameters: dict[str, Any], words: str
):
    """It is settled: the same key sends nothing again, and nothing is looked up."""
    outcome = await harness.provision(parameters)
    again = await harness.provision(parameters)

    assert (RequestState.FAILED, words) == (outcome.state, outcome.words)
    assert outcome == again
    assert (1, 0) == (harness.sent("POST"), harness.sent("GET"))


async def test_the_same_key_gives_the_first_result_and_no_second_number(harness: CallcapHarness):
    """A number is paid for each time, so a key buys one."""
    first = await harness.provision({"account": "L-3", "areaCode": "415"})
    second = await harness.provision({"account": "L-3", "areaCode": "415"})

    assert first == second
    assert 1 == len(harness.kept())
    with pytest.raises(DifferentRequest):
        await harness.provision({"account": "L-3", "areaCode": "316"})


async def test_an_update_changes_every_documented_parameter(harness: CallcapHarness):
    """POST /v3/numbers/:phonenumber: routing, stop date, recording, delayed evaluation, campaign."""
    change = {
        "destination": "3165550198", "stopDate": "2099-01-01", "recording": True, "evaluation": "delayed",
        "campaignName": "Spring", "notes": "n", "memo1": "456", "memo2": "m", "mediaTypeID": 8, "brand": "b",
        "service": "s", "target": "t", "offer": "o",
    }  # fmt: skip
    await harness.provision()
    await harness.write(Kind.UPDATE, change, key="u", number="316-555-0142")
    outcome = outcome_of(await harness.carry_out(Kind.UPDATE, key="u"))

    assert (RequestState.DONE, "3165550142") == (outcome.state, outcome.number)
    [kept] = harness.kept()
    wire = {**change, "recording": "true", "mediaTypeID": "8"}
    assert wire == {name: kept["values"][name] for name in change}


async def test_an_update_of_a_number_that_is_not_ours_has_failed(harness: CallcapHarness):
    """Callcap says that the resource did not exist."""
    await harness.write(Kind.UPDATE, {"stopDate": TODAY.isoformat()}, number="3165550142")
    outcome = outcome_of(await harness.carry_out(Kind.UPDATE))

    assert (RequestState.FAILED, "not_found", NOTHING) == (outcome.state, outcome.reason, outcome.words)


async def test_a_written_search_keeps_what_it_found(harness: CallcapHarness):
    """For the program that asked."""
    await harness.write(Kind.SEARCH, {"areaCode": "416"})
    outcome = outcome_of(await harness.carry_out(Kind.SEARCH))

    assert ("4165550100", 50) == (outcome.numbers[0], len(outcome.numbers))


async def test_a_key_without_a_request_or_of_another_kind_sends_nothing(harness: CallcapHarness):
    """A task cannot turn a search into a provisioning."""
    await harness.write(Kind.SEARCH, {"areaCode": "416"})

    with pytest.raises(NoSuchRequest):
        await harness.carry_out(Kind.PROVISION)
    with pytest.raises(NoSuchRequest):
        await harness.carry_out(Kind.PROVISION, key="other")
    assert 0 == harness.sent("POST") + harness.sent("GET")


async def test_a_faulty_request_is_not_written(harness: CallcapHarness):
    """Nor one under a key that cannot be one."""
    with pytest.raises(ValidationError):
        await harness.write(Kind.PROVISION, {"phoneNumber": "3165550142"})
    with pytest.raises(ValueError, match="must"):
        await harness.write(Kind.PROVISION, EXACT, key="3165550142")
    assert await harness.numbers.read("k") is None


def test_made_keys_differ_and_hold_no_digits():
    """A run of digits would look like a phone number in a log."""
    keys = {new_key() for _ in range(100)}

    assert 100 == len(keys)
    assert not any(character.isdigit() for key in keys for character in key)
