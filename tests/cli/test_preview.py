"""``switchboard preview``: the requests that a call would make."""

import json

import pytest

from tests.cli.conftest import CONFIG

START = {
    "PLA_Call_Id": "1122334",
    "PLA_Caller_Phone_Number": "+61491570156",
    "PLA_CID": "123",
    "PLA_Dealer_Name": "Law",
}
END = {"PLA_Call_Id": "1122334", "PLA_CallResult": "Answered", "PLA_Duration": "50s"}


@pytest.fixture
def write(tmp_path):
    """Return a writer of files."""

    def write(value):
        file = tmp_path / "call.json"
        file.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        return str(file)

    return write


def _by_name(shown):
    return {one["destination"]: one for one in shown["deliveries"]}


def test_shows_each_destinations_request(cli, write):
    """Method, URL, blanked headers and the body as it would go out; no Redis is needed."""
    shown = cli.json("preview", write({**START, **END}), REDIS_URL="")

    assert ["law", "crm"] == shown["routes"]
    law, crm = _by_name(shown)["law"], _by_name(shown)["crm"]
    assert ("POST", "http://127.0.0.1:9/captorra") == (law["request"]["method"], law["request"]["url"])
    assert ("111111", "0491570156", "50") == tuple(
        law["request"]["body"][key] for key in ("CaptorraId", "ANI", "String14")
    )
    assert {"Authorization": "[blanked]"} == crm["request"]["headers"]
    assert (True, "") == (law["sent"], law["reason"])
    assert "a-kapture-key" not in cli.run("preview", write({**START, **END})).stdout


def test_takes_a_list_of_events_and_standard_input(cli, write):
    """A pair of events makes the same call as one object with the keys of both."""
    whole = cli.json("preview", write({**START, **END}))["deliveries"]
    pair = cli.json("preview", write([START, END]))["deliveries"]

    assert [one["request"]["url"] for one in whole] == [one["request"]["url"] for one in pair]
    assert "would be sent" in cli.run("preview", "-", input=json.dumps([START, END])).stdout


def test_a_list_may_hold_any_number(cli, write):
    """Also one that no 64 bits hold."""
    shown = cli.json("preview", write([START, {**END, "extra": 10**30}]))

    assert START["PLA_Call_Id"] == shown["call"]["call_id"]


def test_the_documents_own_trailing_comma_is_mended(cli, write):
    """As the receiver does."""
    assert "1122334" == cli.json("preview", write('{"PLA_Call_Id": "1122334", "PLA_CID": "1",}'))["call"]["call_id"]


def test_keys_in_urls_are_blanked(cli, write):
    """Comunik8's stands in the query."""
    [lead] = cli.json("preview", write({**START, **END, "PLA_CallResult": "Busy"}))["deliveries"]

    assert "http://127.0.0.1:9/comunik8/lead/add?key=[blanked]" == lead["request"]["url"]


def test_cuts_and_empty_fields_are_told(cli, write):
    """A text over the vendor's limit is cut and noted; what the call lacks is named."""
    law = _by_name(cli.json("preview", write({**START, **END, "PLA_Keywords_Searched": "x" * 400})))["law"]

    assert any("String06" in note for note in law["notes"])
    assert 300 == len(law["request"]["body"]["String06"])
    assert "String04" in law["missing"]


def test_what_would_be_skipped_says_why(cli, write):
    """Without a caller there is no request; a call too old shows the request that is not sent."""
    withheld = cli.json("preview", write({**START, **END, "PLA_Caller_Phone_Number": "Private"}))["deliveries"]
    assert {(False, "no_caller", None)} == {(one["sent"], one["reason"], one["request"]) for one in withheld}

    cli.configure(CONFIG.replace('max_age = "off"\n', ""))
    old = {**START, **END, "PLA_CallResult": "Busy", "PLA_CallStartTime": "00000001556755937003"}
    [lead] = cli.json("preview", write(old))["deliveries"]
    assert (False, "too_old") == (lead["sent"], lead["reason"])
    assert lead["request"]["body"]
    assert "would not be sent (too_old)" in cli.run("preview", write(old)).stdout


def test_a_destination_can_be_named(cli, write):
    """Whatever the routes say; an unknown one is status 1."""
    shown = cli.json("preview", write({**START, **END}), "--destination", "dialler")

    assert ["dialler"] == [one["destination"] for one in shown["deliveries"]]
    assert "answered" == shown["deliveries"][0]["reason"]
    cli.run("preview", write(START), "--destination", "nobody", status=1)


@pytest.mark.parametrize(
    "text", ["nonsense", "[]", "[1]", '{"PLA_CID": "1"}', '[{"PLA_Call_Id": "1"}, {"PLA_Call_Id": "2"}]']
)
def test_what_is_no_call_is_status_1(cli, write, text):
    """With the receiver's own words."""
    assert cli.run("preview", write(text), status=1).stderr


def test_a_file_that_is_not_there_is_wrong_use(cli):
    """Status 2."""
    cli.run("preview", "/nowhere/call.json", status=2)
