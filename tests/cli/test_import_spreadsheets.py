"""``switchboard import`` of what spreadsheets and Delacon's own reports write."""

import json

import pytest

from tests.cli.conftest import CONFIG

HEADER = "Call ID,Dial From,Date/Time,Result,Time(sec),Inbound Time(sec),Business Name,CID"
ROW = "{id},{number},{date},Answered,50,62,Smith Law,123"
GOOD = {"id": "1122334", "number": "0491570156", "date": "25/11/2025 12:12:34"}
ZONE = '[import]\ntimezone = "Australia/Sydney"\n'
EPOCH_MS = "00000001764033154003"  # 25/11/2025 12:12:34.003 in Sydney


@pytest.fixture
def bring(cli, tmp_path):
    """Import a file of Delacon's report, of these rows, in Sydney's time."""
    cli.configure(CONFIG + ZONE)

    def run(*rows, header=HEADER, options=(), status=0, name="report.csv"):
        file = tmp_path / name
        lines = [row if isinstance(row, str) else ROW.format(**GOOD | row) for row in rows]
        file.write_text("\n".join([*([header] if header else []), *lines]), encoding="utf-8")
        return cli.json("import", str(file), *options, status=status)

    return run


def _webhooks(cli, **more):
    start = {
        "PLA_Call_Id": "1122334", "PLA_Caller_Phone_Number": "+61491570156", "PLA_CID": "123",
        "PLA_Dealer_Name": "Smith Law", "PLA_CallStartTime": EPOCH_MS,
    } | more  # fmt: skip
    cli.fill(lambda book: book.event(start))
    cli.fill(
        lambda book: book.event(
            {"PLA_Call_Id": "1122334", "PLA_CallResult": "Answered", "PLA_Duration": "50s"}, kind="update"
        )
    )


def _shown(cli, call_id="1122334"):
    return cli.json("calls", "show", call_id)


def test_delacons_own_report_comes_in_without_a_map(cli, bring):
    """Its columns are known, and its dates are of the configured zone."""
    assert 1 == bring({})["new"]
    call = _shown(cli)["call"]

    assert {
        "caller": "+61491570156", "started_at": "2025-11-25T01:12:34.000Z", "result": "answered", "duration": 50,
        "service_name": "Smith Law", "service_id": "123",
    }.items() <= call.items()  # fmt: skip


@pytest.mark.parametrize("key", ["rowid", "pkey_in", "CALL ID", "call_id", "PLA_Call_Id"])
def test_the_id_has_a_name_in_each_report(bring, key):
    """In the call report with showrowid, in the billing report, in any case."""
    assert 1 == bring({}, header=HEADER.replace("Call ID", key))["new"]


@pytest.mark.parametrize("written", ['"=""1122334"""', '="1122334"', "1122334.0", "'1122334", '"1,122,334"'])
def test_a_call_that_came_by_webhook_is_known_however_its_row_is_written(cli, bring, written):
    """Its id, number, result, duration and start say the same in other words: no revision, no second call."""
    _webhooks(cli)

    done = bring({"id": written, "number": "61491570156.0"})

    assert (0, 1, 0) == (done["new"], done["known"], done["refused"])
    assert 1 == len(cli.json("calls", "list"))
    assert 1 == _shown(cli)["revision"]


@pytest.mark.parametrize("changed", [{"number": "0491570157"}, {"date": "25/11/2025 12:12:35"}], ids=["number", "date"])
def test_a_row_that_says_otherwise_is_new(cli, bring, changed):
    """What differs by more than its writing is a change."""
    _webhooks(cli)

    assert 1 == bring(changed)["new"]


def test_spoilt_rows_are_refused_by_line_and_reason_and_the_others_come_in(cli, bring):
    """Two ids in exponent form do not become one call; totals, a second header and dates that are none are told."""
    done = bring(
        {"id": "1.12233E+12"}, {"id": "1.12233E+12"}, {"number": "4.91570110E8"}, {"date": "soon"},
        {"date": "05/10/2025 02:30:00"}, HEADER, "Total,,,,50,62,,", "Total,2", {"id": "#N/A"}, {}, status=1,
    )  # fmt: skip

    assert (1, 0, 9) == (done["new"], done["known"], done["refused"])
    told = {refusal["line"]: refusal["reason"] for refusal in done["refusals"]}
    assert [2, 3, 4, 5, 6, 7, 8, 9, 10] == sorted(told)
    assert "PLA_Call_Id is in exponent form" in told[2]
    assert "PLA_Caller_Phone_Number is in exponent form" in told[4]
    assert "no date that can be read" in told[5]
    assert "came never in Australia/Sydney" in told[6]
    assert ("the header again", "a total and no call", "a total and no call") == (told[7], told[8], told[9])
    assert ["1122334"] == [line["call_id"] for line in cli.json("calls", "list")]
    assert not [word for word in ("1.12233", "4.9157", "soon") if word in json.dumps(done)]


