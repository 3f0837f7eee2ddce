"""Delacon's report as it comes: CSV or XML, in its own zone, with what is no report told as such."""

from zoneinfo import ZoneInfo

import pytest

from tasks.delacon_audit.report import NoReport, read_report

SYDNEY = ZoneInfo("Australia/Sydney")
CSV = """\ufeffrowid,Call ID,CID,Date/Time,Dial From,Result,Time(sec),Rec URL,Client IP
1,,101,29/11/2026 23:59:58,0491570156,Answered,50,/rec/1.mp3,192.0.2.1
2,,101,30/11/2026 00:00:01,0491570157,Unanswered,0,,
1,,101,29/11/2026 23:59:58,0491570156,Answered,50,/rec/1.mp3,192.0.2.1
"""
XML = """<?xml version="1.0"?><report><calls>
<call><rowid>1</rowid><cid>101</cid><datetime>29/11/2026 23:59:58</datetime><dialfrom>0491570156</dialfrom>
<result>Answered</result><timesec>50</timesec><recurl>/rec/1.mp3</recurl></call>
<call rowid="2" cid="101" datetime="30/11/2026 00:00:01"><dialfrom>0491570157</dialfrom><result>Unanswered</result>
<timesec>0</timesec></call></calls></report>"""


@pytest.mark.parametrize("text", [CSV, XML])
def test_both_forms_are_read_alike(text: str):
    """A doubled row is one call; a date is of the report's zone; a recording's path is made whole."""
    first, second = read_report(text.encode(), SYDNEY)

    assert ("1", "101", "c") == (first.call_id, first.values["PLA_CID"], first.kind)
    assert f"{1_795_957_198_000:020}" == first.values["PLA_CallStartTime"]
    assert "https://pla.delaconcorp.com/rec/1.mp3" == first.values["PLA_RecordingFile"]
    assert ("2", "0491570157") == (second.call_id, second.values["PLA_Caller_Phone_Number"])


@pytest.mark.parametrize(
    ("local", "epoch_ms"),
    [
        ("04/10/2026 03:30:00", 1_791_045_000_000),  # the first hour of summer time
        ("05/04/2026 02:30:00", 1_775_316_600_000),  # shown twice: the first
        ("05/04/2026 03:30:00", 1_775_323_800_000),
    ],
)
def test_a_night_in_which_the_clocks_change(local: str, epoch_ms: int):
    """No row is refused for it."""
    [event] = read_report(f"rowid,cid,Date/Time,Result\n7,1,{local},Answered\n".encode(), SYDNEY)

    assert f"{epoch_ms:020}" == event.values["PLA_CallStartTime"]


def test_a_row_whose_date_cannot_be_read_is_a_call_all_the_same():
    """It is counted, and taken in without it."""
    [event] = read_report(b"rowid,cid,Date/Time,Result\n7,1,yesterday,Answered\n", SYDNEY)

    assert "PLA_CallStartTime" not in event.values


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"<!DOCTYPE html><html><body>password expired</body></html>", "password"),
        (b"\n  <html><head/></html>", "password"),
        (b"The date range must not exceed 100 days", "no report"),
        (b"", "no report"),
        (b"<report><call><rowid>1</rowid>", "cut off"),
        (b'<!DOCTYPE r [<!ENTITY a "aaaa">]><r>&a;</r>', "plain XML"),
    ],
)
def test_what_is_no_report_is_told(body: bytes, sentence: str):
    """It never counts as a day without calls."""
    with pytest.raises(NoReport, match=sentence):
        read_report(body, SYDNEY)


@pytest.mark.parametrize("body", [b"rowid,cid,Date/Time\n", b"<report></report>"])
def test_a_day_without_calls_is_a_report(body: bytes):
    """Nothing is listed, and nothing is missing."""
    assert [] == read_report(body, SYDNEY)
