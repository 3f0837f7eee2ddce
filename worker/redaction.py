"""Keeps phone numbers and secrets out of log lines."""

import re
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import quote

from schemas.blanking import BLANK

SECRET_NAMES = frozenset(
    {
        "token",
        "tokens",
        "authorization",
        "api_key",
        "auth_key",
        "auth_keys",
        "key",
        "keys",
        "password",
        "secret",
        "cookie",
    }
    | {"headers", "body", "payload", "json", "form", "data", "raw", "values", "url", "redis_url", "broker_url"}
)
"""Fields that are never logged, whatever they hold."""

NUMBER_NAMES = frozenset(
    {"caller", "caller_digits", "caller_national", "phone", "mobile", "other_phone", "ani", "number", "tracking_number"}
)
"""Fields that hold a phone number."""

ID_NAMES = frozenset(
    {"call_id", "delivery_id", "task_id", "destination", "vendor", "queue", "action", "outcome", "reason", "logger"}
)
"""Fields that hold ids and names of ours, in which digits are no phone number."""

_NUMBER = re.compile(
    r"(?:"
    r"(?<!\w)\+\d(?:[ ().-]{0,2}\d){6,14}"  # +61 444 444 444
    r"|(?<![\w-])(?<!\d\.)\d{8,15}"  # 0444444444, but no decimals of a fraction
    r"|(?<![\w-])(?<!\d\.)\(?\d{2,5}\)?(?:[ -]\d{2,8}){1,4}"  # (770) 240-1011, 07840 258823
    r")(?![\w-]|\.\d)"
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LEAST_DIGITS = 8
_SUSPECT = re.compile(r"\d[\d ().-]{3,}\d|[=@]|basic |bearer ", re.IGNORECASE)
_QUERY = re.compile(r"([?&](?:key|token|api_key|auth_key|password)=)[^&\s\"'<>]+", re.IGNORECASE)
_USER = re.compile(r"(://)[^/@\s]+@")
_SCHEME = re.compile(r"\b(basic|bearer)\s+[A-Za-z0-9+/=._~-]{6,}", re.IGNORECASE)

Processor = Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]


def mask_number(text: str) -> str:
    """Shorten a phone number to what tells two callers apart and calls nobody: ``+61…444``."""
    text = text.strip()
    if len(text) < 8:  # noqa: PLR2004  too short to show both ends
        return "…"
    return f"{text[: 3 if text.startswith('+') else 2]}…{text[-3:]}"


def mask_text(text: str) -> str:
    """Mask what looks like a phone number in free text, and blank keys in URLs and headers.

    Dates, times, addresses, decimal fractions and UUIDs stay; a bare run of 8 to 15 digits does not, whatever it was.
    """
    if _SUSPECT.search(text) is None:
        return text
    text = _NUMBER.sub(_mask_match, text)
    text = _QUERY.sub(rf"\1{BLANK}", text)
    text = _USER.sub(rf"\1{BLANK}@", text)
    return _SCHEME.sub(rf"\1 {BLANK}", text)


def _mask_match(match: re.Match[str]) -> str:
    """Mask what the pattern found, unless it is a date or too short after all."""
    found = match[0]
    if _DATE.match(found) or sum(character.isdigit() for character in found) < _LEAST_DIGITS:
        return found
    return mask_number(found)


def redactor(secrets: Iterable[str] = (), *, trusts_event: bool) -> Processor:
    """Return a structlog processor that masks and blanks every field by its name, and all free text.

    ``secrets`` are blanked wherever they appear, also quoted as in URLs. ``trusts_event``: the event is a fixed text
    of our own code, and needs no look.
    """
    skipped = ID_NAMES | {"event"} if trusts_event else ID_NAMES
    forms = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
    hidden = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)) or r"(?!)")

    def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for name, value in event.items():
            if value is None or name in skipped or isinstance(value, int | float):
                continue
            low = name.lower()
            if low in SECRET_NAMES:
                event[name] = BLANK
            elif low in NUMBER_NAMES:
                event[name] = mask_number(str(value))
            else:
                event[name] = mask_text(hidden.sub(BLANK, value if isinstance(value, str) else str(value)))
        return event

    return redact
