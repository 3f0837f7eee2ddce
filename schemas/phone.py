"""Phone numbers as the contract writes them: E.164, bare digits, and national with the trunk prefix."""

from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult

MAX_TEXT = 250  # characters: what phonenumbers reads at most; it also bounds the memory of the cache
CACHED = 8192  # numbers; reading one afresh takes about 0.15 ms, and each is read once a merge


@dataclass(frozen=True, slots=True)
class Phone:
    """A possible phone number."""

    e164: str
    """``+61444444444``."""
    national: str
    """Digits only, with the trunk prefix: ``0444444444``, ``7702401011``, ``07840258823``."""
    country: str | None
    """Two letters; ``None`` for numbers of no country, such as ``+800``."""

    @property
    def digits(self) -> str:
        """Give the E.164 form without its plus sign."""
        return self.e164[1:]


def read_phone(text: str, *, default_region: str) -> Phone | None:
    """Read a number as a person or a vendor wrote it; ``default_region`` (two letters) is for one without +.

    ``None`` when it is no possible number: ``anonymous``, ``withheld``, ``+``, too short or too long for its country.
    """
    return _read(text, default_region) if len(text) <= MAX_TEXT else None


@lru_cache(maxsize=CACHED)
def _read(text: str, default_region: str) -> Phone | None:
    try:
        number = phonenumbers.parse(text, default_region)
    except NumberParseException:
        return None
    # A number of zeros is how some exchanges write a withheld caller.
    if number.national_number == 0:
        return None
    # IS_POSSIBLE_LOCAL_ONLY is refused too: without its area code a number cannot be called from elsewhere.
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    number.extension = None
    region = phonenumbers.region_code_for_number(number)
    e164 = f"+{number.country_code}{phonenumbers.national_significant_number(number)}"
    if region is None:
        # Possible but of no known range, as every new area code is until the metadata learns it.
        region = phonenumbers.region_code_for_country_code(number.country_code or 0)
        return Phone(e164, _trunk_prefix(number, region) + _national(number), _country(region))
    return Phone(e164, _national(number), _country(region))


def _national(number: PhoneNumber) -> str:
    written = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    return "".join(character for character in written if character.isdecimal())


def _trunk_prefix(number: PhoneNumber, region: str) -> str:
    """Give the prefix that formatting left out because no pattern of the country fits the number."""
    prefix = phonenumbers.ndd_prefix_for_region(region, True)  # noqa: FBT003  the library's own signature
    return "0" if prefix == "0" and _national(number) == phonenumbers.national_significant_number(number) else ""


def _country(region: str) -> str | None:
    return region if region.isalpha() and region != "ZZ" else None
