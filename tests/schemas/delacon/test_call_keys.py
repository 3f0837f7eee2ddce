"""Merged keys loaded into a call."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.call import CANONICAL
from schemas.delacon.call_keys import DOCUMENTED_KEYS, CallKeys, load_call, load_keys

RECEIVED = datetime(2026, 11, 21, 9, 30, 0, 123_456, tzinfo=UTC)
REPLACED = "started_at replaced by the receipt"
ANY_KEY = st.sampled_from(sorted(DOCUMENTED_KEYS)) | st.text(max_size=8)


def load(values, *, region="AU", received=RECEIVED):
    """Load the keys of a call that was received at the sample moment."""
    received_us = (received - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return load_call("1122334", values, first_received_us=received_us, default_region=region)


def milliseconds(moment):
    """Write a moment as Delacon does."""
    return str((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)).zfill(20)


def by_marshmallow(values):
    """Load keys as the schema itself does, and return what it refuses."""
    try:
        return CallKeys(partial=True).load(values), set()
    except ValidationError as error:
        return error.valid_data, set(error.messages)


@given(values=st.dictionaries(ANY_KEY, st.text() | st.sampled_from(["50s", "1556755937003", "Answered"]), max_size=30))
@settings(max_examples=300, deadline=None)
def test_the_plan_loads_what_the_schema_does(values):
    """The plan is the schema's, without its machinery: the same values, the same refusals."""
    assert by_marshmallow(values) == load_keys(values)


class TestStart:
    """When the call started."""

    @pytest.mark.parametrize("ahead", [timedelta(days=-9_000), timedelta(0), timedelta(hours=23, minutes=59)])
    def test_a_plausible_start_stands(self, ahead):
        """A call may be old, and a clock may run up to a day ahead of ours."""
        start = RECEIVED.replace(microsecond=3_000) + ahead
        call = load({"PLA_CallStartTime": milliseconds(start)})

        assert start == call.started_at
        assert call.notes == ()

    @pytest.mark.parametrize(
        "text", [None, "0", "soon", "00000000000155675593", milliseconds(RECEIVED + timedelta(days=1, seconds=1))]
    )
    def test_any_other_is_replaced_by_the_receipt(self, text):
        """A missing, unreadable or implausible start is the receipt of the first event, and noted."""
        call = load({} if text is None else {"PLA_CallStartTime": text})

        assert RECEIVED == call.started_at
        assert (REPLACED,) == call.notes
        assert text == call.raw.get("PLA_CallStartTime")


class TestCaller:
    """Who called."""

    def test_a_caller_has_all_its_forms(self):
        """One number gives the caller, its digits, its national form and its country."""
        call = load({"PLA_Caller_Phone_Number": "07840 258823"}, region="GB")

        assert ("+447840258823", "447840258823", "07840258823", "GB") == (
            call.caller,
            call.caller_digits,
            call.caller_national,
            call.country,
        )

    @pytest.mark.parametrize(
        "text, masked",
        [("anonymous", "anonymous"), ("+", "+"), ("0", "#"), ("12", "##"), ("6.14123E+10", "#.#####E+##")],
    )
    def test_no_possible_number_counts_as_absent(self, text, masked):
        """A withheld caller is absent in every form; the raw text stays, and a note shows it without its digits."""
        call = load({"PLA_Caller_Phone_Number": text, "PLA_CallStartTime": milliseconds(RECEIVED)})

        assert [None] * 4 == [call.caller, call.caller_digits, call.caller_national, call.country]
        assert text == call.raw["PLA_Caller_Phone_Number"]
        assert (f"caller is no possible number: {masked}",) == call.notes

    def test_a_number_of_no_known_range_is_noted(self):
        """It is sent, for new area codes are of no known range either."""
        call = load({"PLA_Caller_Phone_Number": "3105550702", "PLA_CallStartTime": milliseconds(RECEIVED)})

        assert ("+613105550702", ("caller not verified",)) == (call.caller, call.notes)

    @pytest.mark.parametrize(
        "text, region, caller, old",
        [
            ("0061491570156", "AU", "+61491570156", "+61061491570156"),
            ("447911123456", "AU", "+447911123456", "+61447911123456"),
            ("266696687", "AU", None, "+61266696687"),
            ("0491570156", "AU", "+61491570156", None),
            ("0018686201234", "AU", "+18686201234", None),
        ],
    )
    def test_what_versions_before_read_is_kept_to_look_things_up(self, text, region, caller, old):
        """Where it is another number, and not that of somebody else; it is no value of the call."""
        call = load({"PLA_Caller_Phone_Number": text}, region=region)

        assert (caller, old) == (call.caller, call.old_caller)
        assert "old_caller" not in call.canonical()

    def test_the_tracking_number_is_left_as_sent(self):
        """What was dialled is a label, not a number to write in forms."""
        assert "02 8888-9999" == load({"PLA_Number_Dialed": "02 8888-9999"}).tracking_number


