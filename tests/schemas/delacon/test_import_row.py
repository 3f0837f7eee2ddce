"""Ids, numbers and dates as spreadsheets and Delacon's reports write them."""

from datetime import UTC, datetime

import pytest

from schemas.delacon.events import Event
from schemas.delacon.import_row import DELACONS_DATE, ImportRows, RefusedRow, is_total, read_id
from schemas.zones import zones

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def rows(zone: str | None = "Australia/Sydney", *formats: str) -> ImportRows:
    """Return a reader whose present is November 2026."""
    return ImportRows(zones().zone(zone) if zone else None, formats or (DELACONS_DATE,), lambda: NOW)


def read(key: str, text: str) -> str:
    """Return what a value becomes."""
    return rows().read(Event("1", "s", {key: text})).values[key]


@pytest.mark.parametrize(
    "text",
    [
        '="1122334"', '= "1122334"', "'1122334", "1122334.0", "1122334.00", "1122334,0", "1,122,334", "1,122,334.00",
        "1'122'334", "1\u2019122\u2019334", "1 122 334", "1\u00a0122\u00a0334", "1\u202f122\u202f334", "1.122.334",
        "1.122.334,0", "11,22,334", '="1,122,334"', "'1122334.0", " 1122334 ",
    ],
)  # fmt: skip
def test_an_id_is_read_out_of_what_a_spreadsheet_makes_of_it(text):
    """A formula, an apostrophe, a fraction of zeros, separators of thousands in any country."""
    assert "1122334" == read_id(text, "PLA_Call_Id")


@pytest.mark.parametrize(
    "text",
    ["1122334", "0012", "c-1", "1764380000.123", "1,2", "a,b", "12 34", "1122.334", "1,22,33", "x.0", "1 22 333"],
)
def test_an_id_of_another_form_stays_as_it_is(text):
    """Nothing is taken off that may be part of it."""
    assert text == read_id(text, "PLA_Call_Id")


@pytest.mark.parametrize(
    "text", ["1.12233E+12", "1,12233E+12", "1E+12", "1.12233e12", "1.1E12", '="1.12233E+12"', "-1.1E-7"]
)
@pytest.mark.parametrize(
    "key", ["PLA_Call_Id", "PLA_CID", "PLA_Caller_Phone_Number", "PLA_Number_Dialed", "PLA_CallStartTime"]
)
def test_an_exponent_refuses_the_row(key, text):
    """Digits are lost in it: two ids would become one."""
    with pytest.raises(RefusedRow, match="exponent"):
        rows().read(Event(text, "s", {}) if key == "PLA_Call_Id" else Event("1", "s", {key: text}))


@pytest.mark.parametrize("text", ["#N/A", "#REF!", "########", "#VALUE!", "#NAME?", "#div/0!"])
def test_a_spreadsheets_error_refuses_the_row(text):
    """All rows that hold one would become one call."""
    with pytest.raises(RefusedRow, match="error"):
        read_id(text, "PLA_Call_Id")


@pytest.mark.parametrize("text", ["n/a", "NaN", "null", "-", '=""', "'"])
def test_a_word_for_nothing_is_no_id(text):
    """Programs write one where there was no id."""
    with pytest.raises(RefusedRow, match="PLA_Call_Id is missing"):
        read_id(text, "PLA_Call_Id")


@pytest.mark.parametrize(
    ("key", "text", "right"),
    [
        ("PLA_Caller_Phone_Number", '="0491570156"', "0491570156"),
        ("PLA_Caller_Phone_Number", "'+61491570156", "+61491570156"),
        ("PLA_Caller_Phone_Number", "61491570156.0", "61491570156"),
        ("PLA_Caller_Phone_Number", "61,491,570,156", "61491570156"),
        ("PLA_Caller_Phone_Number", "0491 570 156", "0491 570 156"),
        ("PLA_Number_Dialed", "1300123456.0", "1300123456"),
        ("PLA_CID", "123.0", "123"),
        ("PLA_Duration", "1,250", "1250"),
        ("PLA_Duration", "50.0", "50"),
        ("PLA_City", "'s-Hertogenbosch", "'s-Hertogenbosch"),
        ("PLA_RecordingFile", "/site/rec.jsp?id=1", "https://pla.delaconcorp.com/site/rec.jsp?id=1"),
        ("PLA_RecordingFile", "https://x.example.com/1", "https://x.example.com/1"),
    ],
)
def test_numbers_are_read_as_ids_are_and_texts_are_left_alone(key, text, right):
    """A number keeps the blanks that people write in it; the report gives a recording without the site."""
    assert right == read(key, text)


