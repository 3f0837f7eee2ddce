"""Delacon's bodies read into events."""

import json
from pathlib import Path

import pytest

from schemas.delacon.events import MAX_UNKNOWN, Event, UnusableBody, read_event

DATA = Path(__file__).parents[1] / "data"


def read(**keys):
    """Read the event of one call with these keys, posted where either event may be."""
    return read_event(json.dumps({"PLA_Call_Id": "1", **keys}).encode(), path_kind="either")


class TestDocument:
    """The two bodies of Delacon's document, as they stand there."""

    def test_the_create_body_is_a_start(self):
        """The document's first body is read whole."""
        event = read_event((DATA / "delacon_create.json").read_bytes(), path_kind="create")

        assert ("1122334", "s") == (event.call_id, event.kind)
        assert 18 == len(event.values)
        assert "+61444444444" == event.values["PLA_Caller_Phone_Number"]
        assert "00000001556755937003" == event.values["PLA_CallStartTime"]
        assert "https://www.delaconconcorp.com.au?gclid=C152ddsa12213123132" == event.values["PLA_Landing_Page"]

    def test_the_update_body_is_a_whole_end(self):
        """The second body's trailing comma and leading space are no obstacle."""
        event = read_event((DATA / "delacon_update.json").read_bytes(), path_kind="update")

        assert "1122334" == event.call_id
        assert "e" == event.kind
        assert {
            "PLA_CID": "123",
            "PLA_Answering_Point": "029898989",
            "PLA_CallResult": "Answered",
            "PLA_Duration": "50s",
            "PLA_VoicemailLeft": "Yes",
            "PLA_SurveyOutcome": "Sale",
            "PLA_SurveySaleAmount": "abc",
            "PLA_Converted": "Y",
            "PLA_dtmf": "1234",
            "PLA_RecordingFile": "https://pla.delaconcorp.com......abc.wav",
        } == event.values


class TestKind:
    """Which event a body is."""

    @pytest.mark.parametrize("path_kind", ["create", "update", "either"])
    @pytest.mark.parametrize(
        "keys, kind",
        [
            (["PLA_Caller_Phone_Number"], "s"),
            (["PLA_CallStartTime"], "s"),
            (["PLA_CallResult"], "e"),
            (["PLA_Duration", "PLA_RecordingFile"], "e"),
            (["PLA_Answering_Point"], "p"),
            (["PLA_RecordingFile"], "p"),
            (["PLA_CallStartTime", "PLA_CallResult"], "c"),
            (["PLA_Caller_Phone_Number", "PLA_Duration", "PLA_Answering_Point"], "c"),
            (["PLA_Caller_Phone_Number", "PLA_RecordingFile"], "q"),
        ],
    )
    def test_the_keys_decide(self, keys, kind, path_kind):
        """Where the keys tell the event, the path does not matter."""
        body = json.dumps({"PLA_Call_Id": "1", "PLA_CID": "9", **dict.fromkeys(keys, "x")}).encode()

        assert kind == read_event(body, path_kind=path_kind).kind

    @pytest.mark.parametrize("path_kind, kind", [("create", "s"), ("update", "p"), ("either", "s")])
    def test_the_path_decides_where_the_keys_do_not(self, path_kind, kind):
        """A key that is empty counts as absent, so it tells nothing."""
        body = b'{"PLA_Call_Id": "1", "PLA_CID": "9", "PLA_CallResult": " ", "PLA_CallStartTime": null}'

        assert kind == read_event(body, path_kind=path_kind).kind


class TestCallId:
    """What makes a usable PLA_Call_Id."""

    @pytest.mark.parametrize(
        "sent, call_id",
        [
            ('"1122334"', "1122334"),
            ('"  a:b/ü \\n"', "a:b/ü"),
            ("1122334", "1122334"),
            ("0", "0"),
            ("1.10", "1.10"),
            ("123456789012345678901234", "123456789012345678901234"),
            ('"true"', "true"),
            (f'"{"x" * 100}"', "x" * 100),
            (f'" {"😀" * 100} "', "😀" * 100),
        ],
    )
    def test_a_text_or_a_number_is_an_id(self, sent, call_id):
        """An id is trimmed, counted in characters, and a number is its JSON text."""
        assert call_id == read_event(f'{{"PLA_Call_Id": {sent}}}'.encode(), path_kind="create").call_id

    @pytest.mark.parametrize(
        "sent",
        ['""', '"  "', "null", "true", "false", "{}", "[]", '["1"]', f'"{"x" * 101}"', "9" * 101, '"a\\u0000b"']
        + [f'"a\\u{code:04x}b"' for code in (0x09, 0x0A, 0x1F, 0x7F, 0x85, 0x9F, 0xD800, 0xDFFF, 0xFFFD)],
    )
    def test_anything_else_is_unusable(self, sent):
        """An id is a text or a number: not empty, not too long, without control characters and half characters."""
        with pytest.raises(UnusableBody, match="PLA_Call_Id"):
            read_event(f'{{"PLA_Call_Id": {sent}, "PLA_CallResult": "Answered"}}'.encode(), path_kind="update")

    def test_blanks_around_its_name_do_not_hide_it(self):
        """Names are trimmed as values are."""
        assert Event("7", "e", {"PLA_Duration": "5s", "X": "1"}) == read_event(
            b'{" PLA_Call_Id ": "7", "PLA_Duration\\n": "5s", " X": 1}', path_kind="create"
        )

        with pytest.raises(UnusableBody):
            read_event(b'{"PLA_Call_Id ": true}', path_kind="create")

    @pytest.mark.parametrize("body", [b"{}", b"[]", b"nonsense 61444444444", b'{"PLA_CID": "61444444444"}'])
    def test_the_refusal_says_nothing_of_the_body(self, body):
        """The error's text goes into answers and logs, so no number may stand in it."""
        with pytest.raises(UnusableBody) as caught:
            read_event(body, path_kind="either")

        assert not any(character.isdigit() for character in str(caught.value))
        assert caught.value.args[0]


class TestUnknownKeys:
    """Keys that Delacon's document does not name."""

    def test_they_are_kept(self):
        """An account's extra keys stay beside the documented ones."""
        assert {"PLA_assignee": "Ann", "n": "1.10", "o": '{"a":1}'} == read(
            PLA_assignee=" Ann ", n="1.10", o={"a": 1}
        ).values

    def test_at_most_16_kb_of_them_are_kept(self):
        """What goes beyond is dropped, the documented keys never."""
        unknown = {f"x{number:02}": "é" * 1_000 for number in range(20)}
        event = read(PLA_Keywords_Searched="k" * 30_000, **unknown)

        assert {"PLA_Keywords_Searched", *(f"x{number:02}" for number in range(8))} == event.values.keys()
        assert MAX_UNKNOWN >= sum(len((key + text).encode()) for key, text in event.values.items() if key[0] == "x")

    def test_their_order_does_not_matter(self):
        """Two bodies that differ in the order of keys alone are one event, also beyond the limit."""
        unknown = {f"x{number:02}": "y" * 1_000 for number in range(20)}

        assert read(**unknown).record() == read(**dict(reversed(unknown.items()))).record()

    def test_one_that_is_too_large_leaves_room_for_the_others(self):
        """A single huge value does not push out the small ones."""
        assert {"b": "2"} == read(a="x" * MAX_UNKNOWN, b="2").values
