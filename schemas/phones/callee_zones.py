"""The time zones in which a number may ring: all of them where the number does not tell which.

``phonenumbers`` 9.0 knows the zones of many plans, but not those of Australia: for Perth, Adelaide and Darwin it gives
Adelaide and Perth, for Cairns Sydney. So Australia's area codes stand here.
"""

from functools import lru_cache

import phonenumbers
from phonenumbers import timezone as plan_zones

_EAST = ("Australia/Sydney",)
_AUSTRALIA = (
    "Australia/Sydney", "Australia/Melbourne", "Australia/Hobart", "Australia/Brisbane", "Australia/Adelaide",
    "Australia/Darwin", "Australia/Perth",
)  # fmt: skip
"""All of them: where a mobile rings, or a 13, 1300 or 1800 number, nobody knows."""

_AREAS = {
    "2": _EAST,
    "3": ("Australia/Melbourne", "Australia/Hobart"),
    "7": ("Australia/Brisbane",),
    "85": ("Australia/Perth",),
    "86": ("Australia/Perth",),
    "87": ("Australia/Adelaide", "Australia/Darwin"),
    "88": ("Australia/Adelaide", "Australia/Darwin"),
    "89": ("Australia/Perth",),
}
"""By the first digits behind +61: the area, and in the west and the centre the exchange's first digit."""

_LONGEST_AREA = 2
_UNKNOWN = "Etc/Unknown"


@lru_cache(maxsize=8192)
def zones_of(e164: str) -> tuple[str, ...]:
    """Return the names of the zones of a number's people; none where the number tells no country."""
    if e164.startswith("+61"):
        rest = e164[3:]
        return next((_AREAS[rest[:size]] for size in range(_LONGEST_AREA, 0, -1) if rest[:size] in _AREAS), _AUSTRALIA)
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return ()
    return tuple(name for name in plan_zones.time_zones_for_number(number) if name != _UNKNOWN)


@lru_cache(maxsize=256)
def zones_of_region(region: str) -> tuple[str, ...]:
    """Return the zones of a country (two letters), for numbers that tell nothing."""
    if region == "AU":
        return _AUSTRALIA
    code = phonenumbers.country_code_for_region(region)
    return tuple(
        name
        for name in plan_zones._country_level_time_zones_for_number(  # noqa: SLF001  no other way
            phonenumbers.PhoneNumber(country_code=code, national_number=0)
        )
        if name != _UNKNOWN
    )
