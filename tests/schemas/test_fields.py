"""Readers of Delacon's texts, and the helpers of the vendors' bodies."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from schemas.call import Call
from schemas.fields import Parsed, cut, phone_for, read_duration, read_epoch, read_result

MOMENT = datetime(2019, 5, 2, 0, 12, 17, 3_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("50s", 50),
        ("0s", 0),
        ("0", 0),
        ("80", 80),
        ("50.0", 50),
        ("1m 20s", 80),
        ("1m20s", 80),
        ("1M 20S", 80),
        ("1 min 20 sec", 80),
        ("2 minutes", 120),
        ("1h 2m", 3_720),
        ("1 hr 2 mins 3 seconds", 3_723),
        ("1h", 3_600),
        ("90s", 90),
        ("00:01:20", 80),
        ("1:20", 80),
        ("01:00:00", 3_600),
        ("90:00", 5_400),
        ("00:01:20.500", 80),
        (" 50s ", 50),
    ],
)
def test_a_duration_is_whole_seconds(text, seconds):
    """Every form that the contract names is read, and its close relatives."""
    assert seconds == read_duration(text)


@pytest.mark.parametrize(
    "text", ["", "abc", "-5", "s", "h m s", "1:2:3:4", "1:75", ":20", "1d", "٥٠", "1e5", "9" * 5_000, "50s s", "20s 1m"]
)
def test_an_unknown_form_of_duration_is_none(text):
    """What cannot be read is not guessed at."""
    assert read_duration(text) is None


@pytest.mark.parametrize(
    "text, moment",
    [
        ("00000001556755937003", MOMENT),
        ("1556755937003", MOMENT),
        ("1556755937", MOMENT.replace(microsecond=0)),
        ("0001556755937", MOMENT.replace(microsecond=0)),
        (" 1556755937003 ", MOMENT),
    ],
)
def test_an_epoch_is_milliseconds_or_seconds(text, moment):
    """Thirteen digits after the zeros are milliseconds, ten are seconds."""
    assert moment == read_epoch(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "00000000000000000000",
        "155675593700",
        "15567559370031",
        "-1556755937003",
        "1556755937003.0",
        "²" * 13,
        "x",
        "2019-05-02T00:12:17Z",
    ],
)
def test_another_time_is_none(text):
    """Any other count of digits is no time since 2001."""
    assert read_epoch(text) is None


@pytest.mark.parametrize(
    "text, result",
    [
        ("Answered", "answered"),
        ("ANSWERED", "answered"),
        ("Unanswered", "unanswered"),
        ("Not Answered", "unanswered"),
        ("No Answer", "unanswered"),
        ("Missed", "unanswered"),
        ("Busy", "busy"),
        ("Voicemail", "voicemail"),
        ("Straße", "straße"),
    ],
)
def test_a_result_is_one_of_three_or_the_lower_case_text(text, result):
    """The three meanings have one spelling each, and anything else stays readable."""
    assert result == read_result(text)


class TestParsed:
    """The marshmallow field."""

    schema = Schema.from_dict({"seconds": Parsed(read_duration, data_key="PLA_Duration")})()

    def test_it_reads_its_key(self):
        """The function's value is loaded, and an absent key loads nothing."""
        assert {"seconds": 50} == self.schema.load({"PLA_Duration": "50s"})
        assert {} == self.schema.load({})

    def test_none_is_a_fault_of_its_key(self):
        """What the function cannot read is a ValidationError under the wire key."""
        with pytest.raises(ValidationError) as caught:
            self.schema.load({"PLA_Duration": "soon"})

        assert {"PLA_Duration": ["unreadable"]} == caught.value.messages


class TestPhoneFor:
    """The caller as a destination wants it."""

    caller = Call(
        call_id="1",
        started_at=MOMENT,
        caller="+61444444444",
        caller_digits="61444444444",
        caller_national="0444444444",
        country="AU",
    )

    @pytest.mark.parametrize(
        "phone_format, region, text",
        [
            ("national", "AU", "0444444444"),
            ("national", "US", "+61444444444"),
            ("e164", "AU", "+61444444444"),
            ("digits", "AU", "61444444444"),
        ],
    )
    def test_each_format_has_its_text(self, phone_format, region, text):
        """National is for numbers of the destination's own country."""
        assert text == phone_for(self.caller, phone_format=phone_format, region=region)

    @pytest.mark.parametrize("phone_format", ["national", "e164", "digits"])
    def test_a_withheld_caller_is_empty_text(self, phone_format):
        """There is nothing to write."""
        withheld = Call(call_id="1", started_at=MOMENT)

        assert phone_for(withheld, phone_format=phone_format, region="AU") == ""


class TestCut:
    """Texts cut to a vendor's limit."""

    @pytest.mark.parametrize(
        "text, limit, expected",
        [
            ("", 5, ("", False)),
            ("abcde", 5, ("abcde", False)),
            ("abcdef", 5, ("abcde", True)),
            ("😀" * 6, 5, ("😀" * 5, True)),
            ("abcde\u0301", 5, ("abcd", True)),
            ("abcd\U0001f468\u200d\U0001f469", 5, ("abcd", True)),
            ("abcd\U0001f468\u200d\U0001f469", 6, ("abcd", True)),
            ("e" + "\u0301" * 40, 30, ("e" + "\u0301" * 29, True)),
            ("e\u0301", 1, ("e", True)),
            ("abc", 0, ("", True)),
        ],
    )
    def test_an_accent_stays_with_its_letter(self, text, limit, expected):
        """Limits count characters, and a letter is not left without its mark unless nothing else would be left."""
        assert expected == cut(text, limit)

    @given(st.text(alphabet="ab\u0301\u200d\ufe0f😀", max_size=60), st.integers(0, 50))
    @settings(deadline=None)
    def test_a_cut_is_a_near_full_beginning(self, text, limit):
        """What is kept is the text's beginning, within the limit and short of it by less than one cluster."""
        kept, was_cut = cut(text, limit)

        assert text.startswith(kept)
        assert was_cut == (len(text) > limit)
        assert len(kept) <= limit
        assert not was_cut or len(kept) > limit - 16 or len(kept) == limit
