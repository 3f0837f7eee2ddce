"""How a destination's own keys are read from the configuration: strict, with faults that say what would be right."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from marshmallow import EXCLUDE, Schema, ValidationError
from marshmallow.fields import Field

from schemas.hours import Hours
from schemas.template import Template
from schemas.zones import zones

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([smhd])", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Read a number and one unit (s, m, h, d) as seconds; raises ``ValueError`` on anything else."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a duration; write a number and a unit, such as 10s, 30m, 4h or 30d")
    return float(match[1]) * _SECONDS[match[2]]


def parse_duration_or_off(text: str) -> float | None:
    """Read a duration as seconds, or ``off`` as ``None``; raises ``ValueError`` on anything else."""
    return None if text.strip().casefold() == "off" else parse_duration(text)


_T = TypeVar("_T")
_VISIBLE = re.compile(r"[\x21-\x7e]+")


JsonForm = Mapping[str, Any]
_FORMS: dict[Callable[[Any], Any], JsonForm] = {}
_TEXT: JsonForm = {"type": "string"}


PLACEHOLDER = r".*\$\{[A-Za-z_][A-Za-z0-9_]*\}.*"
"""A text with a variable of the environment may become anything."""
DURATION: JsonForm = {"type": "string", "pattern": rf"^(\s*\d+(\.\d+)?\s*[smhd]\s*|{PLACEHOLDER})$"}


def written_as(**form: Any) -> Callable[[Callable[[Any], _T]], Callable[[Any], _T]]:
    """Name the JSON Schema of what a reader takes; a reader without one takes a text."""

    def named(read: Callable[[Any], _T]) -> Callable[[Any], _T]:
        _FORMS[read] = form
        return read

    return named


def form_of(read: Callable[[Any], Any]) -> JsonForm:
    """Return the JSON Schema of what a reader takes."""
    return _FORMS.get(read, _TEXT)


class Option(Field[_T]):
    """A key that one function reads; the function's ``TypeError`` or ``ValueError`` becomes the fault."""

    default_error_messages = {"required": "is required", "null": "must not be empty"}  # noqa: RUF012  marshmallow's own

    def __init__(self, read: Callable[[object], _T], *, required: bool = False, default: _T | None = None) -> None:
        if required:
            super().__init__(required=True)
        else:
            super().__init__(load_default=default)
        self._read = read

    @property
    def form(self) -> JsonForm:
        """Return the JSON Schema of its values in the configuration file."""
        return form_of(self._read)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> _T:
        del attr, data, kwargs
        try:
            return self._read(value)
        except (TypeError, ValueError) as error:
            raise ValidationError(str(error)) from error


class OptionsSchema(Schema):
    """The base of the vendors' option schemas; keys that are not theirs are the settings' business."""

    class Meta:
        """Leave out what is not declared."""

        unknown = EXCLUDE


def text(value: object) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str):
        raise TypeError("must be a text")
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


def secret(value: object) -> str:
    """Read a key that can stand in a header or a query: visible ASCII only. The fault does not show it."""
    key = text(value)
    if not _VISIBLE.fullmatch(key):
        raise ValueError("must be visible ASCII characters without blanks")
    return key


@written_as(type="boolean")
def flag(value: object) -> bool:
    """Read ``true`` or ``false``; texts such as "true" are refused."""
    if not isinstance(value, bool):
        raise TypeError("must be true or false, without quotation marks")
    return value


@written_as(**DURATION)
def duration_s(value: object) -> float:
    """Read a duration text as seconds."""
    return parse_duration(text(value))


def template(value: object) -> Template:
    """Read a template text."""
    return Template.parse(text(value))


def zone(value: object) -> ZoneInfo:
    """Read the name of a time zone of the IANA database."""
    name = text(value)
    try:
        return zones().zone(name)
    except LookupError as error:
        raise ValueError(f"unknown time zone {name!r}; write an IANA name such as America/New_York") from error


def hours(value: object) -> Hours:
    """Read hours such as ``21:00-08:00`` or ``Mon-Fri 08:00-18:00``."""
    return Hours.parse(text(value))


def guid(value: object) -> str:
    """Read a GUID, in braces or not, as 36 characters."""
    try:
        return str(UUID(text(value)))
    except ValueError as error:
        raise ValueError("must be a GUID such as 6f9619ff-8b86-d011-b42d-00c04fc964ff") from error


def one_of(*choices: str) -> Callable[[object], str]:
    """Return a reader of one of these texts."""

    @written_as(enum=list(choices))
    def read(value: object) -> str:
        if value not in choices:
            raise ValueError(f"must be {' or '.join(repr(choice) for choice in choices)}")
        return str(value)

    return read
