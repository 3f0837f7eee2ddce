"""The sample calls and the bundled configuration: what they hold, and that they name no real person."""

import json
import re
import tomllib
from pathlib import Path

import deploy.local
from deploy.local.standins.store import Accounts

FOLDER = Path(deploy.local.__file__).parent
LINES = [json.loads(line) for line in (FOLDER / "calls.jsonl").read_text(encoding="utf-8").splitlines()]
BODIES = [line["body"] for line in LINES if "body" in line]
CONFIGURATION = tomllib.loads((FOLDER / "switchboard.toml").read_text(encoding="utf-8"))

# Reserved for fiction: Ofcom 01632 960xxx and 07700 900xxx, NANP 555-01xx, ACMA 0491 570 xxx.
FICTION = re.compile(r"(\+?441632960|\+?447700900|\+?1\d{3}55501|\+?61491570|0491570)\d{2,3}")


def test_every_line_is_one_webhook():
    """A line has a path, and either a body or a raw text."""
    for line in LINES:
        assert line.keys() in ({"path", "body"}, {"path", "raw"})
        assert line["path"] in {"create", "update", "either"}


def test_there_are_calls_of_every_kind():
    """At least 12 calls: answered, missed, busy, voicemail, withheld, and callers of three countries."""
    callers = " ".join(str(body.get("PLA_Caller_Phone_Number")) for body in BODIES)
    results = {str(body.get("PLA_CallResult")).lower() for body in BODIES}

    assert 12 <= len({body["PLA_Call_Id"] for body in BODIES})
    assert {"answered", "unanswered", "busy"} <= results
    assert all(prefix in callers for prefix in ("+614", "+1212", "+4416", "Private"))
    assert any(body.get("PLA_VoicemailLeft") == "Yes" for body in BODIES)


def test_the_documents_own_samples_stand_verbatim():
    """Start and end of call 1122334 come first, with the trailing comma and the leading space."""
    start, end = LINES[0], LINES[1]

    assert ("create", "update") == (start["path"], end["path"])
    assert '"PLA_CallStartTime":"00000001556755937003"' in start["raw"]
    assert end["raw"].endswith('"PLA_RecordingFile":" https://pla.delaconcorp.com......abc.wav",\n}')


def test_only_numbers_reserved_for_fiction_call():
    """Beside the document's own sample, no caller can be a real person."""
    callers = [str(body["PLA_Caller_Phone_Number"]) for body in BODIES if "PLA_Caller_Phone_Number" in body]
    numbers = ["".join(caller.split()) for caller in callers if caller not in {"", "Private"}]

    assert numbers
    assert [] == [number for number in numbers if not FICTION.fullmatch(number)]


def test_a_missed_caller_is_answered_later():
    """One caller's missed call is followed by an answered one, so that a lead is withdrawn."""
    calls: dict[str, dict[str, str]] = {}
    for body in BODIES:
        calls.setdefault(body["PLA_Call_Id"], {}).update(body)
    missed, later = (calls[name] for name in ("SB-1013-missed-then-answered", "SB-1018-later-answered"))

    assert missed["PLA_Caller_Phone_Number"] == later["PLA_Caller_Phone_Number"]
    assert ("Unanswered", "Answered") == (missed["PLA_CallResult"], later["PLA_CallResult"])


def test_times_are_relative():
    """Every start time but the document's is counted back from the moment of sending."""
    times = [body["PLA_CallStartTime"] for body in BODIES if "PLA_CallStartTime" in body]

    assert all(re.fullmatch(r"0000000\{\{now_ms-\d+\}\}", moment) for moment in times)


def test_the_bundled_keys_open_the_stand_ins():
    """The configuration's keys are the stand-ins' defaults, and every url is theirs."""
    accounts, tables = Accounts(), CONFIGURATION["destinations"]

    assert tables["crm"]["auth_key"] in accounts.kapture_keys
    assert tables["dialler"]["api_key"] in accounts.comunik8_keys
    assert tables["dialler"]["type"] in accounts.comunik8_types
    assert tables["smith-law"]["captorra_id"] in accounts.captorra_ids
    assert CONFIGURATION["callcap"]["api_key"] in accounts.callcap_keys
    assert all(table["url"].startswith("${STANDINS_URL}/") for table in [*tables.values(), CONFIGURATION["callcap"]])
