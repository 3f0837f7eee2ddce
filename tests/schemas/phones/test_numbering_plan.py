"""What is computed from the library's metadata is what the library itself says."""

import re
from random import Random

import phonenumbers
import pytest
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumber, PhoneNumberFormat, PhoneNumberType

from schemas.phones.numbering_plan import national_of


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


def test_a_code_of_no_country_leaves_the_number_as_it_is() -> None:
    """There is no pattern to go by."""
    assert national_of(PhoneNumber(country_code=999, national_number=12345)) == "12345"
