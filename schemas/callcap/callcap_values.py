"""The values that Callcap's parameters take, read and checked one by one (the document "Phone Numbers")."""

import re
from collections.abc import Callable
from datetime import date

from schemas.options import text

_ACCOUNT = re.compile(r"L-\d{1,12}", re.ASCII)
_PUNCTUATION = re.compile(r"[\s().+-]+")
_VANITY = re.compile(r"[0-9A-Za-z*#]{1,10}", re.ASCII)
_ZIPCODE = re.compile(r"\d{5}|[A-Za-z]\d[A-Za-z] ?\d[A-Za-z]\d", re.ASCII)


def digits(count: int) -> Callable[[object], str]:
    """Give a reader of exactly so many digits."""

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
