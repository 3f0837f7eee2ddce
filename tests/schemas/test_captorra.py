"""Captorra's options and the body of a post."""

from datetime import UTC, datetime

import pytest
from marshmallow import ValidationError

from schemas.captorra import LIMITS, SPEC, fill_body, us_date
from schemas.zones import zones
from tests.destinations import make_destination


def faults_of(table):
    """Return the faults of a table of Captorra's own keys."""
    with pytest.raises(ValidationError) as caught:
        SPEC.options().load(table)
    return caught.value.messages


def test_the_smallest_table_has_the_documented_defaults():
    """Only the organisation and the time zone must be configured; the wire key is CaptorraId."""
    options = SPEC.options().load({"captorra_id": "111111", "timezone": "America/New_York"})

    assert "111111" == options.captorra_id
    assert options.referrer is None
    assert "America/New_York" == options.timezone.key
    assert "CaptorraId" == options.id_key


def test_a_table_without_keys_names_both():
    """All faults come at once."""
    assert {"captorra_id": ["is required"], "timezone": ["is required"]} == faults_of({})


@pytest.mark.parametrize("zone", ["Mars/Olympus", "America", "", "../etc/passwd", "EST5EDT/x", "a\0b"])
def test_an_unknown_time_zone_is_a_fault(zone):
    """A zone that the database lacks, a folder of it and a path are refused."""
    assert ["timezone"] == list(faults_of({"captorra_id": "1", "timezone": zone}))


@pytest.mark.parametrize("captorra_id", ["1234567", "abc", "", True, 1.5, -1])
def test_the_organisation_is_a_number_of_at_most_six_digits(captorra_id):
    """The document says: integer, 6."""
    assert ["captorra_id"] == list(faults_of({"captorra_id": captorra_id, "timezone": "UTC"}))


def test_the_organisation_may_be_written_as_a_number():
    """It is sent as a string all the same."""
    assert "111111" == SPEC.options().load({"captorra_id": 111111, "timezone": "UTC"}).captorra_id


def test_the_referrer_must_be_a_guid():
    """A Referrer that is no GUID is refused at the start; braces and capitals are taken."""
    table = {"captorra_id": "1", "timezone": "UTC"}

    assert ["referrer"] == list(faults_of({**table, "referrer": "my-site"}))
    loaded = SPEC.options().load({**table, "referrer": "{6F9619FF-8B86-D011-B42D-00C04FC964FF}"})
    assert "6f9619ff-8b86-d011-b42d-00c04fc964ff" == loaded.referrer


@pytest.mark.parametrize(
    ("moment", "zone", "text"),
    [
        (datetime(2019, 5, 2, 0, 12, 17, tzinfo=UTC), "Australia/Sydney", "05/02/2019 10:12 AM"),
        (datetime(2019, 5, 2, 0, 12, 17, tzinfo=UTC), "America/New_York", "05/01/2019 8:12 PM"),
        (datetime(2018, 1, 1, 21, 0, tzinfo=UTC), "America/New_York", "01/01/2018 4:00 PM"),
        (datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC), "America/New_York", "03/08/2026 1:59 AM"),
        (datetime(2026, 3, 8, 7, 0, tzinfo=UTC), "America/New_York", "03/08/2026 3:00 AM"),
        (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "America/New_York", "11/01/2026 1:30 AM"),
        (datetime(2026, 11, 1, 6, 30, tzinfo=UTC), "America/New_York", "11/01/2026 1:30 AM"),
        (datetime(2026, 10, 3, 16, 0, tzinfo=UTC), "Australia/Sydney", "10/04/2026 3:00 AM"),
        (datetime(2026, 7, 1, 0, 5, tzinfo=UTC), "UTC", "07/01/2026 12:05 AM"),
        (datetime(2026, 7, 1, 12, 5, tzinfo=UTC), "UTC", "07/01/2026 12:05 PM"),
    ],
)
def test_the_date_is_written_in_the_firms_zone(moment, zone, text):
    """Month first, twelve hours, no zero before the hour; daylight saving on both sides of its changes."""
    assert text == us_date(moment, zones().zone(zone))


def test_all_values_are_texts_and_empty_ones_are_left_out(make_call):
    """The duration is "50"; what the call lacks is no key at all."""
    values = fill_body(make_call(), make_destination(SPEC)).values

    assert {str} == {type(value) for value in values.values()}
    assert "50" == values["String14"]
    assert "Referrer" not in values
    assert "String01" in values
    assert "String04" not in values
    assert all(values.values())


def test_the_service_id_stands_in_for_a_missing_service_name(make_call):
    """Name is required, so the service's number is better than nothing."""
    assert "123" == fill_body(make_call(service_name=None), make_destination(SPEC)).values["Name"]


def test_the_wire_key_of_the_organisation_can_be_changed(make_call):
    """The vendor's own pages disagree about CaptorraId and Captorrald."""
    values = fill_body(make_call(), make_destination(SPEC, {"id_key": "Captorrald"})).values

    assert "111111" == values["Captorrald"]
    assert "CaptorraId" not in values


def test_the_referrer_goes_out_when_set(make_call):
    """It is a GUID, sent as Referrer."""
    guid = "6f9619ff-8b86-d011-b42d-00c04fc964ff"

    assert guid == fill_body(make_call(), make_destination(SPEC, {"referrer": guid})).values["Referrer"]


def test_a_long_text_is_cut_and_the_note_does_not_show_it(make_call):
    """String05 holds 500 characters."""
    filled = fill_body(make_call(extra_tracking="x" * 620), make_destination(SPEC))

    assert 500 == len(filled.values["String05"])
    assert ("String05 cut from 620 to 500 characters",) == filled.notes


@pytest.mark.parametrize("key", sorted(LIMITS))
def test_every_limit_of_the_document_holds_for_an_override_too(key, make_call):
    """A field filled by the configuration is cut like any other."""
    destination = make_destination(SPEC, fields={key: "{PLA_Long}"})
    filled = fill_body(make_call(raw={"PLA_Long": "y" * 9000}), destination)

    assert LIMITS[key] == len(filled.values[key])
    assert (f"{key} cut from 9000 to {LIMITS[key]} characters",) == filled.notes


def test_fields_override_add_and_drop(make_call):
    """The configuration's fields go before the defaults, before texts by code, and may be new."""
    fields = {"Name": "Line {service_id}", "String13": "", "String21": "{utm_source}", "Referrer": ""}
    guid = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
    destination = make_destination(SPEC, {"referrer": guid}, fields=fields)
    values = fill_body(make_call(utm_source="spring"), destination).values

    assert "Line 123" == values["Name"]
    assert "String13" not in values
    assert "spring" == values["String21"]
    assert "Referrer" not in values


@pytest.mark.parametrize(
    ("phone_format", "region", "ani"),
    [("national", "AU", "0491570156"), ("national", "US", "+61491570156"), ("e164", "AU", "+61491570156")],
)
def test_the_caller_is_written_as_the_destination_wants_it(phone_format, region, ani, make_call):
    """National digits for the destination's own country, E.164 for all others."""
    destination = make_destination(SPEC, phone_format=phone_format, region=region)

    assert ani == fill_body(make_call(), destination).values["ANI"]
