"""Delacon's stand-in: its report of some days as CSV or XML, and its pages that are no report."""

from datetime import datetime

import aiohttp
import pytest

from deploy.local.standins.app import StandIns

ROW = {"rowid": "1", "cid": "101", "datetime": "02/03/2026 10:00:00", "dialfrom": "0491570156", "result": "A & B"}
HEADERS = {"Auth": "standin-delacon-key"}


async def ask(standins: StandIns, rows: list[dict[str, str]], **query: str) -> tuple[str, str]:
    """Lay rows and ask for the report of a day; return its type and its text."""
    query = {"datefrom": "2026-03-02", "dateto": "2026-03-02"} | query
    headers = {"Auth": query.pop("auth", HEADERS["Auth"])}
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{standins.url}/delacon/rows", json=rows) as laid:
            assert {"rows": len(rows)} == await laid.json()
        async with session.get(f"{standins.url}/delacon/report.jsp", params=query, headers=headers) as reply:
            assert 200 == reply.status
            return reply.content_type, await reply.text()


async def test_csv_has_a_header_and_a_line_a_call(standins: StandIns):
    """Those of other days and of other services are left out."""
    other = [{**ROW, "rowid": "2", "datetime": "03/03/2026 00:00:00"}, {**ROW, "rowid": "3", "cid": "102"}]
    kind, text = await ask(standins, [ROW, *other], cids="101")

    assert "text/csv" == kind
    assert text.startswith("rowid,cid,Date/Time,Dial From,")
    assert "\n1,101,02/03/2026 10:00:00,0491570156," in text
    assert 2 == len(text.splitlines())


async def test_xml_holds_the_same(standins: StandIns):
    """Its texts are escaped."""
    kind, text = await ask(standins, [ROW], reportoption="xml")

    assert "text/xml" == kind
    assert "<rowid>1</rowid>" in text
    assert "A &amp; B" in text


async def test_today_has_a_name_of_its_own(standins: StandIns):
    """As Delacon wants it."""
    row = {**ROW, "datetime": f"{datetime.now().astimezone():%d/%m/%Y} 00:00:00"}
    _, text = await ask(standins, [row], datefrom="TODAY", dateto="TODAY")

    assert 2 == len(text.splitlines())


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"auth": "an-old-key"}, "password has expired"),
        ({"datefrom": "yesterday"}, "Invalid date"),
        ({"datefrom": "2025-01-01"}, "must not exceed 100 days"),
    ],
)
async def test_what_is_no_report_comes_with_status_200(standins: StandIns, query: dict[str, str], words: str):
    """As from Delacon: the words tell."""
    _, text = await ask(standins, [], **query)

    assert words in text