class TestEnd:
    """How the call ended."""

    def test_an_unreadable_duration_is_absent_and_noted(self):
        """The raw text stays for whoever looks."""
        call = load({"PLA_Duration": "a while", "PLA_CallResult": "Answered"})

        assert call.duration is None
        assert "answered" == call.result
        assert "a while" == call.raw["PLA_Duration"]
        assert (REPLACED, "duration unreadable") == tuple(sorted(call.notes, reverse=True))

    def test_two_faults_do_not_hide_the_rest(self):
        """A bad start and a bad duration leave every other key in place."""
        call = load({"PLA_Duration": "?", "PLA_CallStartTime": "?", "PLA_City": "Ultimo"})

        assert "Ultimo" == call.city
        assert 2 == len(call.notes)

    def test_a_duration_of_nothing_is_zero(self):
        """Zero seconds are a duration."""
        assert 0 == load({"PLA_Duration": "0s"}).canonical()["duration"]

    def test_the_recording_is_as_sent(self):
        """Nothing is added to the recording's address."""
        url = "https://pla.delaconcorp.com/x.wav?a=b"

        assert url == load({"PLA_RecordingFile": url}).recording_url

    @pytest.mark.parametrize(
        ("url", "for_a_player"),
        [
            ("https://pla.example.com/x.wav", "https://pla.example.com/x.wav?mode=direct"),
            ("https://pla.example.com/x?id=1&k=a%20b", "https://pla.example.com/x?id=1&k=a%20b&mode=direct"),
            ("https://pla.example.com/x?", "https://pla.example.com/x?mode=direct"),
            ("https://pla.example.com/x?mode=direct", "https://pla.example.com/x?mode=direct"),
            ("https://pla.example.com/x?mode=page&a=1&", "https://pla.example.com/x?a=1&mode=direct"),
            ("https://pla.example.com/x?modern=1", "https://pla.example.com/x?modern=1&mode=direct"),
            ("https://pla.example.com/x?a=1#t=10", "https://pla.example.com/x?a=1&mode=direct#t=10"),
        ],
    )
    def test_the_recording_for_a_player_has_the_mode_that_delacon_names(self, url, for_a_player):
        """In the query, once, and before the fragment; the rest stays as it was sent."""
        call = load({"PLA_RecordingFile": url})

        assert for_a_player == call.recording_player_url == call.text("recording_player_url")

    def test_without_a_recording_there_is_none_for_a_player(self):
        """An absent value stays absent."""
        assert load({}).recording_player_url is None


class TestCampaign:
    """gclid and utm from the landing page."""

    def test_the_query_gives_them(self):
        """Values are decoded and trimmed, names may have any letter case."""
        call = load(
            {
                "PLA_Landing_Page": "https://x.example/p?a=1&gclid=Cj0_-x&UTM_Source=google&utm_medium=cpc"
                "&utm_campaign=Caf%C3%A9+%26+Bar&utm_term=%20&utm_content=a&utm_content=b#utm_term=no"
            }
        )

        assert ("Cj0_-x", "google", "cpc", "Café & Bar", None, "a") == (
            call.gclid,
            call.utm_source,
            call.utm_medium,
            call.utm_campaign,
            call.utm_term,
            call.utm_content,
        )

    @pytest.mark.parametrize("url", ["", "x", "https://[bad?", "?", "https://x/#?gclid=1", "https://x/gclid=1", "%ff"])
    def test_a_page_without_them_gives_none(self, url):
        """No text of a landing page is an obstacle."""
        assert load({"PLA_Landing_Page": url, "PLA_SESSID": "session"}).gclid is None

    def test_bytes_that_are_no_text_are_replaced(self):
        """A badly encoded value can still be written as UTF-8."""
        assert "\ufffd" == load({"PLA_Landing_Page": "https://x/?gclid=%ff"}).gclid


class TestWhole:
    """The schema as a whole."""

    def test_every_documented_key_reaches_the_call(self):
        """Each canonical field but those made of others has one key of Delacon's."""
        made = {"caller_digits", "caller_national", "country"}
        made |= {"gclid", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"}
        values = {key: f"https://x/?{key}" for key in DOCUMENTED_KEYS} | {
            "PLA_Caller_Phone_Number": "+61444444444",
            "PLA_CallStartTime": milliseconds(RECEIVED),
            "PLA_Duration": "50s",
        }
        canonical = load(values).canonical()

        assert {"call_id"} | set(CANONICAL) == canonical.keys() | made | {"first_call"}
        assert 28 == len(DOCUMENTED_KEYS)

    def test_raw_holds_all_that_was_sent(self):
        """Unknown keys are readable by templates, and so is the id."""
        call = load({"PLA_assignee": "Ann", "PLA_CID": "5"})

        assert {"PLA_Call_Id": "1122334", "PLA_assignee": "Ann", "PLA_CID": "5"} == call.raw
        assert "Ann" == call.text("PLA_assignee")

    @given(st.dictionaries(ANY_KEY, st.text(min_size=1, max_size=30)), st.integers(-(10**20), 10**20))
    @settings(deadline=None)
    def test_any_keys_make_a_call(self, values, received_us):
        """Whatever the values and the moment, a call comes out, and no note tells a value's digits."""
        call = load_call("1", values, first_received_us=received_us, default_region="AU")

        assert call.canonical()["call_id"] == "1"
        assert call.started_at.tzinfo is UTC
        assert not any(character.isdigit() for note in call.notes for character in note)