AT_NOON = datetime(2026, 11, 25, 1, 12, 34, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-25T01:12:34Z", "2026-11-25 01:12:34+00:00", "2026-11-25T12:12:34+11:00", "2026-11-25T12:12:34",
        "2026-11-25 12:12:34", "25/11/2026 12:12:34", "1795569154000", "00000001795569154000", "1795569154",
        "1795569154.0", "'1795569154000", '="25/11/2026 12:12:34"', "1,795,569,154,000", "20261125T121234",
    ],
)  # fmt: skip
def test_dates_are_read_in_every_form(text):
    """ISO 8601 with an offset or in the zone given, epoch seconds and milliseconds, Delacon's own form."""
    assert rows().start_of(text) == AT_NOON


def test_a_date_becomes_what_the_webhook_writes():
    """Twenty digits of milliseconds, so that a report says the same as the webhook."""
    assert "00000001556755937003" == read("PLA_CallStartTime", "2019-05-02T00:12:17.003Z")


@pytest.mark.parametrize(
    ("formats", "text", "hour"),
    [
        (("%m/%d/%Y %I:%M %p",), "11/25/2026 1:12 PM", 13),
        (("%d.%m.%Y %H:%M", "%d %b %Y, %H:%M"), "25 Nov 2026, 09:05", 9),
        (("%d.%m.%Y %H:%M", "%d %b %Y, %H:%M"), "25.11.2026 08:05", 8),
        (("%Y%m%d %H%M%S %z",), "20261125 101500 +1100", 10),
    ],
)
def test_forms_of_dates_are_configured(formats, text, hour):
    """In the zone given, unless the date names its own."""
    moment = rows("Australia/Sydney", *formats).start_of(text)

    assert (25, hour) == (
        moment.astimezone(zones().zone("Australia/Sydney")).day,
        moment.astimezone(zones().zone("Australia/Sydney")).hour,
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("soon", "no date that can be read"),
        ("", "no date that can be read"),
        ("25/11/2026", "no date that can be read"),
        ("2026-11-25", "no date that can be read"),
        ("11/25/2026 12:12:34", "no date that can be read"),
        ("46351.5", "no date that can be read"),
        ("20261125", "no date that can be read"),
        ("31/11/2026 12:00:00", "no date that can be read"),
        ("0001-01-01T00:00:00+14:00", "no date that can be read"),
        ("2027-01-01T00:00:00Z", "future"),
        ("05/12/2026 12:12:34", "future"),
        ("1970-01-01T00:00:00Z", "before 2001"),
        ("#######", "error"),
        ("2026-10-04T02:30:00", "never"),
        ("04/10/2026 02:00:00", "never"),
        ("2026-04-05T02:30:00", "twice"),
        ("05/04/2026 02:00:00", "twice"),
    ],
)  # fmt: skip
def test_a_date_that_is_no_moment_refuses_the_row(text, why):
    """Unreadable, without a time of day, ahead, or skipped or shown twice by the clocks of the zone."""
    with pytest.raises(RefusedRow, match=why):
        rows().start_of(text)


@pytest.mark.parametrize(
    "text", ["2026-10-04T03:00:00", "2026-10-04T01:59:59", "2026-04-05T03:00:00", "2026-04-05T01:59:59"]
)
def test_times_beside_a_change_of_the_clocks_are_read(text):
    """Only the hour itself is refused."""
    local = rows().start_of(text).astimezone(zones().zone("Australia/Sydney"))

    assert text == local.replace(tzinfo=None).isoformat()


def test_without_a_zone_a_date_that_names_none_refuses_its_row():
    """One that names its own, or an epoch, is read all the same."""
    with pytest.raises(RefusedRow, match="set \\[import\\] timezone"):
        rows(None).start_of("25/11/2026 12:12:34")
    with pytest.raises(RefusedRow, match="names no time zone"):
        rows(None).start_of("2026-11-25T12:12:34")
    assert AT_NOON == rows(None).start_of("2026-11-25T01:12:34Z")


@pytest.mark.parametrize(
    "cells",
    [
        ["Total", "", "2"],
        ["", "TOTAL:"],
        ["Grand Total"],
        ["Subtotal: 12"],
        ["sum", "5"],
        ["Total calls", "2"],
        ["Totals"],
    ],
)
def test_totals_are_known(cells):
    """By the first cell that is not empty."""
    assert is_total(cells)


@pytest.mark.parametrize("cells", [["1122334", "total"], ["Total Care Ltd", "1"], [""], ["c-1", "Sum"]])
def test_a_call_that_speaks_of_a_total_is_a_call(cells):
    """A keyword or a name may hold the word."""
    assert not is_total(cells)
