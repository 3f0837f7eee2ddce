"""Comunik8's options and the body of a lead."""

import json

import pytest
from marshmallow import ValidationError

from schemas.comunik8 import DAY_S, SPEC, fill_lead, lead_body, page_url
from tests.destinations import make_destination

TABLE = {"api_key": "k" * 20, "type": "motor-trade", "email": "{caller_digits}@calls.example.com"}


def faults_of(table):
    """Return the faults of a table of Comunik8's own keys."""
    with pytest.raises(ValidationError) as caught:
        SPEC.options().load(table)
    return caught.value.messages


def test_the_smallest_table_has_the_documented_defaults():
    """No delay, no test, no withdrawal unless asked for; a call is worth a lead for a day."""
    options = SPEC.options().load(TABLE)

    assert (None, None, False, None) == (options.subtype, options.delay, options.test, options.cancel_when_answered)
    assert DAY_S == SPEC.max_age_s == 86400.0


def test_a_table_without_keys_names_all_that_are_required():
    """Delacon knows no e-mail address, so even that must be configured."""
    assert {"api_key", "type", "email"} == faults_of({}).keys()


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("delay", "10 minutes", "not a duration; write a number and a unit, such as 10s, 30m, 4h or 30d"),
        ("delay", 600, "must be a text"),
        ("cancel_when_answered", "off", "not a duration; write a number and a unit, such as 10s, 30m, 4h or 30d"),
        ("test", "true", "must be true or false, without quotation marks"),
        ("email", "{caller_digit}@x.example", "unknown name {caller_digit}"),
        ("email", "{caller_digits@x.example", "a lone '{'; write '{{' for a literal one"),
        ("type", "  ", "must not be empty"),
        ("api_key", "", "must not be empty"),
        ("api_key", "ключ", "must be visible ASCII characters without blanks"),
        ("api_key", "a\r\nb", "must be visible ASCII characters without blanks"),
    ],
)
def test_a_fault_says_what_would_be_right(key, value, fault):
    """Each wrong value is reported at its key, and a key's own value is never shown."""
    assert {key: [fault]} == faults_of({**TABLE, key: value})


def test_a_lead_holds_what_the_mapping_says(make_call):
    """Placeholders for what Delacon does not know, the type from the configuration, the rest as a JSON string."""
    call = make_call()
    body = lead_body(fill_lead(call, make_destination(SPEC)).values)
    data = str(body.pop("data"))

    assert {
        "mobile": "0491570156",
        "email": "61491570156@calls.example.com",
        "type": "motor-trade",
        "first_name": "Caller",
        "surname": "0491570156",
    } == body
    assert call.canonical() == json.loads(data)


def test_data_holds_every_canonical_field_that_is_not_empty(make_call):
    """The duration stays a number in it, the start is ISO 8601, unicode stays readable."""
    call = make_call(keywords="café ☎", city=None)
    data = fill_lead(call, make_destination(SPEC)).values["data"]

    assert "café ☎" in data
    assert 50 == json.loads(data)["duration"]
    assert "2026-03-02T00:12:17.003Z" == json.loads(data)["started_at"]
    assert "city" not in json.loads(data)


def test_the_options_go_out_when_set(make_call):
    """``delay`` goes out in seconds as the number ``delays``, ``test`` as the text "true"."""
    table = {"subtype": "valeter", "delay": "10m", "test": True}
    body = lead_body(fill_lead(make_call(), make_destination(SPEC, table)).values)

    assert ("valeter", 600, "true") == (body["subtype"], body["delays"], body["test"])


def test_fields_override_add_and_drop(make_call):
    """``other_phone`` can be added, ``data`` and ``subtype`` dropped; an overridden ``delays`` is a number too."""
    fields = {
        "other_phone": "{tracking_number}",
        "data": "",
        "subtype": "",
        "delays": "30",
        "type": "{service_category}",
    }
    destination = make_destination(SPEC, {"subtype": "valeter", "delay": "10m"}, fields=fields)
    body = lead_body(fill_lead(make_call(), destination).values)

    assert ("0255501234", 30, "Legal") == (body["other_phone"], body["delays"], body["type"])
    assert body.keys().isdisjoint({"data", "subtype"})


@pytest.mark.parametrize("action", ["add", "cancel"])
def test_the_key_stands_quoted_in_the_address(action):
    """A key may hold characters that mean something in a query."""
    destination = make_destination(SPEC, {"api_key": "a&b=c/d+e%"}, url="https://dialler.example.com/")

    assert f"https://dialler.example.com/lead/{action}?key=a%26b%3Dc%2Fd%2Be%25" == page_url(destination, action)


def test_the_key_is_in_no_repr():
    """Logs of a destination or of its options show no key."""
    destination = make_destination(SPEC, {"api_key": "very-secret-key"})

    assert "very-secret-key" not in repr(destination) + repr(destination.options)
