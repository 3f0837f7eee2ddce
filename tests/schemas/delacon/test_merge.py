"""A call's events merged into the call."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.call import Call
from schemas.delacon.call_keys import DOCUMENTED_KEYS
from schemas.delacon.events import END_KEYS, StoredEvent, merge, parse_record, read_event

DATA = Path(__file__).parents[1] / "data"
FIRST_US = 1_763_717_400_000_000
STORED = st.builds(
    StoredEvent,
    received_us=st.integers(FIRST_US, FIRST_US + 3),
    kind=st.sampled_from("sepcq"),
    values=st.dictionaries(
        st.sampled_from([*sorted(DOCUMENTED_KEYS), "x", "y"]), st.sampled_from(["1", "2", "50s"]), max_size=4
    ),
)


def event(second, kind, **values):
    """Make a stored event, received that many seconds after the first."""
    return StoredEvent(FIRST_US + second * 1_000_000, kind, values)


def merged(*events):
    """Merge events of one call."""
    return merge("1122334", events, default_region="AU")


class TestDocument:
    """The document's two bodies, from the wire to the call."""

    @pytest.mark.parametrize("order", [("create", "update"), ("update", "create")])
    def test_both_bodies_make_the_call(self, order):
        """Start and end make one whole call, whichever arrives first."""
        events = []
        for position, path_kind in enumerate(order):
            read = read_event((DATA / f"delacon_{path_kind}.json").read_bytes(), path_kind=path_kind)
            kind, values = parse_record(read.record())
            events.append(StoredEvent(FIRST_US + position, kind, values))
        result = merge("1122334", events, default_region="AU")

        assert (
            Call(
                call_id="1122334",
                service_id="123",
                service_name="abc",
                service_category="abc",
                dealer_id="abc",
                caller="+61444444444",
                caller_digits="61444444444",
                caller_national="0444444444",
                country="AU",
                exchange="abc",
                city="abc",
                state="abc",
                tracking_number="0288889999",
                search_engine="abc",
                search_type="abc",
                keywords="abc",
                referrer="abc",
                session_id="Cuei212417iiyskskiidfsikks",
                ga_client_id="123456.4567",
                started_at=datetime(2019, 5, 2, 0, 12, 17, 3_000, tzinfo=UTC),
                landing_page="https://www.delaconconcorp.com.au?gclid=C152ddsa12213123132",
                page_called_from="https://www.delaconcorp.com/contact_us",
                answering_point="029898989",
                result="answered",
                duration=50,
                voicemail_left="Yes",
                survey_outcome="Sale",
                survey_sale_amount="abc",
                converted="Y",
                ivr_option="1234",
                recording_url="https://pla.delaconcorp.com......abc.wav",
                recording_player_url="https://pla.delaconcorp.com......abc.wav?mode=direct",
                gclid="C152ddsa12213123132",
                raw=result.call.raw,
            )
            == result.call
        )
        told = result.arrivals
        assert (1, True, True, True) == (result.revision, told.has_start, told.has_end, told.whole)
        assert {FIRST_US, FIRST_US + 1} == {told.first_start_us, told.first_end_us}
        assert 28 == len(result.call.raw)


class TestLayers:
    """Which value stands."""

    def test_the_later_received_start_wins_key_by_key(self):
        """It overrides the keys it carries and leaves the others, whichever enters the ledger first."""
        result = merged(event(9, "s", PLA_City="new"), event(0, "s", PLA_City="old", PLA_State="NSW"))

        assert ("new", "NSW") == (result.call.city, result.call.state)

    @pytest.mark.parametrize("start_second", [0, 5])
    def test_an_end_stands_over_a_start(self, start_second):
        """Where both carry a key the end's value stands, even when the start comes later."""
        result = merged(event(start_second, "s", PLA_CID="1", x="1"), event(3, "e", PLA_CID="2", x="2"))

        assert ("2", "2") == (result.call.service_id, result.call.text("x"))

    def test_a_complete_event_is_a_start_and_an_end(self):
        """A later start may correct its start keys, and a later end its end keys."""
        complete = event(0, "c", PLA_City="old", PLA_CallResult="Busy", PLA_Duration="1s")
        result = merged(complete, event(1, "s", PLA_City="new"), event(2, "e", PLA_CallResult="Answered"))

        assert ("new", "answered", 1) == (result.call.city, result.call.result, result.call.duration)

    def test_a_complete_event_stands_over_an_earlier_end(self):
        """It is an end itself, also where it carries a start's key, or one that nobody knows."""
        end, complete = event(0, "e", x="1", PLA_CID="1", PLA_City="Perth"), event(1, "c", x="2", PLA_CID="2")
        call = merged(end, complete, event(2, "s", x="3")).call

        assert ("2", "2", "Perth") == (call.text("x"), call.service_id, call.city)

    def test_a_missing_start_time_is_the_first_receipt(self):
        """The earliest event of any kind gives it."""
        call = merged(event(7, "s", PLA_City="x"), event(2, "e", PLA_CallResult="Busy")).call
        assert FIRST_US + 2_000_000 == call.started_at.timestamp() * 1_000_000


class TestProgress:
    """What is in, and how often it changed."""

    @pytest.mark.parametrize(
        "kinds, revision, inside",
        [
            ("s", 1, "start"),
            ("e", 1, "end"),
            ("p", 1, "end"),
            ("c", 1, "start end whole"),
            ("q", 1, "start end"),
            ("se", 1, "start end whole"),
            ("es", 1, "start end whole"),
            ("sp", 1, "start end"),
            ("spe", 2, "start end whole"),
            ("qe", 2, "start end whole"),
            ("ss", 2, "start"),
            ("sese", 3, "start end whole"),
            ("sc", 2, "start end whole"),
            ("cs", 2, "start end whole"),
            ("cc", 2, "start end whole"),
            ("sece", 3, "start end whole"),
        ],
    )
    def test_the_kinds_tell(self, kinds, revision, inside):
        """A second event of a kind already in makes a revision; a partial end is no whole one."""
        result = merged(*(event(second, kind, n=str(second)) for second, kind in enumerate(kinds)))

        arrivals = result.arrivals
        told = {"start": arrivals.has_start, "end": arrivals.has_end, "whole": arrivals.whole}

        assert revision == result.revision
        assert inside.split() == [name for name, is_in in told.items() if is_in]

    def test_the_first_receipts_are_told(self):
        """Waits are counted from the first start and the first end."""
        result = merged(event(5, "e"), event(3, "p"), event(4, "s"), event(9, "c")).arrivals

        assert FIRST_US + 4_000_000 == result.first_start_us
        assert FIRST_US + 3_000_000 == result.first_end_us
        assert merged(event(0, "e")).arrivals.first_start_us is None
        assert merged(event(0, "s")).arrivals.first_end_us is None

    def test_end_keys_are_documented(self):
        """The two layers share out the document's keys."""
        assert END_KEYS < DOCUMENTED_KEYS


@given(st.lists(STORED, max_size=5), st.randoms())
@settings(deadline=None)
def test_the_order_of_arrival_changes_nothing(events, random):
    """Only the times of receipt count, and ties among them are broken alike everywhere."""
    shuffled = [*events]
    random.shuffle(shuffled)

    assert merged(*events) == merged(*shuffled)


@given(
    st.lists(
        st.builds(
            StoredEvent,
            received_us=st.integers(),
            kind=st.sampled_from("sepcq"),
            values=st.dictionaries(st.text(), st.text()),
        )
    )
)
@settings(deadline=None)
def test_any_events_make_a_call(events):
    """Whatever the records, merging raises nothing."""
    assert "1122334" == merged(*events).call.call_id
