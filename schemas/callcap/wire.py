"""Requests to Callcap's numbers API, as they go over the wire."""

from typing import Any, Protocol
from urllib.parse import quote, urlencode

from schemas.blanking import BLANK
from schemas.callcap.requests import Parameters
from schemas.delivery import Request


class Account(Protocol):
    """Where and as whom to ask: ``[callcap]`` of the configuration."""

    @property
    def url(self) -> str:
        """Return the API's address, such as ``https://api.callcap.com/v3``."""
        ...

    @property
    def api_key(self) -> str:
        """Return the key of the header."""
        ...

    @property
    def encoding(self) -> str:
        """Return ``form`` or ``json``: how a POST is encoded, which the document leaves open."""
        ...


def search_request(account: Account, parameters: Parameters) -> Request:
    """Ask for numbers; changes nothing."""
    url = f"{_numbers(account)}?{urlencode(_texts(parameters), quote_via=quote)}"
    return Request(method="GET", url=url.rstrip("?"), headers=_headers(account))


def provision_request(account: Account, parameters: Parameters) -> Request:
    """Take a number. It costs money and has no idempotency key, so it is sent once and never again by itself."""
    return _post(account, _numbers(account), parameters)


def update_request(account: Account, number: str, parameters: Parameters) -> Request:
    """Change a number's routing, features or campaign; ``number`` has 10 digits."""
    return _post(account, _numbers(account) + quote(number, safe=""), parameters)


def shown(request: Request) -> dict[str, Any]:
    """Return a request as a dry run shows it: whole, but for the key."""
    headers = {name: f"Bearer {BLANK}" if name == "Authorization" else value for name, value in request.headers.items()}
    body = request.json if request.form is None else dict(request.form)
    encoding = "" if body is None else "json" if request.form is None else "form"
    return {"method": request.method, "url": request.url, "headers": headers, "encoding": encoding, "body": body}


def _post(account: Account, url: str, parameters: Parameters) -> Request:
    if account.encoding == "json":
        return Request(method="POST", url=url, headers=_headers(account), json=dict(parameters))
    return Request(method="POST", url=url, headers=_headers(account), form=_texts(parameters))


def _texts(parameters: Parameters) -> dict[str, str]:
    """Write values as the document shows them in a query or a form: ``true`` and ``false`` in lower case."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in parameters.items()}


def _headers(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.api_key}", "Accept": "application/json"}


def _numbers(account: Account) -> str:
    return f"{account.url.rstrip('/')}/numbers/"
