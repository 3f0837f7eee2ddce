"""The parameters of requests about Callcap's numbers, checked before anything is sent (the document "Phone Numbers").

Parameters go by the wire's own names, so that a fault names what the document names.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, post_load, validates_schema

from schemas.options import Option, flag, one_of, text

_ACCOUNT = re.compile(r"L-\d{1,12}", re.ASCII)
_PUNCTUATION = re.compile(r"[\s().+-]+")
_VANITY = re.compile(r"[0-9A-Za-z*#]{1,10}", re.ASCII)
_ZIPCODE = re.compile(r"\d{5}|[A-Za-z]\d[A-Za-z] ?\d[A-Za-z]\d", re.ASCII)


def digits(count: int) -> Callable[[object], str]:
    """Return a reader of exactly so many digits."""

    def read(value: object) -> str:
        if not re.fullmatch(rf"\d{{{count}}}", found := _text_of(value), re.ASCII):
            raise ValueError(f"must be {count} digits")
        return found

    return read


def phone(value: object) -> str:
    """Read a North American number, punctuation and a leading 1 dropped, as 10 digits such as ``3165551234``."""
    found = _PUNCTUATION.sub("", _text_of(value))
    if len(found) == 11 and found.startswith("1"):  # noqa: PLR2004  with the country's 1
        found = found[1:]
    if not re.fullmatch(r"[2-9]\d{9}", found, re.ASCII):
        raise ValueError("must be a number of 10 digits, such as 3165551234")
    return found


def whole_number(value: object) -> int:
    """Read a number such as that of a location or of a media type."""
    found = _text_of(value)
    if not re.fullmatch(r"[1-9]\d{0,11}", found, re.ASCII):
        raise ValueError("must be a whole number above 0")
    return int(found)


def account(value: object) -> str:
    """Read a location's account key; corporate (C-) and division (D-) accounts hold no numbers."""
    if not _ACCOUNT.fullmatch(found := text(value).upper()):
        raise ValueError("must be the key of a location account, such as L-3")
    return found


def vanity(value: object) -> str:
    """Read vanity text: letters and digits of a keypad, ``*`` and ``#`` for any digit."""
    if not _VANITY.fullmatch(found := text(value)):
        raise ValueError("must be 1 to 10 letters, digits, * or #, such as ###cake")
    return found


def zipcode(value: object) -> str:
    """Read a ZIP code, or a Canadian postal code."""
    if not _ZIPCODE.fullmatch(found := _text_of(value)):
        raise ValueError("must be a ZIP code such as 67202")
    return found


def iso_date(value: object) -> str:
    """Read a day such as ``2099-01-01``."""
    if isinstance(value, date):
        return value.isoformat()[:10]
    try:
        return date.fromisoformat(text(value)).isoformat()
    except ValueError as error:
        raise ValueError("must be a day such as 2099-01-01") from error


def _text_of(value: object) -> str:
    """Take a number for its text: 316 and "316" mean the same."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


class _Parameters(Schema):
    """The base: unknown parameters are faults, absent ones are left out."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "unknown parameter"}  # noqa: RUF012  marshmallow's own

    @post_load
    def _drop_absent(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value is not None}


CRITERIA = (
    "areaCode", "exchange", "line", "showPublicPool", "showReservedPool", "showTollfree", "showLocal",
    "country", "state", "city", "rateCenter", "zipcode", "vanityText", "fullNumber",
)  # fmt: skip
"""What a number is searched by; the account is where it is searched or put."""


POOLS = ("showPublicPool", "showReservedPool")
"""These may go with an exact number too: they say where it is."""


class SearchParameters(_Parameters):
    """What a search may ask; loads into the wire's parameters."""

    areaCode = Option(digits(3))  # noqa: N815  the wire's names
    exchange = Option(digits(3))
    line = Option(digits(4))
    locationID = Option(whole_number)  # noqa: N815
    account = Option(account)
    showPublicPool = Option(flag)  # noqa: N815
    showReservedPool = Option(flag)  # noqa: N815
    showTollfree = Option(flag)  # noqa: N815
    showLocal = Option(flag)  # noqa: N815
    country = Option(one_of("US", "CA"))
    state = Option(text)
    city = Option(text)
    rateCenter = Option(text)  # noqa: N815
    zipcode = Option(zipcode)
    vanityText = Option(vanity)  # noqa: N815
    fullNumber = Option(phone)  # noqa: N815

    @validates_schema(skip_on_field_errors=False)
    def _check_account(self, data: Mapping[str, Any], **_: Any) -> None:
        named = [name for name in ("locationID", "account") if data.get(name) is not None]
        if len(named) > 1:
            raise ValidationError("give locationID or account, not both", "account")
        if data.get("showReservedPool") and not named and {"locationID", "account"} <= data.keys():
            raise ValidationError("needs locationID or account: the pool is an account's", "showReservedPool")


class _Campaign(_Parameters):
    """What a provisioned number and its campaign carry."""

    destination = Option(phone)
    campaignName = Option(text)  # noqa: N815
    notes = Option(text)
    memo1 = Option(text)
    memo2 = Option(text)
    recording = Option(flag)
    mediaTypeID = Option(whole_number)  # noqa: N815
    brand = Option(text)
    service = Option(text)
    target = Option(text)
    offer = Option(text)


class ProvisionParameters(SearchParameters, _Campaign):
    """What provisioning may ask: one number, or the first that a search finds. It costs money at once."""

    phoneNumber = Option(phone)  # noqa: N815
    evaluation = Option(one_of("off", "realtime"))

    @validates_schema(skip_on_field_errors=False)
    def _check_place(self, data: Mapping[str, Any], **_: Any) -> None:
        if {"locationID", "account"} <= data.keys() and data["locationID"] is None and data["account"] is None:
            raise ValidationError("give locationID or account: a number lives in a location account", "account")

    @validates_schema(skip_on_field_errors=False)
    def _check_choice(self, data: Mapping[str, Any], **_: Any) -> None:
        searched = [name for name in CRITERIA if data.get(name) is not None]
        narrowed = [name for name in searched if name not in POOLS]
        if data.get("phoneNumber") and narrowed:
            raise ValidationError(f"goes without search parameters ({', '.join(narrowed)})", "phoneNumber")
        if not searched and "phoneNumber" in data and data["phoneNumber"] is None:
            raise ValidationError("give phoneNumber, or what to search by", "phoneNumber")


class UpdateParameters(_Campaign):
    """What an update may change; ``today`` is handed in, for a number cannot stop in the past."""

    evaluation = Option(one_of("off", "realtime", "delayed"))

    stopDate = Option(iso_date)  # noqa: N815

    def __init__(self, *, today: date) -> None:
        super().__init__()
        self._today = today

    @validates_schema(skip_on_field_errors=False)
    def _check_stop(self, data: Mapping[str, Any], **_: Any) -> None:
        stop = data.get("stopDate")
        if stop is not None and stop < self._today.isoformat():
            raise ValidationError("must be today or later", "stopDate")

    @validates_schema
    def _check_change(self, data: Mapping[str, Any], **_: Any) -> None:
        if not any(value is not None for value in data.values()):
            raise ValidationError("give at least one parameter to change")
