"""Templates over a call."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.call import CANONICAL, Call
from schemas.template import Template

CALL = Call(
    call_id="1122334",
    caller="+61444444444",
    caller_digits="61444444444",
    started_at=datetime(2019, 5, 2, 0, 12, 17, 3_000, tzinfo=UTC),
    duration=0,
    raw={"PLA_assignee": "Ann", "PLA_Duration": "0s"},
)


def render(source):
    """Fill a template from the sample call."""
    return Template.parse(source).render(CALL.text)


@pytest.mark.parametrize(
    "source, text",
    [
        ("", ""),
        ("plain", "plain"),
        ("{caller_digits}@calls.example.com", "61444444444@calls.example.com"),
        ("Caller {caller}", "Caller +61444444444"),
        ("{started_at}", "2019-05-02T00:12:17.003Z"),
        ("{duration}", "0"),
        ("{PLA_assignee}/{PLA_Duration}", "Ann/0s"),
        ("{PLA_Nothing}{city}", ""),
        ("{{caller}}", "{caller}"),
        ("{{{caller}}}", "{+61444444444}"),
        ("}}{{", "}{"),
        ("%s {call_id} $x \\", "%s 1122334 $x \\"),
    ],
)
def test_names_are_filled_and_all_else_stays(source, text):
    """Only a name in braces is replaced; an absent value is empty text, doubled braces are literal."""
    assert text == render(source)


@pytest.mark.parametrize(
    "source, complaint",
    [
        ("{", "lone '{'"),
        ("a } b", "lone '}'"),
        ("{{}", "lone '}'"),
        ("{}", "unknown name {}"),
        ("{nobody}", "unknown name {nobody}"),
        ("{ caller }", "unknown name"),
        ("{caller!r}", "unknown name"),
        ("{caller.__class__}", "unknown name"),
        ("{caller:>20}", "unknown name"),
        ("{raw}", "unknown name"),
        ("{notes}", "unknown name"),
        ("{pla_cid}", "unknown name"),
        ("{call{id}}", "lone '{'"),
    ],
)
def test_an_unknown_name_or_a_lone_brace_is_a_fault(source, complaint):
    """Nothing is evaluated: no attribute, no format, no name beyond the contract's."""
    with pytest.raises(ValueError, match=complaint.replace("{", r"\{").replace("}", r"\}")):
        Template.parse(source)


@pytest.mark.parametrize("name", CANONICAL)
def test_every_canonical_name_is_known(name):
    """The names of contract section 5 are the names of the call."""
    assert CALL.text(name) == render(f"{{{name}}}")


def test_a_value_is_not_read_as_a_template():
    """What a caller's data holds is never filled in again."""
    call = Call(call_id="{caller}", started_at=CALL.started_at)

    assert "{caller}" == Template.parse("{call_id}").render(call.text)


@given(st.text())
@settings(deadline=None)
def test_any_text_with_doubled_braces_is_itself(text):
    """Doubling every brace makes any text literal."""
    assert text == render(text.replace("{", "{{").replace("}", "}}"))
