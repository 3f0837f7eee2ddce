"""Requests to Callcap, and what its replies mean."""

from dataclasses import dataclass

import pytest

from schemas.callcap_wire import Said, judge, numbers_in, provision_request, search_request, update_request
from tests.destinations import make_response


@dataclass(frozen=True)
class Account:
    """Where and as whom to ask."""

    url: str = "https://api.callcap.com/v3"
    api_key: str = "made-up-key"
    encoding: str = "form"


ACCOUNT = Account()
HEADERS = {"Authorization": "Bearer made-up-key", "Accept": "application/json"}


def test_a_search_asks_in_the_query():
    """Booleans in lower case, wildcards quoted."""
    request = search_request(ACCOUNT, {"vanityText": "###cake", "showLocal": True, "city": "St. Paul", "locationID": 3})

    assert "GET" == request.method
    assert (
        "https://api.callcap.com/v3/numbers/?vanityText=%23%23%23cake&showLocal=true&city=St.%20Paul&locationID=3"
        == request.url
    )
    assert HEADERS == request.headers


def test_a_search_for_anything_has_no_query():
    """All parameters are optional."""
    assert "https://api.callcap.com/v3/numbers/" == search_request(Account(url="https://api.callcap.com/v3/"), {}).url


def test_provisioning_posts_a_form_unless_configured_otherwise():
    """The document does not say which; both are in one place."""
    parameters: dict[str, str | int | bool] = {"locationID": 3, "phoneNumber": "3165551234", "recording": False}
    form = provision_request(ACCOUNT, parameters)
    json = provision_request(Account(encoding="json"), parameters)

    assert ("POST", "https://api.callcap.com/v3/numbers/", HEADERS) == (form.method, form.url, form.headers)
    assert {"locationID": "3", "phoneNumber": "3165551234", "recording": "false"} == form.form
    assert (None, parameters) == (form.json, json.json)
    assert json.form is None


def test_an_update_posts_to_the_number():
    """The number stands in the path."""
    request = update_request(ACCOUNT, "3165551234", {"memo1": "service 123"})

    assert ("POST", "https://api.callcap.com/v3/numbers/3165551234") == (request.method, request.url)
    assert {"memo1": "service 123"} == request.form


def test_no_key_shows():
    """A request's representation holds neither address nor key."""
    assert "made-up-key" not in repr(provision_request(ACCOUNT, {}))


@pytest.mark.parametrize(
    ("body", "status", "said", "reason"),
    [
        ({"status": "success", "numbers": []}, 200, Said.YES, ""),
        ({"Status": " SUCCESS"}, 201, Said.YES, ""),
        ({"status": "error", "message": "number is taken"}, 200, Said.NO, "rejected"),
        ({"status": "unauthorized", "message": "Your key is invalid"}, 401, Said.NO, "unauthorized"),
        ({"status": "forbidden"}, 403, Said.NO, "unauthorized"),
        ({"status": "not found", "message": "did not have anything to say"}, 404, Said.NO, "not_found"),
        ({"status": "success"}, 400, Said.NO, "rejected"),
        ("", 429, Said.NO, "rate_limited"),
        ("", 302, Said.NO, "rejected"),
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
    reply = judge(ACCOUNT, make_response(body, status))

    assert (said, reason) == (reply.said, reply.reason)


def test_callcaps_words_are_kept_without_the_key():
    """The message, or the whole reply where there is none."""
    assert (
        "Your key [blanked] is bad"
        == judge(
            ACCOUNT, make_response({"status": "unauthorized", "message": "Your key made-up-key is bad"}, 401)
        ).message
    )
    assert "<p>[blanked]</p>" == judge(ACCOUNT, make_response("<p>made-up-key</p>", 500)).message


@pytest.mark.parametrize(
    ("document", "numbers"),
    [
        ({"numbers": ["3165551234", "316-555-1235"]}, ("3165551234", "3165551235")),
        ({"data": [{"phoneNumber": 3165551234, "rate": 3165551239}]}, ("3165551234",)),
        ({"number": {"Number": "+13165551234", "id": "9165551234"}}, ("3165551234",)),
        ({"numbers": [{"number": "3165551234"}, {"number": "3165551234"}]}, ("3165551234",)),
        ({"numbers": "none", "x": "3165551234"}, ()),
        ([], ()),
    ],
)
def test_numbers_are_found_whatever_the_shape(document, numbers):
    """The shape of a search's reply is not documented."""
    assert numbers == numbers_in(document)
