"""``switchboard report`` and ``export``: the figures of a span, and calls and deliveries as files."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from pyarrow import parquet

from worker.ledger.ledger import Ledger
from worker.ledger.records import Verdict

NOW = datetime.now(UTC)


class Tags(HTMLParser):
    """Notes the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102
        self.seen.append(tag)


async def _calls(book):
    await book.call("a-1", PLA_Dealer_Name="=Smith & <Sons>", PLA_CallStartTime="1772452800000")
    await book.call("a-2", caller="+61491570157", PLA_CID="456")
    await book.call("m-1", result="Busy", caller="+61491570158")
    await book.end("law", Verdict.DELIVERED, effect="ok")
    await book.end("dialler", Verdict.SKIPPED, reason="too_old")
    await book.end("crm", Verdict.DEAD, reason="rejected")


def _lines(cli, *options):
    found = cli.json("report", *options)
    return {line["name"]: line for line in found["lines"]}


def test_by_destination(cli):
    """Delivered, skipped by reason, dead, and the time from call to CRM; the total at the end."""
    cli.fill(_calls)

    lines = _lines(cli)

    assert ["crm", "dialler", "law", "total"] == list(lines)
    assert (2, 2, 0) == tuple(lines["law"][name] for name in ("calls", "delivered", "dead"))
    assert (2, {"too_old": 1}, 1) == (
        lines["crm"]["dead"], lines["dialler"]["skipped_by_reason"], lines["dialler"]["skipped"],
    )  # fmt: skip
    assert 0 < lines["law"]["p50_seconds"] <= lines["law"]["p95_seconds"] <= 0.5
    assert 1.0 == lines["law"]["under_5_seconds"] == lines["law"]["under_60_seconds"]
    assert lines["dialler"]["p50_seconds"] is None
    assert 5 == lines["total"]["calls"]


def test_by_number(cli):
    """How fast the calls of each tracking number got to their CRMs, and nothing that is not counted by number."""

    async def calls(book):
        await book.call("a-1", PLA_Number_Dialed="0290000001")
        await book.call("a-2", caller="+61491570157", PLA_Number_Dialed="0290000002")
        await book.call("a-3", caller="+61491570158")
        await book.end("law", Verdict.DELIVERED, effect="ok")
        await book.end("crm", Verdict.DEAD, reason="rejected")

    cli.fill(calls)
    lines = _lines(cli, "--by", "number")

    assert ["0290000001", "0290000002", "total"] == list(lines)
    first = lines["0290000001"]
    assert (1, 1.0, 1.0) == tuple(first[name] for name in ("delivered", "under_5_seconds", "under_60_seconds"))
    assert {None} == {first[name] for name in ("calls", "answered", "missed", "skipped", "dead", "cancelled")}
    assert 2 == lines["total"]["delivered"]
    assert "0290000001" in cli.run("report", "--by", "number").stdout


def test_by_service(cli):
    """Calls by result, under the name that the newest call of the service has."""
    cli.fill(_calls)

    lines = _lines(cli, "--by", "service")

    assert {"=Smith & <Sons>", "456", "total"} == set(lines)
    smith = lines["=Smith & <Sons>"]
    assert (2, 1, 1, 1, 1) == tuple(smith[name] for name in ("calls", "answered", "missed", "delivered", "skipped"))
    assert 3 == lines["total"]["calls"]


def test_by_day_in_a_zone(cli):
    """A day is the zone's: what happens now is tomorrow somewhere."""
    cli.fill(_calls)
    east, west = "Pacific/Kiritimati", "Pacific/Pago_Pago"

    for zone, hours in ((east, 14), (west, -11)):
        day = (NOW + timedelta(hours=hours)).date()
        lines = _lines(cli, "--by", "day", "--tz", zone)
        assert set(lines) <= {"total", day.isoformat(), (day + timedelta(days=1)).isoformat()}
        assert (3, 2, 1, 2) == tuple(lines["total"][name] for name in ("calls", "answered", "missed", "delivered"))


def test_of_a_span(cli):
    """What lies outside is not counted; every hour that it touches is."""
    cli.fill(_calls)

    assert ["total"] == list(_lines(cli, "--until", "3h"))
    assert 5 == _lines(cli, "--since", "1m")["total"]["calls"]


def test_a_report_of_nothing(cli):
    """An empty ledger has a total of nothing."""
    assert 0 == _lines(cli)["total"]["calls"]
    assert "total" in cli.run("report").stdout


