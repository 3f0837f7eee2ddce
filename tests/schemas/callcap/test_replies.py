"""What Callcap's replies mean."""

import pytest

from schemas.callcap.replies import Said, judge, numbers_in
from tests.destinations import make_response

KEY = "made-up-key"


@pytest.mark.parametrize(
    ("body", "status", "said", "reason"),
    [
        ({"status": "success", "numbers": []}, 200, Said.YES, ""),
        ({"Status": " SUCCESS"}, 201, Said.YES, ""),
        ({"status": "error", "message": "number is taken"}, 200, Said.NO, "rejected"),
        ({"status": "unauthorized", "message": "Your key is invalid"}, 401, Said.NO, "unauthorized"),
        ({"status": "forbidden"}, 403, Said.NO, "unauthorized"),
        ({"status": "not found", "message": "did not have anything to say"}, 404, Said.NO, "not_found"),
        ({"message": "number is taken"}, 400, Said.NO, "rejected"),
        ({"status": "success"}, 400, Said.UNKNOWN, "unreadable"),
        ("<h1>Bad Request</h1>", 400, Said.UNKNOWN, "unreadable"),
        ({"status": "pending"}, 202, Said.UNKNOWN, "unreadable"),
        ("", 401, Said.NO, "unauthorized"),
        ("", 429, Said.NO, "rate_limited"),
        ("", 425, Said.NO, "rate_limited"),
        ("", 303, Said.UNKNOWN, "unreadable"),
        ("", 200, Said.UNKNOWN, "unreadable"),
        ("<html>", 200, Said.UNKNOWN, "unreadable"),
        ({}, 200, Said.UNKNOWN, "unreadable"),
        ({"status": "error"}, 500, Said.UNKNOWN, "unavailable"),
        ({"status": "success"}, 502, Said.UNKNOWN, "unavailable"),
        ("", 408, Said.UNKNOWN, "unavailable"),
    ],
)
def test_a_reply_is_yes_no_or_unknown(body, status, said, reason):
    """Success needs 2xx and the word; after an unknown the number must be looked up, for another would cost money."""
    reply = judge(make_response(body, status), api_key=KEY)

    assert (said, reason) == (reply.said, reply.reason)


def test_callcaps_words_are_kept_without_the_key():
    """The message, or the whole reply where there is none, and the document."""
    refused = judge(make_response({"status": "error", "message": [f"Your key {KEY} is bad"]}, 401), api_key=KEY)
    broken = judge(make_response(f"<p>{KEY}</p>", 500), api_key=KEY)

    assert "Your key [blanked] is bad" == refused.message
    assert {"status": "error", "message": ["Your key [blanked] is bad"]} == refused.document
    assert "<p>[blanked]</p>" == broken.message


@pytest.mark.parametrize(
    ("document", "numbers"),
    [
        ({"numbers": ["3165551234", "316-555-1235"]}, ("3165551234", "3165551235")),
        ({"data": [{"phoneNumber": 3165551234, "rate": 3165551239}]}, ("3165551234",)),
        ({"number": {"Number": "+13165551234", "id": "9165551234"}}, ("3165551234",)),
        ({"numbers": [{"number": "3165551234"}, {"number": "3165551234"}]}, ("3165551234",)),
        ({"status": "success", "destinationNumber": "3164447896", "phoneNumber": "3165551234"}, ("3165551234",)),
        ({"numbers": "none", "x": "3165551234"}, ()),
        ([], ()),
    ],
)
def test_numbers_are_found_whatever_the_shape(document, numbers):
    """The shape of a search's reply is not documented."""
    assert numbers == numbers_in(document)
