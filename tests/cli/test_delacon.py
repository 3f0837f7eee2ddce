"""``switchboard delacon audit``: Delacon's list of a day beside the ledger, and what is missing imported."""

import json
import urllib.request

import pytest

from tests.cli.conftest import CONFIG

TABLE = """
[delacon]
report_url = "{url}/delacon/report.jsp"
auth = "{key}"
service_ids = ["101"]
"""
ROW = {
    "rowid": "1", "cid": "101", "datetime": "02/03/2026 10:00:00", "dialfrom": "0491570156", "result": "Answered",
    "timesec": "50",
}  # fmt: skip


@pytest.fixture
def report(cli, standins_process):
    """Return a maker of Delacon's report of 2 March 2026; the command line is configured for it."""
    cli.configure(CONFIG + TABLE.format(url=standins_process, key="standin-delacon-key"))

    def lay(*row_ids: str) -> None:
        rows = json.dumps([{**ROW, "rowid": row_id} for row_id in row_ids]).encode()
        urllib.request.urlopen(f"{standins_process}/delacon/rows", data=rows, timeout=10).close()

    return lay


def test_missing_calls_are_counted_then_imported(cli, report):
    """The sentence is the contract's; an import stands in the audit, and a second one finds nothing."""
    report("1", "2")
    said = cli.run("delacon", "audit", "--day", "2026-03-02").stdout
    fixed = cli.run("delacon", "audit", "--day", "2026-03-02", "--fix").stdout
    again = cli.json("delacon", "audit", "--day", "2026-03-02", "--fix")
    audit = cli.json("audit", "list")

    assert said.startswith("2026-03-02: 2 calls there, 0 here, 2 missing, 0 delivered everywhere they should be\n")
    assert "2 calls were taken in, and will be delivered." in fixed
    assert (0, 2, 0) == (again["taken"], again["here"], again["missing"])
    assert [("delacon.fix", 2)] == [(line["what"], line["count"]) for line in audit]


def test_a_day_without_calls_is_told_as_such(cli, report):
    """It is no fault; yesterday is meant where no day is named."""
    report()

    assert "Delacon lists no call." in cli.run("delacon", "audit").output


def test_one_call_is_one_call(cli, report):
    """In words too."""
    report("1")

    assert "1 call was taken in" in cli.run("delacon", "audit", "--day", "2026-03-02", "--fix").stdout


def test_a_report_that_is_none_is_status_1(cli, standins_process):
    """A wrong key brings a web page; the key is not shown."""
    cli.configure(CONFIG + TABLE.format(url=standins_process, key="an-old-report-key"))
    said = cli.run("delacon", "audit", "--day", "2026-03-02", status=1).stderr

    assert "2026-03-02 could not be audited" in said
    assert "an-old-report-key" not in said


def test_wrong_use_is_status_2_and_a_missing_table_status_1(cli, report):
    """A day that has not come yet has no list."""
    cli.run("delacon", "audit", "--day", "yesterday", status=2)
    cli.run("delacon", "audit", "--day", "2999-01-01", status=2)
    cli.configure(CONFIG)

    assert "no [delacon]" in cli.run("delacon", "audit", status=1).stderr
