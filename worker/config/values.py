"""Readers of single values; each raises ``TypeError`` or ``ValueError`` with the text of the fault."""

import ipaddress
import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from marshmallow import ValidationError
from phonenumbers import SUPPORTED_REGIONS

from schemas.delacon.import_row import check_date_format
from schemas.fields import read_result
from schemas.options import DURATION, PLACEHOLDER, duration_s, form_of, parse_duration_or_off, text, written_as

_T = TypeVar("_T")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MIN_TOKEN = 16
"""Characters: 16 random ones cannot be guessed over HTTP (contract, section 4)."""

_RATE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*/\s*([smh])", re.ASCII)
_RATE_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_PLAIN = frozenset('"\\')
_VISIBLE = re.compile(r"[\x21-\x7e]+")

_PLACEHOLDER = re.compile(
    r"(?:change|replace)[-_ ]?(?:this|me)|your[-_ ](?:own[-_ ])?(?:token|password|secret)|of-16-or"
)
"""How examples write secrets, ours in ``deploy/env.example`` and others: ``change-this-token-of-16-or-more``."""

FEW = 6
"""Different characters: a random text of 16 has ten or so."""


def whole(least: int, most: int | None = None) -> Callable[[object], int]:
    """Return a reader of whole numbers within bounds, both included."""

    @written_as(type="integer", minimum=least, **({} if most is None else {"maximum": most}))
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError("must be a whole number, without quotation marks")
        if value < least or (most is not None and value > most):
            raise ValueError(f"must be {least} or more" if most is None else f"must be between {least} and {most}")
        return value

    return read


def list_of(read: Callable[[object], _T], *, empty: bool = False) -> Callable[[object], tuple[_T, ...]]:
    """Return a reader of lists, which raises ``ValidationError`` with the fault of every bad item by position."""

    @written_as(type="array", items=form_of(read), **({} if empty else {"minItems": 1}))
    def read_list(value: object) -> tuple[_T, ...]:
        if not isinstance(value, list):
            raise TypeError("must be a list")
        if not value and not empty:
            raise ValueError("must not be empty")
        items: list[_T] = []
        faults: dict[int, str] = {}
        for index, item in enumerate(value):
            try:
                items.append(read(item))
            except (TypeError, ValueError) as error:
                faults[index] = str(error)
        if faults:
            raise ValidationError({index: [text] for index, text in faults.items()})
        return tuple(items)

    return read_list


@written_as(**DURATION)
def positive_s(value: object) -> float:
    """Read a duration longer than nothing, as seconds."""
    seconds = duration_s(value)
    if seconds <= 0:
        raise ValueError("must be longer than nothing")
    return seconds


@written_as(anyOf=[DURATION, {"type": "string", "pattern": "^\\s*[oO][fF][fF]\\s*$"}])
def positive_s_or_off(value: object) -> float | None:
    """Read a duration longer than nothing as seconds, or ``off`` as ``None``."""
    return positive_s(value) if parse_duration_or_off(text(value)) is not None else None


@written_as(**DURATION)
def timeout_s(value: object) -> float:
    """Read an attempt's timeout, at most 60 s: shutdown and leases count on it."""
    seconds = positive_s(value)
    if seconds > 60:  # noqa: PLR2004  contract, section 4
        raise ValueError("must be at most 60s")
    return seconds


@written_as(type="string", pattern=rf"^(\s*\d+(\.\d+)?\s*/\s*[smh]\s*|{PLACEHOLDER})$")
def rate_per_s(value: object) -> float:
    """Read a rate such as ``100/s``, ``90/m`` or ``500/h`` as attempts a second."""
    match = _RATE.fullmatch(text(value))
    if match is None or not float(match[1]):
        raise ValueError("must be a number above 0 and a unit of time, such as 100/s, 90/m or 500/h")
    return float(match[1]) / _RATE_SECONDS[match[2]]


def token(value: object) -> str:
    """Read a token of the receiver; the fault does not show it."""
    if not isinstance(value, str) or len(value) < MIN_TOKEN:
        raise ValueError(f"must be a text of at least {MIN_TOKEN} characters")
    if not _VISIBLE.fullmatch(value):
        raise ValueError("must be visible ASCII characters without blanks")
    if is_printed(value):
        raise ValueError("is the one that is printed in the example; take a random one of your own")
    return value


def service_id(value: object) -> str:
    """Read one of Delacon's service ids (PLA_CID), a text of one line."""
    if isinstance(value, int) and not isinstance(value, bool):
        raise TypeError(f'must be a text: "{value}"')
    found = text(value)
    if not found.isprintable() or not _PLAIN.isdisjoint(found):
        raise ValueError("must hold no control characters, quotation marks or backslashes")
    return found


def network(value: object) -> Network:
    """Read a network in CIDR notation, or a single address."""
    try:
        return ipaddress.ip_network(text(value))
    except ValueError as error:
        raise ValueError("must be a network in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32") from error


def region(value: object) -> str:
    """Read a country by its two letters, in upper case."""
    letters = text(value).upper()
    if letters not in SUPPORTED_REGIONS:
        raise ValueError("must be the two letters of a country, such as AU, US or GB")
    return letters


def result(value: object) -> str:
    """Read a call result as calls carry it."""
    return read_result(text(value))


def date_format(value: object) -> str:
    """Read a form of dates."""
    return check_date_format(text(value))


def delacon_key(value: object) -> str:
    """Read the name of one of Delacon's keys."""
    key = text(value)
    if not key.startswith("PLA_"):
        raise ValueError("must be a key of Delacon, which begin with PLA_")
    return key


def url(value: object, *, allow_http: bool) -> str:
    """Read a vendor's address (contract, section 4): https unless the host is loopback or ``allow_http`` is set.

    The fault never shows the address, which may hold a password.
    """
    address = text(value)
    if not _VISIBLE.fullmatch(address):
        raise ValueError("must be visible ASCII characters without blanks; write other letters %-encoded or as xn--")
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("must be an address such as https://crm.example.com/path") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("must be an address such as https://crm.example.com/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or a password")
    if "?" in address or "#" in address:
        raise ValueError("must not hold a query or a fragment; keys have their own settings")
    if parts.scheme == "http" and not (allow_http or is_loopback(host)):
        raise ValueError("must be https, unless the host is loopback or allow_http is set")
    return address


def is_loopback(host: str) -> bool:
    """Return whether ``host``, a name or an address, is this machine itself; IPv4 inside IPv6 is read as IPv4."""
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_printed(secret: str) -> bool:
    """Return whether a token or a password is the placeholder of an example."""
    return _PLACEHOLDER.search(secret.lower()) is not None


def is_monotonous(secret: str) -> bool:
    """Return whether a secret has so few different characters that somebody may try it, such as sixteen equal ones."""
    return len(set(secret)) < FEW
