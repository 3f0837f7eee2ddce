"""What is computed from the library's metadata is what the library itself says."""

import re
from random import Random

import phonenumbers
import pytest
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumber, PhoneNumberFormat, PhoneNumberType

from schemas.phones.numbering_plan import national_of, read_usual, region_of


def by_the_library(number: PhoneNumber) -> str:
    """Return what the library writes."""
    return re.sub(r"\D+", "", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))


def examples(code: int) -> list[PhoneNumber]:
    """Return the library's example numbers of each region and kind."""
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    kinds = PhoneNumberType.values()
    found = [phonenumbers.example_number_for_type(region, kind) for region in regions for kind in kinds]
    return [number for number in found if number is not None]


def any_numbers(code: int) -> list[PhoneNumber]:
    """Return numbers of any length, most of which are nobody's."""
    rng = Random(code)
    return [
        PhoneNumber(
            country_code=code,
            national_number=rng.randrange(1, 10 ** rng.randint(4, 13)),
            italian_leading_zero=True if rng.random() < 0.1 else None,
        )
        for _ in range(60)
    ]


@pytest.mark.parametrize("code", sorted(COUNTRY_CODE_TO_REGION_CODE))
def test_numbers_are_written_nationally_as_the_library_writes_them(code: int) -> None:
    """No number differs, valid or not."""
    numbers = [*examples(code), *any_numbers(code)]

    assert [national_of(number) for number in numbers] == [by_the_library(number) for number in numbers]


def altered(number: PhoneNumber) -> list[PhoneNumber]:
    """Return numbers that differ in some digits or in their length: of other kinds or regions, or nobody's."""
    digits = phonenumbers.national_significant_number(number)
    rng = Random(digits)
    found = []
    for _ in range(6):
        other = [rng.choice("0123456789") if rng.random() < 0.2 else digit for digit in digits]
        text = "".join(rng.choice((other, other, other[:-1], [*other, "3"])))
        zeros = len(text) - len(text.lstrip("0"))
        found.append(
            PhoneNumber(
                country_code=number.country_code,
                national_number=int(text),
                italian_leading_zero=True if zeros else None,
                number_of_leading_zeros=zeros if zeros > 1 else None,
            )
        )
    return found


def region_by_the_library(number: PhoneNumber) -> str | None:
    """Return the region in whose plan the library finds a number valid."""
    region = phonenumbers.region_code_for_number(number)
    return region if region is not None and phonenumbers.is_valid_number_for_region(number, region) else None


@pytest.mark.parametrize("code", sorted(COUNTRY_CODE_TO_REGION_CODE))
def test_numbers_are_read_as_the_library_reads_them(code: int) -> None:
    """Example numbers of every region and kind, and ones that differ a little; what is not usual is left to it."""
    for number in [one for example in examples(code) for one in (example, *altered(example))]:
        region = region_by_the_library(number)
        assert region_of(number) == region
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        usual = read_usual(e164[1:], plus=True, region="AU")
        assert usual is None or phonenumbers.parse(e164) == number
        assert usual in {None, (e164, by_the_library(number), region)}


def test_a_code_of_no_country_leaves_the_number_as_it_is() -> None:
    """There is no pattern to go by."""
    assert national_of(PhoneNumber(country_code=999, national_number=12345)) == "12345"
