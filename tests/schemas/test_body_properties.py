"""Facts that hold for every call, however odd."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime

import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas import captorra, comunik8
from schemas.call import CANONICAL, Call
from schemas.kapture import customer
from schemas.mapping import fill
from tests.destinations import make_destination

_TEXT = st.one_of(
    st.none(),
    st.text(min_size=1, max_size=40),
    st.builds(
        lambda unit, times: unit * times,
        st.sampled_from(["x", "é", "e\u0301", "👩‍⚖️", "\u0000", "} {"]),
        st.integers(1, 700),
    ),
)
_TEXT_FIELDS = [f.name for f in fields(Call) if f.name in CANONICAL and f.name not in {"started_at", "duration"}]
_CALLS = st.builds(
    Call,
    **{name: _TEXT for name in _TEXT_FIELDS if name != "call_id"},
    call_id=st.text(min_size=1, max_size=100),
    started_at=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  bounds
    duration=st.one_of(st.none(), st.integers(0, 10**12)),
)
_CAPTORRA = make_destination(captorra.SPEC, {"timezone": "Europe/London"})
_COMUNIK8 = make_destination(comunik8.SPEC, {"subtype": "valeter", "delay": "10m"})
_KAPTURE = make_destination(customer.SPEC)


@given(_CALLS)
def test_no_limit_of_captorra_is_ever_exceeded(call):
    """Whatever the call, every value is a text within the document's limit, and every cut is noted."""
    filled = captorra.fill_body(call, _CAPTORRA)

    assert all(0 < len(value) <= captorra.LIMITS.get(key, 20) for key, value in filled.values.items())
    assert filled.values.keys() <= {*captorra.LIMITS, "CaptorraId", "Date"}
    whole = fill(_CAPTORRA.fields, call, by_code={}, limits={}).values
    cut = {key for key, text in whole.items() if len(text) > captorra.LIMITS[key]}
    assert cut <= {note.split()[0] for note in filled.notes}


@given(_CALLS)
def test_every_body_can_be_written_as_json(call):
    """No call makes a body that cannot be sent, or a value that is empty."""
    bodies: list[Mapping[str, object]] = [
        captorra.fill_body(call, _CAPTORRA).values,
        comunik8.lead_body(comunik8.fill_lead(call, _COMUNIK8).values),
        customer.fill_customer(call, _KAPTURE).values,
        customer.update_of(customer.fill_customer(call, _KAPTURE), call).values,
    ]

    assert bodies == [orjson.loads(orjson.dumps(body)) for body in bodies]
    assert all(value not in {"", None} for body in bodies for value in body.values())


@given(_CALLS)
def test_comunik8s_data_is_a_text_that_holds_the_call(call):
    """JSON inside JSON gives back what went in."""
    data = comunik8.fill_lead(call, _COMUNIK8).values["data"]

    assert call.canonical() == orjson.loads(data)
