"""Callcap's parameters: every one of the document, and what is refused before anything is sent."""

from datetime import date

import pytest
from marshmallow import ValidationError

from schemas.callcap.parameters import ProvisionParameters, SearchParameters, UpdateParameters

TODAY = date(2026, 11, 21)

SEARCH = {
    "areaCode": "316", "exchange": "555", "line": "1234", "locationID": 3, "showPublicPool": True,
    "showReservedPool": True, "showTollfree": True, "showLocal": True, "country": "US", "state": "KS",
    "city": "Wichita", "rateCenter": "WICHITA DOWNTOWN", "zipcode": "67202", "vanityText": "###cake",
    "fullNumber": "3165551234",
}  # fmt: skip
CAMPAIGN = {
    "destination": "3164447896", "campaignName": "My Campaign", "notes": "Phone number campaign notes",
    "memo1": "Extra memo information", "memo2": "Extra memo information", "recording": True, "mediaTypeID": 7,
    "brand": "b", "service": "s", "target": "t", "offer": "o",
}  # fmt: skip


def update_schema():
    """Return the schema of an update made today."""
    return UpdateParameters(today=TODAY)


def faults_of(schema, parameters):
    """Return the faults of parameters."""
    with pytest.raises(ValidationError) as caught:
        schema.load(parameters)
    return caught.value.messages


@pytest.mark.parametrize(
    ("make_schema", "parameters"),
    [
        (SearchParameters, SEARCH),
        (SearchParameters, {"account": "L-3", "country": "CA", "zipcode": "K1A 0B1", "vanityText": "hello"}),
        (SearchParameters, {}),
        (ProvisionParameters, {**CAMPAIGN, "account": "L-3", "phoneNumber": "3165551234", "evaluation": "realtime"}),
        (ProvisionParameters, {"account": "L-3", "phoneNumber": "3165551234", "showReservedPool": True}),
        (ProvisionParameters, {**SEARCH, **CAMPAIGN, "evaluation": "off"}),
        (update_schema, {**CAMPAIGN, "stopDate": "2099-01-01", "evaluation": "delayed"}),
        (update_schema, {"stopDate": "2026-11-21"}),
    ],
)
def test_every_documented_parameter_is_taken(make_schema, parameters):
    """Under the document's own names and values; what is not given is not sent."""
    assert parameters == make_schema().load(parameters)


@pytest.mark.parametrize("written", ["3165551234", "(316) 555-1234", "+1 316.555.1234", "13165551234", 3165551234])
def test_a_number_is_read_in_the_usual_ways(written):
    """And sent as 10 digits."""
    assert {"fullNumber": "3165551234"} == SearchParameters().load({"fullNumber": written})


@pytest.mark.parametrize(
    ("parameter", "value", "fault"),
    [
        ("areaCode", "31", "must be 3 digits"),
        ("exchange", "55a", "must be 3 digits"),
        ("line", "٣٣٣٣", "must be 4 digits"),
        ("fullNumber", "555-1234", "must be a number of 10 digits, such as 3165551234"),
        ("fullNumber", "0165551234", "must be a number of 10 digits, such as 3165551234"),
        ("locationID", "L-3", "must be a whole number above 0"),
        ("locationID", True, "must be a text"),
        ("account", "C-3", "must be the key of a location account, such as L-3"),
        ("country", "AU", "must be 'US' or 'CA'"),
        ("zipcode", "672", "must be a ZIP code such as 67202"),
        ("vanityText", "call me!", "must be 1 to 10 letters, digits, * or #, such as ###cake"),
        ("vanityText", "abcdefghijk", "must be 1 to 10 letters, digits, * or #, such as ###cake"),
        ("showLocal", "true", "must be true or false, without quotation marks"),
        ("city", " ", "must not be empty"),
        ("areacode", "316", "unknown parameter"),
    ],
)
def test_a_search_says_what_would_be_right(parameter, value, fault):
    """Each fault is at its parameter."""
    assert {parameter: [fault]} == faults_of(SearchParameters(), {parameter: value})


def test_a_search_names_one_account_at_most_and_the_reserved_pool_needs_one():
    """The pool is an account's."""
    both = {"locationID": 3, "account": "L-3"}

    assert {"account": ["give locationID or account, not both"]} == faults_of(SearchParameters(), both)
    assert ["showReservedPool"] == list(faults_of(SearchParameters(), {"showReservedPool": True}))
    assert SearchParameters().load({"showReservedPool": True, "account": "l-3"})["account"] == "L-3"


@pytest.mark.parametrize(
    ("parameters", "faults"),
    [
        ({}, {"account", "phoneNumber"}),
        ({"phoneNumber": "3165551234"}, {"account"}),
        ({"account": "L-3"}, {"phoneNumber"}),
        ({"account": "L-3", "locationID": 3, "areaCode": "316"}, {"account"}),
        ({"account": "L-3", "phoneNumber": "3165551234", "areaCode": "316"}, {"phoneNumber"}),
        ({"account": "L-3", "phoneNumber": "3165551234", "evaluation": "delayed"}, {"evaluation"}),
        ({"account": "L-3", "phoneNumber": "3165551234", "stopDate": "2099-01-01"}, {"stopDate"}),
        ({"account": "D-3", "phoneNumber": "555", "destination": "x"}, {"account", "phoneNumber", "destination"}),
    ],
)
def test_provisioning_needs_an_account_and_a_choice(parameters, faults):
    """It costs money at once, so one account and either a number or a search must be meant; all faults come at once."""
    assert faults == faults_of(ProvisionParameters(), parameters).keys()


@pytest.mark.parametrize(
    ("parameters", "faults"),
    [
        ({}, {"_schema": ["give at least one parameter to change"]}),
        ({"stopDate": "2026-11-20"}, {"stopDate": ["must be today or later"]}),
        ({"stopDate": "soon"}, {"stopDate": ["must be a day such as 2099-01-01"]}),
        ({"evaluation": "never"}, {"evaluation": ["must be 'off' or 'realtime' or 'delayed'"]}),
        ({"account": "L-3"}, {"account": ["unknown parameter"]}),
        ({"recording": 1}, {"recording": ["must be true or false, without quotation marks"]}),
    ],
)
def test_an_update_says_what_would_be_right(parameters, faults):
    """A number cannot stop in the past, and does not change its account."""
    assert faults == faults_of(update_schema(), parameters)
