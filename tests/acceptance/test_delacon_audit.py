"""The audit against Delacon's own list: what is missing is found exactly, and taken in once."""

import json
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.looks import command, receiver_metrics
from tests.acceptance.stack import CONFIG, Stack

SYDNEY = ZoneInfo("Australia/Sydney")
DELACON = """
[delacon]
report_url = "{url}/delacon/report.jsp"
auth = "{auth}"
service_ids = ["101", "102"]
timezone = "{zone}"
"""
LAW_ALONE = CONFIG.replace('to = ["law", "dialler", "crm"]', 'to = ["law"]')
DAYS = ("2026-10-03", "2026-10-04", "2026-10-05")
"""The clocks go forward on the second."""
CALLS = {"2026-10-03": 3333, "2026-10-04": 3334, "2026-10-05": 3333}
ZONES = ("Australia/Sydney", "Europe/London", "America/New_York", "Pacific/Honolulu")
MORNING, EVENING = 6, 23
"""It is day in one of these zones whenever the test runs."""
REMOVED, DOUBLED, LATE = 37, 12, 5


def _rows(day: str, *, calls: int = 3, zone: ZoneInfo = SYDNEY) -> list[dict[str, str]]:
    """Return what Delacon lists for a day: from its first second to its last, by the clock on the wall."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=zone)
    tomorrow = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=zone)
    step = (tomorrow.timestamp() - 1 - midnight.timestamp()) / (calls - 1)
    rows = []
    for number in range(calls):
        at = datetime.fromtimestamp(midnight.timestamp() + number * step, zone)
        rows.append(
            {
                "rowid": f"{day}-{number}", "cid": "101" if number % 2 else "102",
                "datetime": at.strftime("%d/%m/%Y %H:%M:%S"), "dialfrom": f"04915{number:05}",
                "result": "Answered", "timesec": "50",
            }
        )  # fmt: skip
    return rows


def _lay(stack: Stack, rows: list[dict[str, str]]) -> None:
    data = json.dumps(rows).encode()
    urllib.request.urlopen(f"{stack.standins_url}/delacon/rows", data=data, timeout=30).close()


def _webhook(row: dict[str, str]) -> dict[str, str]:
    local = datetime.strptime(row["datetime"], "%d/%m/%Y %H:%M:%S").replace(tzinfo=SYDNEY)
    return {
        "PLA_Call_Id": row["rowid"], "PLA_CID": row["cid"], "PLA_Caller_Phone_Number": row["dialfrom"],
        "PLA_CallStartTime": f"{int(local.timestamp() * 1000):020}", "PLA_CallResult": "Answered",
        "PLA_Duration": "50s",
    }  # fmt: skip


@pytest.mark.load
def test_three_days_are_audited_and_mended_exactly(make_stack):
    """Of 10,000 calls 37 never came by webhook, 12 stand twice in the report, 5 come late."""
    stack = make_stack(
        config=LAW_ALONE + DELACON, auth="standin-delacon-key", zone="Australia/Sydney", common='phone_format = "e164"'
    )
    stack.start()
    rows = [row for day in DAYS for row in _rows(day, calls=CALLS[day])]
    removed = {row["rowid"] for row in rows[7 :: len(rows) // REMOVED][:REMOVED]}
    present = [row for row in rows if row["rowid"] not in removed]
    late = present[-LATE:]
    _lay(stack, [*rows, *rows[100 : 100 + DOUBLED]])
    with ThreadPoolExecutor(4) as senders:
        statuses = set(senders.map(lambda row: stack.post("", _webhook(row))[0], present[:-LATE]))
    assert {200} == statuses
    expected = len(present) - LATE
    stack.wait_for(lambda: stack.requests("captorra") == expected, 300, "the deliveries")

    before = [command(stack, "delacon", "audit", "--day", day)[1] for day in DAYS]
    for row in late:
        assert 200 == stack.post("", _webhook(row))[0]
    stack.wait_for(lambda: stack.requests("captorra") == len(present), 60, "the late ones")
    mended = [command(stack, "delacon", "audit", "--day", day, "--fix")[1] for day in DAYS]
    stack.wait_for(lambda: stack.requests("captorra") == len(rows), 60, "what was taken in")
    again = [command(stack, "delacon", "audit", "--day", day, "--fix")[1] for day in DAYS]

    assert list(CALLS.values()) == [one["there"] for one in before]
    assert REMOVED + LATE == sum(one["missing"] for one in before)
    assert len(present) - LATE == sum(one["delivered"] for one in before)
    assert REMOVED == sum(one["taken"] for one in mended)
    assert [(calls, calls, 0, calls, 0) for calls in CALLS.values()] == [
        (one["there"], one["here"], one["missing"], one["delivered"], one["taken"]) for one in again
    ]
    assert {"101": 1667, "102": 1667} == {name: one["delivered"] for name, one in again[1]["services"].items()}
    records = stack.records("captorra")
    assert {row["rowid"] for row in rows} == {one["id"] for one in records}
    assert {1} == {one["posts"] for one in records}
    shown = command(stack, "report", "--since", "2026-10-03T00:00:00+10:00", "--until", "2026-10-06T00:00:00+11:00")[1]
    assert (3, 10_000, 10_000, 0, 10_000) == tuple(
        shown["delacon"][name] for name in ("days", "there", "here", "missing", "delivered")
    )
    # The morning's run has audited yesterday by itself: that is the newest day.
    stack.wait_for(partial(_shows, stack, 'switchboard_delacon_calls{is="there"}'), 30, "the audit's figures")


def _shows(stack: Stack, line: str) -> bool:
    return line in receiver_metrics(stack)


ALERT = """
[[alerts]]
when = ["audit"]
for = "1s"
to = ["{url}/alerts"]
"""


def test_a_password_that_has_expired_is_told_and_a_mended_day_ends_it(make_stack):
    """Delacon sends a web page: status 1 and an alert, not a day without calls; with its key the day is audited."""
    stack = make_stack(config=LAW_ALONE + DELACON + ALERT, auth="an-expired-key", zone="Australia/Sydney", common="")
    stack.start()
    day = (datetime.now(SYDNEY) - timedelta(days=1)).date().isoformat()
    _lay(stack, _rows(day)[:1])
    status = _audit(stack, day)
    file = stack.folder / "switchboard.toml"
    stack.wait_for(lambda: _told(stack) == ["alert.begun"], 30, "the alert")
    file.write_text(file.read_text().replace("an-expired-key", "standin-delacon-key"))
    mended = command(stack, "delacon", "audit", "--day", day, "--fix")
    stack.wait_for(lambda: stack.requests("captorra") == 1, 30, "the call")
    done = command(stack, "delacon", "audit", "--day", day)
    stack.wait_for(lambda: _told(stack)[:2] == ["alert.begun", "alert.ended"], 40, "the end")

    assert 1 == status
    assert (0, 1) == (mended[0], mended[1]["taken"])
    assert (1, 1, 0, 1) == tuple(done[1][name] for name in ("there", "here", "missing", "delivered"))


def _audit(stack: Stack, day: str) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "delacon", "audit", "--day", day],
        env=stack.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "password" in done.stderr
    assert "an-expired-key" not in done.stderr
    return done.returncode


def _told(stack: Stack) -> list[str]:
    with urllib.request.urlopen(f"{stack.standins_url}/control/requests?vendor=alerts", timeout=10) as reply:
        requests = json.load(reply)["requests"]
    return [json.loads(one["body"])["type"] for one in requests]


def test_the_morning_of_a_day_audits_the_one_before(make_stack, free_port):
    """By itself, by whichever worker takes chores; a day that is complete is not looked at again."""
    zone = next(one for one in map(ZoneInfo, ZONES) if MORNING <= datetime.now(one).hour < EVENING)
    stack = make_stack(config=LAW_ALONE + DELACON, auth="standin-delacon-key", zone=str(zone), common="")
    yesterday = (datetime.now(zone) - timedelta(days=1)).date().isoformat()
    _lay(stack, _rows(yesterday, zone=zone))
    stack.start()
    stack.wait_for(lambda: '"event":"delacon.audited"' in stack.log("worker0"), 30, "the morning's run")

    assert f'"day":"{yesterday}","there":3,"here":0,"missing":3' in stack.log("worker0")
