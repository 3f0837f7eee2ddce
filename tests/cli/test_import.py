"""``switchboard import``: calls that never came by webhook, from JSON lines and CSV."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG
from worker.ledger import admin

SAMPLES = Path(__file__).parents[1] / "schemas" / "data"
START = {"PLA_Call_Id": "c-1", "PLA_Caller_Phone_Number": "+61491570156", "PLA_CID": "123"}
END = {"PLA_Call_Id": "c-1", "PLA_CallResult": "Answered", "PLA_Duration": "50s"}
WHOLE = START | END
NOTHING_REFUSED = {"refused": 0, "refusals": [], "dry_run": False}


@pytest.fixture
def bring(cli, tmp_path):
    """Write a file and import it; lines are objects, texts or bytes."""

    def run(*lines, name="calls.jsonl", options=(), status=0):
        file = tmp_path / name
        written = [
            line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
            for line in lines
        ]
        file.write_bytes(b"\n".join(written))
        return cli.json("import", str(file), *options, status=status)

    return run


def _new_and_known(done):
    return done["new"], done["known"]


def _stored(cli):
    """Return the canonical values of every call by its id."""
    ids = [line["call_id"] for line in cli.json("calls", "list")]
    return {call_id: cli.json("calls", "show", call_id) for call_id in ids}


def test_events_and_complete_calls_come_in_and_are_known_the_second_time(cli, bring):
    """A start, an end and a complete call: two calls, each whole; nothing is new when repeated."""
    lines = (START, END, WHOLE | {"PLA_Call_Id": "c-2"})

    assert {"new": 3, "known": 0, **NOTHING_REFUSED} == bring(*lines)
    assert {"new": 0, "known": 3, **NOTHING_REFUSED} == bring(*lines)
    stored = _stored(cli)
    assert {"c-1", "c-2"} == stored.keys()
    assert ["answered", "answered"] == [one["call"]["result"] for one in stored.values()]


def test_delacons_own_sample_bodies_come_in(cli, bring):
    """Each of them on one line, the trailing comma included."""
    bodies = [(SAMPLES / name).read_text() for name in ("delacon_create.json", "delacon_update.json")]

    done = bring(*(" ".join(body.split("\n")) for body in bodies))

    assert (2, 0) == (done["new"], done["refused"])
    assert "answered" == _stored(cli)["1122334"]["call"]["result"]


def test_refused_lines_are_told_with_number_and_reason_and_without_their_data(cli, bring, tmp_path):
    """All other lines are in, and the status is 1."""
    secret = "+61491570157"
    done = bring(
        START, "", f"{secret} is no JSON", {"PLA_Caller_Phone_Number": secret}, [1], {**START, "PLA_Call_Id": [1]},
        {**START, "PLA_X": secret * 10_000}, b'{"PLA_Call_Id": "\xff' + secret.encode(), END, status=1,
    )  # fmt: skip

    assert (2, 0, 6) == (done["new"], done["known"], done["refused"])
    assert [
        (3, "the body is not JSON"),
        (4, "PLA_Call_Id is missing"),
        (5, "the body is not a JSON object"),
        (6, "PLA_Call_Id is not usable"),
        (7, "longer than 65536 bytes"),
        (8, "not UTF-8"),
    ] == [(refusal["line"], refusal["reason"]) for refusal in done["refusals"]]
    assert secret not in json.dumps(done)
    result = cli.run("import", str(tmp_path / "calls.jsonl"), status=1)
    assert "0 new, 2 known, 6 refused\n" == result.stdout
    assert "line 3: the body is not JSON\n" in result.stderr
    assert secret not in result.stderr


def test_of_many_refused_lines_the_first_are_told(cli, bring, tmp_path):
    """A file of another kind does not fill memory or screen."""
    done = bring(*["x"] * 1_500, status=1)

    assert (1_500, 1_000) == (done["refused"], len(done["refusals"]))
    result = cli.run("import", str(tmp_path / "calls.jsonl"), status=1)
    assert "... and 1480 more" in result.stderr


def test_a_dry_run_says_the_same_and_takes_nothing(cli, bring):
    """What the ledger has already is known there too, and what the file has twice."""
    bring(START)

    done = bring(START, END, END, "x", options=("--dry-run",), status=1)

    assert (1, 2, 1, True) == (done["new"], done["known"], done["refused"], done["dry_run"])
    assert "waiting" == _stored(cli)["c-1"]["state"]


def test_a_call_that_came_by_webhook_is_known_and_gets_no_revision(cli, bring):
    """A complete call whose every value is there adds nothing, though no event equals it; a changed one does."""
    cli.fill(lambda book: book.event(START))
    cli.fill(lambda book: book.event(END, kind="update"))

    assert (0, 1) == _new_and_known(bring(WHOLE))
    assert 1 == _stored(cli)["c-1"]["revision"]
    assert (1, 0) == _new_and_known(bring(WHOLE | {"PLA_Duration": "51s"}))
    assert 51 == _stored(cli)["c-1"]["call"]["duration"]


@pytest.mark.parametrize(
    ("before", "line"),
    [
        (START, END),
        (END, START),
        ({"PLA_Call_Id": "c-1", "PLA_RecordingFile": "r"}, {"PLA_Call_Id": "c-1", "PLA_CallResult": "Answered"}),
        (START, {**START, "PLA_Answering_Point": "p"}),
        ({**START, "PLA_CallResult": "Busy"}, END),
    ],
)
def test_what_completes_or_changes_a_call_is_new(bring, before, line):
    """The other half of a call, a whole end after a partial one, another value."""
    bring(before)

    assert 1 == bring(line)["new"]


def test_an_end_without_values_beyond_the_start_is_known_only_after_an_end(bring):
    """An event stands for its side, whatever it carries."""
    end = {"PLA_Call_Id": "c-1", "PLA_CallResult": "Answered"}
    bring({**START, "PLA_Answering_Point": "p", "PLA_RecordingFile": "r"})

    assert (1, 0) == _new_and_known(bring(end))
    assert (0, 1) == _new_and_known(bring({**end, **START}))


def test_of_two_ends_in_one_file_the_later_line_stands(cli, bring):
    """The order of the file is the order of receipt."""
    bring(START, END | {"PLA_Duration": "10s"}, END | {"PLA_Duration": "20s"})

    assert 20 == _stored(cli)["c-1"]["call"]["duration"]


def test_a_removed_call_is_known(cli, bring):
    """Its id alone is left, so it is not delivered again."""
    bring(WHOLE)
    cli.fill(lambda book: admin.erase_calls(book.ledger, ["c-1"], remember_s=60))

    assert {"new": 0, "known": 1, **NOTHING_REFUSED} == bring(WHOLE)
    assert (0, 1) == _new_and_known(bring(WHOLE, options=("--dry-run",)))


def test_what_redis_would_not_store_is_refused(cli, bring):
    """A foreign key in the place of a call spoils that call alone."""

    async def spoil(book):
        await book.ledger.redis.set("sb:c:c-1", "foreign")

    cli.fill(spoil)
    done = bring(WHOLE, WHOLE | {"PLA_Call_Id": "c-2"}, status=1)

    assert (1, [{"line": 1, "reason": "Redis would not store it"}]) == (done["new"], done["refusals"])


def test_a_redis_that_is_away_is_status_1(cli, tmp_path):
    """One sentence; the same import again takes it all."""
    (tmp_path / "calls.jsonl").write_text(json.dumps(WHOLE))

    result = cli.run("import", str(tmp_path / "calls.jsonl"), status=1, REDIS_URL="redis://127.0.0.1:1/0")

    assert result.stderr.startswith("Redis does not answer")


HEADER = "PLA_Call_Id,PLA_Caller_Phone_Number,PLA_CallResult,PLA_Duration,PLA_City"


def test_csv_with_delacons_names_is_taken_row_by_row(cli, bring):
    """Empty cells are absent values, quoted cells may hold anything, and empty rows are passed over."""
    done = bring(
        "\ufeff" + HEADER, 'c-1,+61491570156,Answered,50s,"Sydney, ""the"" city"', ",,,,", "",
        '"c-2",0491570157,,,"two', 'lines"', "c-3,0491570158,Busy,0s,", name="calls.csv",
    )  # fmt: skip

    assert {"new": 3, "known": 0, **NOTHING_REFUSED} == done
    stored = _stored(cli)
    assert ('Sydney, "the" city', 50) == tuple(stored["c-1"]["call"][name] for name in ("city", "duration"))
    assert ("waiting", "two\nlines") == (stored["c-2"]["state"], stored["c-2"]["call"]["city"])
    assert "city" not in stored["c-3"]["call"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_csv_as_other_countries_write_it(cli, bring, delimiter):
    """The delimiter is the one that the header has most of, and lines may end as on Windows."""
    text = f"{HEADER}\r\nc-1,+61491570156,Answered,50s,Perth\r\n".replace(",", delimiter)

    assert 1 == bring(text, name="calls.txt")["new"]
    assert "Perth" == _stored(cli)["c-1"]["call"]["city"]


def test_csv_columns_are_named_in_the_configuration(cli, bring):
    """Columns that stand for nothing of Delacon's are left out."""
    cli.configure(CONFIG + '[import.columns]\n"Call ID" = "PLA_Call_Id"\nCaller = "PLA_Caller_Phone_Number"\n')

    assert 1 == bring("Call ID,Notes,Caller,PLA_City", "c-1,call back,0491570156,Perth", name="calls.csv")["new"]
    call = _stored(cli)["c-1"]
    assert ("+61491570156", "Perth") == (call["call"]["caller"], call["call"]["city"])
    assert "call back" not in json.dumps(call)


