"""Marshmallow fields for what Delacon sends, and helpers for the bodies of two or more vendors."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields

from schemas.call import Call

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = re.compile(
    r"(?:(\d{1,9})\s*h(?:(?:ou)?rs?)?)?\s*(?:(\d{1,9})\s*m(?:in(?:ute)?s?)?)?\s*"
    r"(?:(\d{1,9})(?:\.\d*)?\s*s(?:ec(?:ond)?s?)?)?",
    re.ASCII | re.IGNORECASE,
)
_CLOCK = re.compile(r"(?:(\d{1,9}):)?(\d{1,9}):([0-5]?\d)(?:\.\d*)?", re.ASCII)
_BARE = re.compile(r"(\d{1,9})(?:\.\d*)?", re.ASCII)
_MILLISECOND_DIGITS, _SECOND_DIGITS = 13, 10  # of the years 2001 to 2286
_JOINERS = {"\u200d", "\ufe0e", "\ufe0f"}  # zero width joiner and variation selectors
_LONGEST_CLUSTER = 16  # characters; a longer pile of marks is cut in its middle


class Text(fields.Field[str]):
    """A text that was trimmed when it was read."""

    def _deserialize(self, value: Any, _attr: str | None, _data: Mapping[str, Any] | None, **_kwargs: Any) -> str:
        return str(value)


class Duration(fields.Field[int]):
    """Whole seconds from ``50s``, ``1m 20s``, ``1h 2m``, ``00:01:20``, ``1:20`` or ``80``."""

    def _deserialize(self, value: Any, _attr: str | None, _data: Mapping[str, Any] | None, **_kwargs: Any) -> int:
        seconds = read_duration(str(value))
        if seconds is None:
            raise ValidationError("duration is unreadable")
        return seconds


class EpochMoment(fields.Field[datetime]):
    """A moment from zero-padded epoch milliseconds (13 digits) or seconds (10 digits)."""

    def _deserialize(self, value: Any, _attr: str | None, _data: Mapping[str, Any] | None, **_kwargs: Any) -> datetime:
        moment = read_epoch(str(value))
        if moment is None:
            raise ValidationError("time is unreadable")
        return moment


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
