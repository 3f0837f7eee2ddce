"""Mappings: the configuration's fields over the defaults, and texts out of a call."""

import pytest

from schemas.kapture.customer import SPEC
from schemas.mapping import fill, mapping_in_force
from schemas.template import Template


def test_without_overrides_the_defaults_are_in_force():
    """Every default field is a parsed template."""
    fields, faults = mapping_in_force(SPEC, {})

    assert dict(SPEC.default_fields) == {key: template and template.source for key, template in fields.items()}
    assert {} == faults


def test_overrides_replace_add_and_drop():
    """``""`` drops an optional field, one that comes by code too."""
    fields, faults = mapping_in_force(SPEC, {"type": "{search_engine}", "zone": "3", "city": "", "classification": " "})

    assert (Template.parse("{search_engine}"), Template.parse("3")) == (fields["type"], fields["zone"])
    assert fields["city"] is fields["classification"] is None
    assert {} == faults


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ({"name": ""}, "kapture requires this field: it cannot be dropped"),
        ({"phone": "  "}, "kapture requires this field: it cannot be dropped"),
        ({"email": ""}, "kapture requires this field: it cannot be dropped"),
        ({"type": "{resutl}"}, "unknown name {resutl}"),
        ({"type": "{result"}, "a lone '{'; write '{{' for a literal one"),
        ({"": "x"}, "a field needs a name"),
    ],
)
def test_a_fault_is_told_by_its_key(override, fault):
    """The settings put the place before it."""
    assert dict.fromkeys(override, fault) == mapping_in_force(SPEC, override)[1]


def test_a_template_goes_before_the_text_by_code(make_call):
    """Also where it is empty, and where it was dropped."""
    fields = {"a": Template.parse("{city}!"), "b": Template.parse("{state}"), "c": None}
    filled = fill(fields, make_call(city="Perth"), by_code={"a": "x", "b": "x", "c": "x", "d": "x"}, limits={})

    assert {"a": "Perth!", "d": "x"} == filled.values


def test_texts_are_trimmed_before_they_are_measured(make_call):
    """Blanks around a text neither count nor travel."""
    filled = fill({"a": Template.parse("  {city}  ")}, make_call(city="abc"), by_code={}, limits={"a": 3})

    assert ({"a": "abc"}, ()) == (filled.values, filled.notes)


def test_a_cut_leaves_no_blank_at_the_end(make_call):
    """The note tells lengths, never content."""
    filled = fill({"a": Template.parse("ab cdef")}, make_call(), by_code={}, limits={"a": 3})

    assert ({"a": "ab"}, ("a cut from 7 to 3 characters",)) == (filled.values, filled.notes)
