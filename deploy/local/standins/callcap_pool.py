"""The numbers that Callcap's stand-in has to give, and the search among them; all are reserved for fiction."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from deploy.local.standins.wire import text

_KEYPAD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
_PLACES = {
    "316": ("US", "KS", "Wichita", "WICHITA DOWNTOWN", "67202"),
    "212": ("US", "NY", "New York", "NEW YORK CITY ZONE 1", "10001"),
    "415": ("US", "CA", "San Francisco", "SAN FRANCISCO", "94102"),
    "416": ("CA", "ON", "Toronto", "TORONTO", ""),
    "800": ("US", "", "", "", ""),
    "888": ("US", "", "", "", ""),
}
_TOLL_FREE = ("800", "888")
_RESERVED_FROM = 190  # 555-0190 to 555-0199 of each area are the reserved pool of location 3
_RESERVED_LOCATION = "3"
_SHOWN_AT_MOST = 50
_EQUAL = {
    "areaCode": "area_code",
    "country": "country",
    "state": "state",
    "city": "city",
    "rateCenter": "rate_center",
    "zipcode": "zipcode",
    "fullNumber": "full",
}


class SearchFault(ValueError):
    """Raised when a search asks for what cannot be; its text is the vendor's."""


@dataclass(frozen=True, slots=True)
class Number:
    """One number that can be provisioned."""

    full: str
    country: str
    state: str
    city: str
    rate_center: str
    zipcode: str
    location: str
    """The location whose reserved pool it is in; empty: the public pool."""

    @property
    def area_code(self) -> str:
        """Return the first three digits."""
        return self.full[:3]

    @property
    def toll_free(self) -> bool:
        """Return whether calls to it are free."""
        return self.area_code in _TOLL_FREE

    def shown(self) -> dict[str, Any]:
        """Return the number as JSON values."""
        names = ("country", "state", "city", "zipcode")
        parts = {"areaCode": self.full[:3], "exchange": self.full[3:6], "line": self.full[6:]}
        place = {name: getattr(self, name) for name in names} | {"rateCenter": self.rate_center}
        return {"phoneNumber": self.full, **parts, **place, "tollfree": self.toll_free}


def fictional_pool() -> tuple[Number, ...]:
    """Return 555-0100 to 555-0199 of four local and two toll-free areas."""
    return tuple(
        Number(f"{area}5550{line}", *place, _RESERVED_LOCATION if line >= _RESERVED_FROM else "")
        for area, place in _PLACES.items()
        for line in range(100, 200)
    )


def found(pool: Iterable[Number], wanted: Mapping[str, Any], *, locations: AbstractSet[str]) -> list[Number]:
    """Return at most 50 numbers that match every parameter given; raises ``SearchFault``.

    Without ``showPublicPool`` and ``showReservedPool`` the public pool is searched, without ``showTollfree`` and
    ``showLocal`` both kinds. An exact number is looked for in both pools.
    """
    location = text(wanted, "locationID") or text(wanted, "account").removeprefix("L-")
    reserved, public = _on(wanted, "showReservedPool"), _on(wanted, "showPublicPool")
    if reserved and location not in locations:
        raise SearchFault("Must have either locationID or account set to a valid value to search a reserved pool")
    vanity = text(wanted, "vanityText").upper()
    if not all(sign in "*#" or (sign.isascii() and sign.isalnum()) for sign in vanity):
        raise SearchFault("vanityText may hold letters, digits, * and #")
    exact = text(wanted, "fullNumber")
    kinds = {kind for name, kind in (("showTollfree", True), ("showLocal", False)) if _on(wanted, name)}
    pools = {pool for pool, shown in ((location, reserved), ("", public or not reserved)) if shown}
    matching = []
    for number in pool:
        in_pool = exact or number.location in pools
        if in_pool and number.toll_free in (kinds or {True, False}) and _fits(number, wanted, vanity):
            matching.append(number)
            if len(matching) == _SHOWN_AT_MOST:
                break
    return matching


def _fits(number: Number, wanted: Mapping[str, Any], vanity: str) -> bool:
    for name, attribute in _EQUAL.items():
        if (value := text(wanted, name)) and value.lower() != getattr(number, attribute).lower():
            return False
    exchange, line = text(wanted, "exchange"), text(wanted, "line")
    if (exchange and exchange != number.full[3:6]) or (line and line != number.full[6:]):
        return False
    return not vanity or _spells(number.full, vanity.translate(_KEYPAD))


def _spells(number: str, pattern: str) -> bool:
    """Return whether the pattern's digits stand somewhere in the number; ``*`` and ``#`` are any one digit."""
    starts = range(len(number) - len(pattern) + 1)
    return any(all(sign in "*#" or number[at + i] == sign for i, sign in enumerate(pattern)) for at in starts)


def _on(wanted: Mapping[str, Any], name: str) -> bool:
    return text(wanted, name).lower() == "true"
