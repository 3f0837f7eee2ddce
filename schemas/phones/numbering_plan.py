"""The numbering plans of all countries, as phonenumbers has them: which digits are a number, and of which region."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberFormat,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberDesc,
    PhoneNumberFormat,
    ValidationResult,
)

_NO_DIGITS = re.compile(r"\D+")
_NO_GROUPS = re.compile(r"[^\\\d]+")
_SHARED_CODES = frozenset(code for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if len(regions) > 1)
_MEXICO, _MEXICO_DIGITS = 52, 10
_OLD_MEXICAN_PREFIXES = ("1", "01", "044", "045")  # for mobiles and long distance, until August 2019


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the metadata say of a region."""

    code: int
    prefix: str | None
    prefixes: re.Pattern[str] | None
    international: re.Pattern[str]
    usual_international: str | None
    leading_digits: bool
    """Whether leading digits tell its numbers from those of other regions with the same code."""


def parse(digits: str, region: str) -> PhoneNumber | None:
    """Return the number that digits make in a region (two letters); a prefix or the country's code may precede it."""
    return _parse(digits, region)


def parse_international(digits: str) -> PhoneNumber | None:
    """Return the number that ``+`` and the digits make."""
    number = _parse(f"+{digits}", None)
    if number is None or number.country_code != _MEXICO:
        return number
    # What stood before Mexican numbers until 2019 still stands in address books and at some carriers: +521...
    national = phonenumbers.national_significant_number(number)
    before = national[:-_MEXICO_DIGITS]
    return _parse(f"+{_MEXICO}{national[-_MEXICO_DIGITS:]}", None) if before in _OLD_MEXICAN_PREFIXES else number


class Usual(NamedTuple):
    """A mobile's or a fixed line's number of the region that the library asks first for its country code."""

    e164: str
    national: str
    """As ``national_of`` writes it."""
    region: str


def read_usual(digits: str, *, plus: bool, region: str) -> Usual | None:
    """Read such a number, in the forms that most calls have, as the functions below would; ``None``: ask them.

    2 us instead of 10.
    """
    found = _cut(digits, plus=plus, region=region)
    main, kinds = _usual_kinds(found[0]) if found is not None else ("", None)
    if found is None or kinds is None or not kinds.fullmatch(found[1]):
        return None
    code, national = found
    written = _nationally(code, national)
    return None if written is None else Usual(f"+{code}{national}", written, main)


def parse_ordinary(digits: str, *, plus: bool, region: str) -> PhoneNumber | None:
    """Return what the functions above return, for valid numbers in the forms that most calls have; ``None``: ask them.

    They take 12 us, a third of a reading. This one only cuts off a country code or a trunk prefix.
    """
    found = _cut(digits, plus=plus, region=region)
    return None if found is None else PhoneNumber(country_code=found[0], national_number=int(found[1]))


def _cut(digits: str, *, plus: bool, region: str) -> tuple[int, str] | None:
    """Return the country code and the national digits, where no more is to be done than to cut."""
    if digits.startswith("0" if plus else "00"):
        return None
    if plus:
        length = next((size for size in (1, 2, 3) if int(digits[:size]) in COUNTRY_CODE_TO_REGION_CODE), 0)
        plan = _plan(phonenumbers.region_code_for_country_code(int(digits[:length] or 0)))
        national = digits[length:]
        if plan is None or (plan.prefixes is not None and plan.prefixes.match(national)):
            return None
    else:
        plan = _plan(region)
        if plan is None or digits.startswith(str(plan.code)) or plan.international.match(digits):
            return None
        before = plan.prefixes.match(digits) if plan.prefixes is not None else None
        if before is not None and (before[0] != plan.prefix or before.lastindex is not None):
            return None
        national = digits if before is None else digits[before.end() :]
    if plan.code == _MEXICO or national[:1] in {"", "0"}:
        return None
    return plan.code, national


def region_of(number: PhoneNumber) -> str | None:
    """Return the region in whose plan a number is valid, if any; ``001`` is that of no country.

    Most are those of ``Usual``; the library looks at all kinds in turn, which takes 6 us.
    """
    main, kinds = _usual_kinds(number.country_code or 0)
    if kinds is not None and kinds.fullmatch(phonenumbers.national_significant_number(number)):
        return main
    region = phonenumbers.region_code_for_number(number)
    if region is None:
        return None
    # Where regions share a code, the library has looked at their plans to tell them apart, but for those with leading
    # digits of their own; looking twice would take 5 us.
    plan = _plan(region)
    if plan is not None and not plan.leading_digits and number.country_code in _SHARED_CODES:
        return region
    return region if phonenumbers.is_valid_number_for_region(number, region) else None


def likely_region_of(number: PhoneNumber) -> str:
    """Return the region that a number of no known range is most likely of, as every new area code is at first."""
    region = phonenumbers.region_code_for_number(number)
    return region or phonenumbers.region_code_for_country_code(number.country_code or 0)


