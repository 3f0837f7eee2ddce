"""Requests about Callcap's numbers: what is checked, and what survives being written down."""

from datetime import date

import pytest
from marshmallow import ValidationError

from schemas.callcap.requests import Kind, Lookup, NumberOutcome, NumberRequest, RequestState, read_key, read_request

TODAY = date(2026, 11, 21)


def read(kind: Kind, number: str = "", **parameters) -> NumberRequest:
    """Read a request made today."""
    return read_request(kind, parameters, today=TODAY, number=number)


@pytest.mark.parametrize(
    ("request_", "about"),
    [
        (read(Kind.PROVISION, account="L-3", phoneNumber="(316) 555-1234"), "3165551234"),
        (read(Kind.PROVISION, account="L-3", fullNumber="3165551234"), "3165551234"),
        (read(Kind.PROVISION, account="L-3", areaCode="316"), ""),
        (read(Kind.UPDATE, number="+1 316 555 1234", memo1="123"), "3165551234"),
        (read(Kind.SEARCH, areaCode="316"), ""),
    ],
)
def test_a_request_is_about_one_number_or_leaves_it_to_callcap(request_, about):
    """Only a named number can be looked up afterwards."""
    assert about == request_.about


def test_equal_requests_are_equal_texts_and_come_back_whole():
    """The order of parameters and the way a number is written make no difference; types do not get lost."""
    one = read(Kind.PROVISION, locationID=3, phoneNumber="3165551234", recording=True)
    other = read(Kind.PROVISION, recording=True, phoneNumber="316-555-1234", locationID="3")

    assert one.dump() == other.dump()
    assert one == NumberRequest.load(one.dump())


def test_a_number_is_looked_up_where_it_was_asked_for():
    """In the same account and pools, and by nothing that only a provisioning takes."""
    asked = read(Kind.PROVISION, account="L-3", phoneNumber="3165551234", showReservedPool=True, memo1="123")

    assert {"fullNumber": "3165551234", "account": "L-3", "showReservedPool": True} == asked.looked_up_by()


def test_an_updates_faults_come_all_at_once():
    """The number's with the parameters'."""
    with pytest.raises(ValidationError) as caught:
        read(Kind.UPDATE, number="555", stopDate="2026-11-20")

    assert {"number", "stopDate"} == caught.value.messages_dict.keys()
    with pytest.raises(ValidationError, match="10 digits"):
        read(Kind.UPDATE, number="555", memo1="123")


def test_an_outcome_comes_back_whole():
    """As it was written to the ledger."""
    outcome = NumberOutcome(
        state=RequestState.UNKNOWN, reason="timeout", words="w", number="3165551234", numbers=("3165551234",),
        document={"status": "success"}, lookup=Lookup.OFFERED, lookup_words="l",
    )  # fmt: skip

    assert outcome == NumberOutcome.load(outcome.dump())


@pytest.mark.parametrize("shown", [NumberRequest.load('["update", "3165551234", {"notes": "3165551235"}]')])
def test_no_number_shows(shown):
    """A representation, such as an exception's or a log's, holds no phone number."""
    assert "31655512" not in repr(shown)
    assert "31655512" not in repr(NumberOutcome(state=RequestState.DONE, number="3165551234", numbers=("3165551234",)))


@pytest.mark.parametrize("key", ["num-1", "a", "shop:2026-03-02.smith_law", "x" * 100])
def test_a_key_is_read(key):
    """Letters, digits and a few marks."""
    assert key == read_key(key)


@pytest.mark.parametrize("key", ["", " a", "-a", "a b", "x" * 101, "a/b", "é", "number-3165551234", "a\n"])
def test_a_key_that_cannot_be_one(key):
    """Neither odd characters nor a phone number."""
    with pytest.raises(ValueError, match="must"):
        read_key(key)
