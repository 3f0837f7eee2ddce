"""Events are stored with short names of keys, and read back as they were."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.delacon.call_keys import DOCUMENTED_KEYS
from schemas.delacon.events import Event, parse_record
from schemas.delacon.key_codes import pack, unpack

KEYS = st.one_of(st.sampled_from(sorted(DOCUMENTED_KEYS)), st.text(max_size=3), st.text())


def test_every_documented_key_has_a_letter_of_its_own():
    """No key of the document is stored at its full length, and no two share a letter."""
    packed = pack(dict.fromkeys(DOCUMENTED_KEYS, ""))

    assert len(DOCUMENTED_KEYS) == len(packed)
    assert {1} == {len(letter) for letter in packed}


@given(st.dictionaries(KEYS, st.text()))
def test_what_is_packed_is_given_back(values):
    """Whatever a body's keys are called, even as our letters are, the values come back under their names."""
    assert values == unpack(pack(values))


def test_the_stored_form_is_kept():
    """A ledger of an earlier version is read by this one: letters keep their meaning."""
    values = {"PLA_CID": "123", "PLA_RecordingFile": "https://x", "PLA_New": "1", "a": "2", ".b": "3"}
    record = 's{"..b":"3",".a":"2","B":"https://x","PLA_New":"1","a":"123"}'

    assert record == Event("id", "s", values).record()
    assert ("s", values) == parse_record(record)


def test_a_record_with_whole_names_is_read():
    """Events that were stored before names were shortened are still events."""
    assert ("e", {"PLA_Duration": "7", "PLA_New": "1"}) == parse_record('e{"PLA_Duration":"7","PLA_New":"1"}')