def is_possible(number: PhoneNumber) -> bool:
    """Return whether a number is as long as its country has them, and can be called from elsewhere.

    IS_POSSIBLE_LOCAL_ONLY, a number without its area code, cannot.
    """
    return number.national_number != 0 and (
        phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    )


def begins_with_zero(number: PhoneNumber) -> bool:
    """Return whether a zero is at the front of the national part; only valid numbers have one, such as Italy's."""
    return phonenumbers.national_significant_number(number).startswith("0")


def code_of(region: str) -> int:
    """Return the code of a region, such as 61; 0 where it has none."""
    plan = _plan(region)
    return plan.code if plan is not None else 0


def dials_abroad(digits: str, region: str) -> bool:
    """Return whether digits that begin with 00 begin with what people in a region dial for calls abroad.

    Where one prefix is usual, that is it: Australia's 0014 to 0019 choose a carrier and are hardly met, so 001 868 is
    Trinidad there, and not 0018 and Samoa.
    """
    plan = _plan(region)
    return plan is None or not plan.usual_international or digits.startswith(plan.usual_international)


def e164_of(number: PhoneNumber) -> str:
    """Return ``+61444444444``."""
    return f"+{number.country_code}{phonenumbers.national_significant_number(number)}"


def national_of(number: PhoneNumber) -> str:
    """Return the digits with the trunk prefix, as the country writes them.

    Where a country's pattern only groups the digits, what it puts before them is looked up: 1.2 us instead of 12.
    """
    national = _nationally(number.country_code or 0, phonenumbers.national_significant_number(number))
    if national is not None:
        return national
    return _NO_DIGITS.sub("", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))


def _nationally(code: int, national: str) -> str | None:
    """Return national digits as their country writes them; ``None`` where it does more than put others before them."""
    for leading, whole, before in _formats(code):
        if (leading is None or leading.match(national)) and whole.fullmatch(national):
            return None if before is None else before + national
    return None


def trunk_prefix_of(number: PhoneNumber, region: str) -> str:
    """Return the prefix that ``national_of`` left out because no pattern of the country fits the number."""
    prefix = phonenumbers.ndd_prefix_for_region(region, True)  # noqa: FBT003  the library's own signature
    return "0" if prefix == "0" and national_of(number) == phonenumbers.national_significant_number(number) else ""


def _parse(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException:
        return None


@lru_cache(maxsize=256)
def _formats(code: int) -> tuple[tuple[re.Pattern[str] | None, re.Pattern[str], str | None], ...]:
    """Return how numbers of a country code are written, in the order in which the library asks: the first that fits.

    Of each: which leading digits it is for, which numbers, and the digits that it puts before theirs; ``None``: it does
    more than that.
    """
    region = phonenumbers.region_code_for_country_code(code)
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    if metadata is None:
        return ()
    return tuple(
        (
            re.compile(one.leading_digits_pattern[-1]) if one.leading_digits_pattern else None,
            re.compile(one.pattern or "(?!)"),
            _put_before(one),
        )
        for one in metadata.number_format
    )


def _put_before(how: NumberFormat) -> str | None:
    """Return the digits that a format puts before a number's own; ``None``: it moves, drops or adds others."""
    first = how.national_prefix_formatting_rule or r"\1"
    written = _NO_GROUPS.sub("", (how.format or "").replace(r"\1", first, 1))
    before, at_first, groups = written.partition(r"\1")
    in_order = "".join(rf"\{place}" for place in range(2, re.compile(how.pattern or "").groups + 1))
    return before if at_first and groups == in_order and (before.isdecimal() or not before) else None


@lru_cache(maxsize=256)
def _usual_kinds(code: int) -> tuple[str, re.Pattern[str] | None]:
    """Return the first region of a country code, and what matches its mobile and fixed-line numbers, if it has any.

    ``None`` where other regions' leading digits or lengths come into it: then the library is asked.
    """
    region = phonenumbers.region_code_for_country_code(code)
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.leading_digits is not None:
        return region, None
    kinds = "|".join(filter(None, (_matching(metadata.mobile), _matching(metadata.fixed_line))))
    return region, re.compile(f"(?={_matching(metadata.general_desc)}$)(?:{kinds})") if kinds else None


def _matching(kind: PhoneNumberDesc | None) -> str:
    """Return a pattern for the numbers of a kind: of its lengths, and as it says; empty where it has none."""
    if kind is None or not kind.national_number_pattern or -1 in kind.possible_length:
        return ""
    lengths = "|".join(rf"\d{{{length}}}" for length in kind.possible_length)
    of_length = f"(?=(?:{lengths})$)" if lengths else ""
    return f"(?:{of_length}(?:{kind.national_number_pattern}))"


@lru_cache(maxsize=256)
def _plan(region: str) -> _Plan | None:
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        return None
    prefixes = metadata.national_prefix_for_parsing
    return _Plan(
        code=metadata.country_code or 0,
        prefix=metadata.national_prefix,
        prefixes=re.compile(prefixes) if prefixes else None,
        international=re.compile(metadata.international_prefix or "(?!)"),
        usual_international=metadata.preferred_international_prefix,
        leading_digits=metadata.leading_digits is not None,
    )