def test_damaged_csv_rows_are_refused_by_the_line_they_begin_on(bring):
    """Too few or too many cells, a stray quote, bytes that are no text; the rows after them are read."""
    done = bring(
        HEADER, "c-1,0491570156", "c-2,0491570156,Busy,1s,Perth,more", 'c-3,"0491570156"x,Busy,1s,Perth',
        b"c-4,0491570156,Busy,1s,\xff", ",0491570156,Busy,1s,Perth", "c-5," + "9" * 70_000 + ",Busy,1s,",
        'c-6,"two', 'lines",Busy,1s', "c-7,0491570156,Busy,1s,Perth", name="calls.csv", status=1,
    )  # fmt: skip

    assert (1, [2, 3, 4, 5, 6, 7, 8]) == (done["new"], [refusal["line"] for refusal in done["refusals"]])
    assert [
        "2 cells, and the header has 5",
        "6 cells, and the header has 5",
        "',' expected after '\"'",
        "not UTF-8",
        "PLA_Call_Id is missing",
        "longer than 65536 bytes",
        "4 cells, and the header has 5",
    ] == [refusal["reason"] for refusal in done["refusals"]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("caller,result\n1,2", "its header has no column PLA_Call_Id"),
        ("", "its header has no column PLA_Call_Id"),
        ("PLA_Call_Id,PLA_City, PLA_City\n1,2,3", "two columns of its header stand for PLA_City"),
        ('PLA_Call_Id,"PLA_City"x', "its header cannot be read"),
        (b"PLA_Call_Id,\xff", "its header cannot be read: not UTF-8"),
        ('[{"PLA_Call_Id": "1"}]', "it is one JSON array"),
    ],
)
def test_a_file_that_is_nothing_of_the_kind_is_wrong_use(cli, tmp_path, text, why):
    """Status 2, with the reason and nothing of the file."""
    file = tmp_path / "calls"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())

    result = cli.run("import", str(file), status=2)

    assert why in result.stderr
    assert "" == result.stdout


def test_standard_input_is_a_file_too(cli):
    """- stands for it; what it holds is told by how it begins."""
    result = cli.run("import", "-", input=f"{json.dumps(WHOLE)}\n")

    assert "1 new, 0 known, 0 refused\n" == result.stdout
    dry = cli.run("import", "-", "--dry-run", input=json.dumps(WHOLE))
    assert "0 would be new, 1 known, 0 refused" == dry.stdout.splitlines()[0]


def test_a_missing_file_is_wrong_use(cli):
    """Status 2."""
    cli.run("import", "/nowhere/calls.jsonl", status=2)
