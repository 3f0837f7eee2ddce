"""Requests to Callcap as its document "Phone Numbers" has them."""

from dataclasses import dataclass

from schemas.callcap.wire import provision_request, search_request, shown, update_request


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


def test_a_dry_run_shows_all_but_the_key():
    """What would go out, in either encoding."""
    url = "https://api.callcap.com/v3/numbers/"
    headers = {"Authorization": "Bearer [blanked]", "Accept": "application/json"}
    form = shown(provision_request(ACCOUNT, {"account": "L-3", "recording": True}))
    json = shown(provision_request(Account(encoding="json"), {"account": "L-3", "recording": True}))
    search = shown(search_request(ACCOUNT, {"areaCode": "316"}))

    assert {"account": "L-3", "recording": "true"} == form.pop("body")
    assert {"method": "POST", "url": url, "headers": headers, "encoding": "form"} == form
    assert ("json", {"account": "L-3", "recording": True}) == (json["encoding"], json["body"])
    assert ("GET", f"{url}?areaCode=316", "", None) == (
        search["method"],
        search["url"],
        search["encoding"],
        search["body"],
    )