def test_as_csv_and_as_html(cli):
    """What a spreadsheet would compute is text, and what a browser would read as markup is escaped."""
    cli.fill(_calls)

    rows = list(csv.DictReader(io.StringIO(cli.run("report", "--by", "service", "--format", "csv").stdout)))
    assert {"'=Smith & <Sons>", "456", "total"} == {row["service"] for row in rows}

    page = cli.run("report", "--by", "service", "--format", "html").stdout
    reader = Tags()
    reader.feed(page)
    tags = reader.seen
    assert "sons" not in tags
    assert 4 == tags.count("tr")
    assert "=Smith &amp; &lt;Sons&gt;" in page


def test_a_table_fits_80_columns(cli):
    """By leaving columns out."""
    cli.fill(_calls)

    assert all(len(line.rstrip()) <= 80 for line in cli.run("report", "--by", "service").stdout.splitlines())


def test_calls_are_exported_as_csv(cli):
    """Whole, with every canonical value; a number begins with + and is kept from being computed."""
    cli.fill(_calls)

    rows = list(csv.DictReader(io.StringIO(cli.run("export", "calls", "--service", "123").stdout)))

    assert ["a-1", "m-1"] == sorted(row["call_id"] for row in rows)
    first = next(row for row in rows if row["call_id"] == "a-1")
    assert ("'+61491570156", "'=Smith & <Sons>", "50", "law") == tuple(
        first[name] for name in ("caller", "service_name", "duration", "delivered_to")
    )


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_begins_like_a_formula(cli, begin):
    """Whatever a caller's name or a page's address begins with; a trimmed value has no blank before it."""
    cli.fill(lambda book: book.call("f-1", PLA_Keywords_Searched=f"x{begin}1+1", PLA_City=f"{begin}1+1"))

    [row] = csv.DictReader(io.StringIO(cli.run("export", "calls").stdout, newline=""))

    assert not row["city"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert row["keywords"].startswith("x")


def test_deliveries_are_exported_as_json_lines(cli, tmp_path):
    """A line each, absent values left out; into a file or to standard output."""
    cli.fill(_calls)

    lines = [json.loads(line) for line in cli.run("export", "deliveries", "--format", "jsonl").stdout.splitlines()]
    assert ["a-1:crm:create", "a-1:law:create", "a-2:crm:create", "a-2:law:create", "m-1:dialler:create"] == sorted(
        line["key"] for line in lines
    )
    result = cli.run(
        "export", "deliveries", "--format", "jsonl", "--state", "dead", "--output", str(tmp_path / "dead.jsonl")
    )
    assert "2 rows" in result.stderr
    assert 2 == len((tmp_path / "dead.jsonl").read_text().splitlines())
    told = cli.json("export", "calls", "--output", str(tmp_path / "calls.csv"))
    assert {"rows": 3, "format": "csv", "output": str(tmp_path / "calls.csv")} == told
    cli.run("export", "calls", "--json", status=2)


def test_parquet_is_typed(cli, tmp_path):
    """Ids and numbers are texts, also those of digits alone; times are moments, counts are integers."""
    cli.fill(_calls)
    cli.fill(lambda book: book.call("0012345", PLA_CallStartTime="1772452800000"))
    path = tmp_path / "calls.parquet"

    cli.run("export", "calls", "--format", "parquet", "--output", str(path))

    table = parquet.read_table(path)
    assert ("string", "string", "int64", "timestamp[ms, tz=UTC]") == tuple(
        str(table.schema.field(name).type) for name in ("call_id", "caller", "duration", "started_at")
    )
    row = next(row for row in table.to_pylist() if row["call_id"] == "0012345")
    assert ("+61491570156", 50, datetime(2026, 3, 2, 12, tzinfo=UTC)) == (
        row["caller"], row["duration"], row["started_at"],
    )  # fmt: skip


def test_what_cannot_be_written_is_said(cli, tmp_path):
    """A folder that is not there, and Parquet without a file."""
    cli.run("export", "calls", "--output", str(tmp_path / "no" / "calls.csv"), status=1)
    cli.run("export", "calls", "--format", "parquet", status=2)
    cli.run("export", "calls", "--format", "parquet", "--output", str(tmp_path / "no" / "c"), status=1)


def test_an_export_reads_as_it_writes(cli, monkeypatch):
    """Calls are loaded in steps, not all before the first row."""

    async def many(book):
        for number in range(450):
            await book.call(f"a-{number}")

    cli.fill(many)
    steps: list[int] = []
    load = Ledger.load

    async def counting(self, call_ids):
        ids = list(call_ids)
        steps.append(len(ids))
        return await load(self, ids)

    monkeypatch.setattr(Ledger, "load", counting)

    assert 451 == len(cli.run("export", "calls").stdout.splitlines())
    assert max(steps) <= 200
