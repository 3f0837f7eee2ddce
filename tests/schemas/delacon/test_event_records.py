"""The canonical text of an event, and events of any bytes."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.delacon.events import UnusableBody, parse_record, read_event


def read(**keys):
    """Read the event of one call with these keys."""
    return read_event(json.dumps({"PLA_Call_Id": "1", **keys}).encode(), path_kind="either")


def test_equal_events_have_equal_records():
    """Order, blanks, empty values, escapes and a trailing comma make no difference."""
    one = read_event(b'{"PLA_Call_Id":"1","PLA_CID":"5","PLA_Keywords_Searched":"caf\\u00e9"}', path_kind="create")
    other = read_event(
        '{"PLA_Keywords_Searched": " café", "PLA_City": "", "PLA_CID": 5, "PLA_Call_Id": 1,}'.encode(),
        path_kind="either",
    )

    assert 's{"a":"5","l":"café"}' == one.record() == other.record()


def test_a_record_is_read_back():
    """The ledger's record gives the kind and the values again."""
    event = read(PLA_CallResult="Answered", note='a "b" \\ 😀')

    assert (event.kind, event.values) == parse_record(event.record())


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers() | st.booleans()), st.randoms())
@settings(deadline=None)
def test_shuffled_bodies_are_equal(keys, random):
    """Whatever the keys, their order changes nothing."""
    items = [*keys.items()]
    random.shuffle(items)

    assert read(**keys).record() == read(**dict(items)).record()


@given(st.binary(max_size=120) | st.text(alphabet='{}[],:"\\ 1.eu-dPLA_Cal', max_size=60).map(str.encode))
@settings(deadline=None, max_examples=500)
def test_bytes_give_an_event_or_a_refusal(body):
    """Whatever the bytes, nothing but UnusableBody is raised, and what is read can be recorded."""
    for whole in (body, b'{"PLA_Call_Id": "1", "k": ' + body + b"}"):
        try:
            event = read_event(whole, path_kind="either")
        except UnusableBody:
            continue

        assert (event.kind, event.values) == parse_record(event.record())
        assert event.record().encode()
        assert "PLA_Call_Id" not in event.values