def test_without_a_zone_dates_that_name_none_refuse_their_rows(cli, bring):
    """Nothing is taken for the time of the import."""
    cli.configure(CONFIG)

    done = bring({}, {"id": "2", "date": "2025-11-25T14:03:00Z"}, {"id": "3", "date": EPOCH_MS}, status=1)

    assert (2, 1) == (done["new"], done["refused"])
    assert "2025-11-25T14:03:00.000Z" == _shown(cli, "2")["call"]["started_at"]
    assert "2025-11-25T01:12:34.003Z" == _shown(cli, "3")["call"]["started_at"]


@pytest.mark.parametrize("bad", ["soon", "7/7", "3000000000000"])
def test_an_unreadable_time_never_replaces_a_readable_one(cli, bring, bad):
    """The row of a file is refused; the same by webhook is merged, and the good time stands."""
    _webhooks(cli)

    assert 1 == bring({"date": bad}, status=1)["refused"]
    cli.fill(lambda book: book.event({"PLA_Call_Id": "1122334", "PLA_CallStartTime": bad, "PLA_City": "Perth"}))
    assert "Perth" == _shown(cli)["call"]["city"]
    assert "2025-11-25T01:12:34.003Z" == _shown(cli)["call"]["started_at"]


def test_json_lines_are_read_by_the_same_rules(cli, bring):
    """A program that writes numbers as floats, and one that writes an exponent."""
    lines = [
        '{"PLA_Call_Id": 1122334.0, "PLA_Caller_Phone_Number": 61491570156.0, "PLA_CallStartTime": 1764033154003.0}',
        '{"PLA_Call_Id": 1.12233E+12, "PLA_Caller_Phone_Number": "+61491570156"}',
        '{"PLA_Call_Id": "7", "PLA_Caller_Phone_Number": "+61491570156", "PLA_CallStartTime": "yesterday"}',
    ]

    done = bring(*lines, header="", name="calls.jsonl", status=1)

    assert (1, [2, 3]) == (done["new"], [refusal["line"] for refusal in done["refusals"]])
    assert ("+61491570156", "2025-11-25T01:12:34.003Z") == tuple(
        _shown(cli)["call"][name] for name in ("caller", "started_at")
    )


def test_a_dry_run_says_what_became_of_each_column(cli, bring, tmp_path):
    """By column: the field it stands for, how many values, how many were rewritten, the span of the dates."""
    done = bring({"id": "1122334.0"}, {"id": "2", "date": "2025-11-26T00:00:00Z"}, options=("--dry-run",))
    columns = {column["column"]: column for column in done["columns"]}

    assert [*HEADER.split(",")] == sorted(columns, key=HEADER.index)
    assert {
        "key": "PLA_Call_Id", "name": "call_id", "values": 2, "mended": 1,
    }.items() <= columns["Call ID"].items()  # fmt: skip
    assert ("2025-11-25T01:12:34.000Z", "2025-11-26T00:00:00.000Z") == (
        columns["Date/Time"]["from"], columns["Date/Time"]["to"],
    )  # fmt: skip
    assert (None, None) == (columns["Inbound Time(sec)"]["key"], columns["Inbound Time(sec)"]["name"])
    words = cli.run("import", str(tmp_path / "report.csv"), "--dry-run").stdout
    assert "Time(sec): duration, 2 values\n" in words
    assert "Inbound Time(sec): left out\n" in words
    assert [] == cli.json("calls", "list")


def test_a_text_in_a_formula_is_taken_out_of_it(cli, bring):
    """In any column; it counts as rewritten where it is an id, a number or a date."""
    row = '="1122334",="0491570156",,Answered,50,,"=""Smith, Law""",="123"'

    columns = {one["column"]: one["mended"] for one in bring(row, options=("--dry-run",))["columns"]}
    bring(row)

    assert (1, 1, 1) == (columns["Call ID"], columns["Dial From"], columns["CID"])
    assert ("Smith, Law", "123") == tuple(_shown(cli)["call"][name] for name in ("service_name", "service_id"))


def test_the_configuration_goes_before_the_reports_names(cli, bring):
    """A column that a name of the report would stand for as well is then left out."""
    cli.configure(CONFIG + ZONE + '[import.columns]\nReference = "PLA_Call_Id"\n')

    done = bring("77,1122334", header="Reference,Call ID", options=("--dry-run",))

    assert [("Reference", "PLA_Call_Id"), ("Call ID", None)] == [(one["column"], one["key"]) for one in done["columns"]]


def test_two_columns_of_one_meaning_are_told(cli, bring, tmp_path):
    """Which of them is meant is said in the configuration."""
    (tmp_path / "two.csv").write_text("Call ID,rowid\n1,2\n")

    assert (
        "two columns of its header stand for PLA_Call_Id"
        in cli.run("import", str(tmp_path / "two.csv"), status=2).stderr
    )
