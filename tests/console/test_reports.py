"""The report and the files that can be taken away."""

import csv
import io
from datetime import UTC, datetime

from tests.cli.conftest import CALLER
from tests.console.conftest import Browser, Console
from worker.ledger.records import Verdict


async def rows(browser: Browser, path: str) -> list[dict[str, str]]:
    """Return a file's rows."""
    response = await browser.get(path)
    assert response.content_type == "text/csv"
    assert response.headers["Content-Disposition"].startswith("attachment")
    return list(csv.DictReader(io.StringIO(browser.last)))


async def test_the_report_counts_this_month(console: Console) -> None:
    """By service, destination and day, on the page and as CSV; an unknown month or line is the present one."""
    await console.book.call("a")
    await console.book.call("b", result="Unanswered")
    await console.book.end("dialler", Verdict.DEAD, reason="rejected", reply="Please provide surname")
    browser = await console.browser("ann")
    month = f"{datetime.now(UTC):%Y-%m}"

    by_service = {row["name"]: row for row in await rows(browser, "/report.csv?by=service")}
    by_destination = {row["name"]: row for row in await rows(browser, f"/report.csv?month={month}&by=destination")}
    await browser.get("/report?month=1999-01&by=nothing")

    assert (by_service["total"]["calls"], by_service["total"]["answered"], by_service["total"]["missed"]) == (
        "2",
        "1",
        "1",
    )
    assert by_destination["dialler"]["dead"] == "1"
    assert f"Report of {month} by destination" in browser.last


async def test_a_user_of_one_destination_gets_its_report_alone(console: Console) -> None:
    """Neither other destinations nor sums nor services, and only calls that went there."""
    await console.book.call("theirs")
    await console.book.call("mine", result="Unanswered")
    await console.book.end("law", Verdict.DEAD, reason="rejected", reply="Invalid ANI")
    await console.book.end("dialler", Verdict.DEAD, reason="rejected", reply="Please provide surname")
    browser = await console.browser("dora")

    assert ["dialler"] == [row["name"] for row in await rows(browser, "/report.csv?by=service")]
    assert ["mine"] == [row["call_id"] for row in await rows(browser, "/calls.csv")]


async def test_what_is_listed_is_taken_away_whole(console: Console) -> None:
    """All pages of a search; a cell that a spreadsheet would compute is text, and a viewer's callers are masked."""
    for number in range(60):
        await console.book.call(f"c{number:02}", result=None, PLA_Dealer_Name="=1+1")
    await console.book.call("other", result="Busy")

    found = await rows(await console.browser("ann"), "/calls.csv?service=%3D1%2B1")
    masked = await rows(await console.browser("vic"), "/calls.csv")

    assert sorted(row["call_id"] for row in found) == [f"c{number:02}" for number in range(60)]
    assert {(row["service_name"], row["caller"]) for row in found} == {("'=1+1", f"'{CALLER}")}
    assert {row["caller"] for row in masked} == {"'+61…156"}
