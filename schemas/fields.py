"""A marshmallow field and the readers for what Delacon sends, and helpers for the bodies of two or more vendors."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from marshmallow import ValidationError, fields, missing

from schemas.call import Call

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = re.compile(
    r"(?:(\d{1,9})\s*h(?:(?:ou)?rs?)?)?\s*(?:(\d{1,9})\s*m(?:in(?:ute)?s?)?)?\s*"
    r"(?:(\d{1,9})(?:\.\d*)?\s*s(?:ec(?:ond)?s?)?)?",
    re.ASCII | re.IGNORECASE,
)
_CLOCK = re.compile(r"(?:(\d{1,9}):)?(\d{1,9}):([0-5]?\d)(?:\.\d*)?", re.ASCII)
_BARE = re.compile(r"(\d{1,9})(?:\.\d*)?", re.ASCII)
_MILLISECOND_DIGITS, _SECOND_DIGITS = 13, 10  # of the years 2001 to 2286
_RESULTS = {
    "no answer": "unanswered",
    "no-answer": "unanswered",
    "noanswer": "unanswered",
    "not answered": "unanswered",
    "missed": "unanswered",
    "busy tone": "busy",
}
_JOINERS = {"\u200d", "\ufe0e", "\ufe0f"}  # zero width joiner and variation selectors
_LONGEST_CLUSTER = 16  # characters; a longer pile of marks is cut in its middle


class Parsed(fields.Field[T]):
    """A text that a function reads; ``None`` from the function is a ``ValidationError``."""

    def __init__(self, read: Callable[[str], T | None], *, data_key: str) -> None:
        super().__init__(data_key=data_key)
        self.read = read

    def deserialize(
        self,
        value: Any,
        attr: str | None = None,  # noqa: ARG002  marshmallow's own signature
        data: Mapping[str, Any] | None = None,  # noqa: ARG002
        **_kwargs: Any,
    ) -> Any:
        """Read at once: marshmallow's hooks and validators, of which there are none, would take half of a load."""
        if value is missing:
            return self.load_default
        parsed = self.read(value)
        if parsed is None:
            raise ValidationError("unreadable")
        return parsed


def read_duration(text: str) -> int | None:
    """Read a duration in whole seconds, fractions dropped; ``None`` when it is in no form that we know."""
    text = text.strip()
    if match := _BARE.fullmatch(text):
        return int(match[1])
    match = _CLOCK.fullmatch(text) or (_UNITS.fullmatch(text) if text else None)
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def read_epoch(text: str) -> datetime | None:
    """Read Delacon's ``00000001556755937003`` (milliseconds), or seconds; ``None`` when it is neither."""
    digits = text.strip().lstrip("0")
    if not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits) == _MILLISECOND_DIGITS:
        return _EPOCH + timedelta(milliseconds=int(digits))
    if len(digits) == _SECOND_DIGITS:
        return _EPOCH + timedelta(seconds=int(digits))
    return None


def read_result(text: str) -> str:
    """Read ``PLA_CallResult``: ``answered``, ``unanswered``, ``busy``, or the raw text in lower case.

    Delacon's document names the three meanings and shows only ``Answered``; the other spellings are guarded against.
    """
    lowered = text.lower()
    return _RESULTS.get(lowered, lowered)


def phone_for(call: Call, *, phone_format: str, region: str) -> str:
    """Write the caller as a destination wants it; empty text when the caller is withheld.

    ``national`` is national for numbers of the destination's ``region`` and E.164 for all others (contract, section 7).
    """
    match phone_format:
        case "digits":
            return call.caller_digits or ""
        case "national" if call.country == region:
            return call.caller_national or ""
        case _:
            return call.caller or ""


def cut(text: str, limit: int) -> tuple[str, bool]:
    """Cut a text to ``limit`` characters and say whether it was longer; an accent stays with its letter."""
    if len(text) <= limit:
        return text, False
    end = limit
    while end > max(limit - _LONGEST_CLUSTER, 0) and (_joins(text[end]) or text[end - 1] == "\u200d"):
        end -= 1
    return text[: end if end > max(limit - _LONGEST_CLUSTER, 0) else limit], True


def _joins(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character).startswith("M")
