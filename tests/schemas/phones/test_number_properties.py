"""Whatever is written for a caller, what reaches a vendor is a number of a plan."""

from datetime import UTC, datetime

import phonenumbers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers import NumberParseException, PhoneNumber, ValidationResult

from schemas.delacon.call_keys import CALLER, load_call
from schemas.fields import phone_for
from schemas.phones import numbering_plan
from schemas.phones.phone import old_reading, read_phone
from schemas.phones.written_number import PLACEHOLDERS

RECEIVED_US = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp() * 1_000_000)
REGIONS = st.sampled_from(["AU", "US", "GB", "NZ", "CA", "IN", "SG", "TT", "IT", "MX"])
BEGINNINGS = st.sampled_from(
    [
        "",
        "+",
        "00",
        "0",
        "0011",
        "011",
        "001",
        "0014",
        "0018",
        "1",
        "+0",
        "+00",
        "61",
        "44",
        "1242",
        "52",
        "521",
        "39",
        "65",
    ]
)
CODES = st.sampled_from(["", "61", "64", "44", "1", "91", "65", "1868", "1242", "39", "52", "521", "49", "685", "800"])
DIGITS = st.builds("".join, st.tuples(BEGINNINGS, CODES, st.text("0123456789", max_size=12)))
TEXTS = DIGITS | st.text(max_size=40) | st.from_regex(r"\A[+0-9 ()x;=.,'\"@:a-eE-]{0,30}\Z")


def valid(text: str, region: str | None) -> PhoneNumber | None:
    """Return the number that the library reads and finds in a plan."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def e164(number: PhoneNumber) -> str:
    """Write a number as E.164."""
    return f"+{number.country_code}{phonenumbers.national_significant_number(number)}"


@given(text=TEXTS, region=REGIONS)
@settings(max_examples=1_500, deadline=None)
@example(text="0061491570156", region="AU")
@example(text="041234567", region="GB")
@example(text="0014155550123", region="AU")
def test_what_reaches_a_vendor_is_a_number_of_a_plan(text, region):
    """It is valid, or possible and noted; and no zero is at the front of a national part that has none."""
    call = load_call("1", {CALLER: text}, first_received_us=RECEIVED_US, default_region=region)
    noted = "caller not verified" in call.notes
    if call.caller is None:
        assert not noted
        assert text == "" or any(note.startswith("caller is no possible number") for note in call.notes)
        return

    number = phonenumbers.parse(call.caller, None)
    assert call.caller == e164(number)
    assert phonenumbers.is_valid_number(number) is not noted
    assert ValidationResult.IS_POSSIBLE == phonenumbers.is_possible_number_with_reason(number)
    assert not (noted and phonenumbers.national_significant_number(number).startswith("0"))
    for phone_format in ("national", "e164", "digits"):
        sent = phone_for(call, phone_format=phone_format, region=region)
        assert valid(sent, region) or valid(f"+{sent}", None) or noted or not phonenumbers.is_valid_number(number)
        assert sent.removeprefix("+").isdigit()
        assert sent.isascii()


@given(digits=DIGITS, region=REGIONS)
@settings(max_examples=1_500, deadline=None)
@example(digits="447911123456", region="AU")
@example(digits="61412345678", region="US")
@example(digits="17702401012", region="GB")
def test_it_is_never_somebody_elses_number(digits, region):
    """With + it is that number; without, one that is valid at home is that, else one that is valid with + is that."""
    bare = digits.lstrip("+")
    with_plus = valid(f"+{bare}", None)
    at_home = None if digits.startswith(("+", "00")) else valid(digits, region)
    wanted = at_home or with_plus
    if wanted is None or bare in PLACEHOLDERS:
        return

    phone = read_phone(digits, default_region=region)
    assert phone is not None
    assert e164(wanted) == phone.e164


@given(digits=st.text("0123456789", min_size=1, max_size=15), region=REGIONS, plus=st.booleans())
@settings(max_examples=3_000, deadline=None)
def test_the_short_way_leads_where_the_library_does(digits, region, plus):
    """What is read without the library's parser is what its parser reads; wherever it would be valid at all."""
    short = numbering_plan.parse_ordinary(digits, plus=plus, region=region)
    if short is None or not phonenumbers.is_valid_number(short):
        return

    assert short == (phonenumbers.parse(f"+{digits}", None) if plus else phonenumbers.parse(digits, region))
    assert phonenumbers.region_code_for_number(short) == numbering_plan.region_of(short)
    usual = numbering_plan.read_usual(digits, plus=plus, region=region)
    assert usual in {None, (e164(short), numbering_plan.national_of(short), phonenumbers.region_code_for_number(short))}


@given(code=st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)), national=st.integers(1, 10**11))
@settings(max_examples=1_500, deadline=None)
def test_a_number_is_of_a_region_when_it_is_valid(code, national):
    """The question is put once instead of twice, and has the same answer."""
    number = PhoneNumber(country_code=code, national_number=national)

    assert (numbering_plan.region_of(number) is not None) is phonenumbers.is_valid_number(number)


def test_no_placeholder_is_a_number_with_a_plus_sign():
    """Otherwise somebody could not be called."""
    assert [] == [keys for keys in PLACEHOLDERS if valid(f"+{keys}", None)]


@given(text=TEXTS, region=REGIONS)
@settings(max_examples=500, deadline=None)
def test_the_old_reading_is_nobody_elses(text, region):
    """It is for looking things up, and what is found under it must not be another person's."""
    phone, old = read_phone(text, default_region=region), old_reading(text, default_region=region)

    assert old is None or phone is None or old == phone.e164 or valid(old, None) is None
