"""What Callcap's replies mean: a clear yes, a clear no, or unknown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from schemas.blanking import blank
from schemas.delivery import Response
from schemas.reply import Reply, normal, read_reply, texts_in

_NUMBER = re.compile(r"\+?1?([2-9]\d{9})", re.ASCII)
_NOT_OURS = ("destination", "forward", "ring", "caller")
"""Keys that begin so hold numbers of other lines."""

_SURELY_NOT_DONE = {401: "unauthorized", 425: "rate_limited", 429: "rate_limited"}
_REASONS = {403: "unauthorized", 404: "not_found"}
_WORDS_FOR_NO = frozenset(
    {"error", "fail", "failed", "failure", "invalid", "denied", "forbidden", "unauthorized", "not found", "rejected"}
)
"""Only "success" and "unauthorized" are documented; any other word of a 2xx, such as "pending", is no clear no."""


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
    """The whole reply, for its shape is not documented; top keys in lower case, secrets blanked."""
    numbers: tuple[str, ...]
    """Every phone number found in it, 10 digits each, in its order."""


def judge(response: Response, *, api_key: str) -> CallcapReply:
    """Read a reply: success is 2xx and ``"status": "success"``; errors are JSON with ``status`` and ``message``.

    An empty search may come as an error ("did not exist or did not have anything to say"): then ``not_found``.
    """
    reply = read_reply(response, secrets=(api_key,))
    document = reply.document or {}
    said, reason = _verdict(reply, normal(str(document.get("status", ""))))
    return CallcapReply(
        said=said,
        reason=reason,
        message=reply.shown(" ".join(texts_in(document.get("message")))),
        document={name: _blanked(value, api_key) for name, value in document.items()},
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
            case str() | int() if _names_a_number(key) and (match := _NUMBER.fullmatch(_bare(str(value)))):
                found[match[1]] = None
            case _:
                pass
    return tuple(found)


def _blanked(value: Any, api_key: str) -> Any:
    match value:
        case dict():
            return {name: _blanked(inner, api_key) for name, inner in value.items()}
        case list():
            return [_blanked(inner, api_key) for inner in value]
        case str():
            return blank(value, (api_key,))
        case _:
            return value


def _names_a_number(key: str) -> bool:
    return "number" in key and not key.startswith(_NOT_OURS)


def _bare(number: str) -> str:
    return re.sub(r"[\s().-]", "", number)


def _verdict(reply: Reply, status: str) -> tuple[Said, str]:
    """Judge a reply; whatever is no clear yes or no is unknown, for another number would cost money."""
    code = reply.status
    if code in _SURELY_NOT_DONE:
        return Said.NO, _SURELY_NOT_DONE[code]
    spoken = bool(status or (reply.document or {}).get("message"))
    if 200 <= code < 300:  # noqa: PLR2004  the 2xx class
        if status == "success":
            return Said.YES, ""
        return (Said.NO, "rejected") if status in _WORDS_FOR_NO else (Said.UNKNOWN, "unreadable")
    if 400 <= code < 500 and code != 408 and spoken and status != "success":  # noqa: PLR2004  408: it took too long
        return Said.NO, _REASONS.get(code, "rejected")
    return Said.UNKNOWN, "unreadable" if code < 500 and code != 408 else "unavailable"  # noqa: PLR2004  the same
