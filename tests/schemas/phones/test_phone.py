"""Phone numbers in the contract's forms."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.phones.phone import Phone, read_phone


@pytest.mark.parametrize(
    "text, e164, national, country",
    [
        ("+61444444444", "+61444444444", "0444444444", "AU"),
        ("+17702401011", "+17702401011", "7702401011", "US"),
        ("+447840258823", "+447840258823", "07840258823", "GB"),
        (" +61 (0)444 444-444 ", "+61444444444", "0444444444", "AU"),
        ("0288889999", "+61288889999", "0288889999", "AU"),
        ("61444444444", "+61444444444", "0444444444", "AU"),
        ("0011 44 7840 258823", "+447840258823", "07840258823", "GB"),
        ("1300 123 456", "+611300123456", "1300123456", "AU"),
        ("13 12 34", "+61131234", "131234", "AU"),
        ("0444 444 444 ext. 12", "+61444444444", "0444444444", "AU"),
        ("+39 06 1234 567", "+39061234567", "061234567", "IT"),
        ("+441534123456", "+441534123456", "01534123456", "JE"),
        ("+800 1234 5678", "+80012345678", "12345678", None),
    ],
)
def test_a_number_has_its_forms(text, e164, national, country):
    """A number is read with its country, or as one of the default region, and written three ways."""
    phone = read_phone(text, default_region="AU")

    assert Phone(e164, national, country) == phone
    assert e164.removeprefix("+") == phone.digits


@pytest.mark.parametrize(
    "text, national, country",
    [
        ("+61999999999", "0999999999", "AU"),
        ("+15555550123", "5555550123", "US"),
        ("+447700900123", "07700900123", "GB"),
        ("+18685550123", "8685550123", "TT"),
    ],
)
def test_a_number_of_no_known_range_has_the_likely_country_of_its_code(text, national, country):
    """A range younger than the metadata is still a possible number, trunk prefix and country included."""
    assert Phone(text, national, country, verified=False) == read_phone(text, default_region="AU")


@pytest.mark.parametrize("region, e164", [("AU", "+61770240101"), ("US", None), ("GB", "+44770240101")])
def test_a_number_without_plus_is_of_the_default_region(region, e164):
    """The same digits are another number, or none, in another country."""
    phone = read_phone("770240101", default_region=region)

    assert e164 == (phone.e164 if phone else None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "-",
        "anonymous",
        "withheld",
        "Private",
        "unknown",
        "restricted",
        "0",
        "000",
        "0000000000",
        "+61000000000",
        "123",
        "+1",
        "+0444444444",
        "+6144444444444444",
        "99999999999999999999",
        "4" * 251,
        "4" * 100_000,
        "PLA_Caller_Phone_Number",
        "\u0000",
    ],
)
def test_what_is_no_possible_number_is_none(text):
    """A withheld caller, and digits that no country could have, count as no number."""
    assert read_phone(text, default_region="AU") is None


@pytest.mark.parametrize("text", ["2401011", "555 0123"])
def test_a_local_number_without_its_area_is_none(text):
    """Seven digits of the United States cannot be called from elsewhere."""
    assert read_phone(text, default_region="US") is None


@given(st.text(max_size=40) | st.from_regex(r"\A\+?[0-9 ()x;=.-]{0,30}\Z"), st.sampled_from(["AU", "US", "GB", "ZZ"]))
@settings(deadline=None)
def test_any_text_is_read_or_refused(text, region):
    """Whatever the text, nothing is raised, and what is read is digits alone."""
    phone = read_phone(text, default_region=region)

    if phone is not None:
        assert phone.e164[0] == "+"
        assert phone.digits.isascii()
        assert phone.digits.isdigit()
        assert phone.national.isdigit()
        assert phone.country is None or len(phone.country) == 2
