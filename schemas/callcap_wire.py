"""Requests to Callcap's numbers API and what its replies mean."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from schemas.delivery import Request, Response
from schemas.reply import Reply, normal, read_reply, texts_in

Parameters = Mapping[str, str | int | bool]
"""What a schema of ``schemas.callcap`` loaded."""

_NUMBER = re.compile(r"\+?1?([2-9]\d{9})", re.ASCII)
_SURELY_NOT_DONE = frozenset({425, 429})


class Account(Protocol):
    """Where and as whom to ask: ``[callcap]`` of the configuration."""

    @property
    def url(self) -> str:
        """Give the API's address, such as ``https://api.callcap.com/v3``."""
        ...

    @property
    def api_key(self) -> str:
        """Give the key of the header."""
        ...

    @property
    def encoding(self) -> str:
        """Give ``form`` or ``json``: how a POST is encoded, which the document leaves open."""
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


class Said(StrEnum):
    """What a reply means for what was asked."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """It may have been done: look the number up before anything is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallcapReply:
    """A reply, judged."""

    said: Said
    reason: str
    """Empty for yes, else ``unauthorized``, ``not_found``, ``rejected``, ``rate_limited``, ``unreadable``
    or ``unavailable``."""
    message: str
    """Callcap's words, secrets blanked."""
    document: Mapping[str, Any] = field(repr=False)
    """The whole reply, for its shape is not documented; top keys in lower case."""
    numbers: tuple[str, ...]
    """Every phone number found in it, 10 digits each, in its order."""


def judge(account: Account, response: Response) -> CallcapReply:
    """Read a reply: success is 2xx and ``"status": "success"``; errors are JSON with ``status`` and ``message``.

    An empty search may come as an error ("did not exist or did not have anything to say"): then ``not_found``.
    """
    reply = read_reply(response, secrets=(account.api_key,))
    document = reply.document or {}
    said, reason = _verdict(reply, normal(str(document.get("status", ""))))
    return CallcapReply(
        said=said,
        reason=reason,
        message=reply.shown(" ".join(texts_in(document.get("message")))),
        document=document,
        numbers=numbers_in(document),
    )


def numbers_in(document: Any) -> tuple[str, ...]:
    """Find phone numbers under keys that speak of numbers, whatever the shape around them."""
    found: dict[str, None] = {}
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        key, value = waiting.pop()
        match value:
            case dict():
                waiting += [(normal(str(name)), inner) for name, inner in reversed(value.items())]
            case list():
                waiting += [(key, inner) for inner in reversed(value)]
            case str() | int() if "number" in key and (match := _NUMBER.fullmatch(re.sub(r"[\s().-]", "", str(value)))):
                found[match[1]] = None
            case _:
                pass
    return tuple(found)


def _verdict(reply: Reply, status: str) -> tuple[Said, str]:
    code = reply.status
    if 200 <= code < 300:  # noqa: PLR2004  the 2xx class
        if status == "success":
            return Said.YES, ""
        return (Said.NO, "rejected") if status else (Said.UNKNOWN, "unreadable")
    if code in _SURELY_NOT_DONE:
        return Said.NO, "rate_limited"
    if code >= 500 or code == 408:  # noqa: PLR2004  the 5xx class, and a request that took too long
        return Said.UNKNOWN, "unavailable"
    return Said.NO, {401: "unauthorized", 403: "unauthorized", 404: "not_found"}.get(code, "rejected")


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
