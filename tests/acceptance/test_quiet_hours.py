"""A lead waits for the caller's own morning, and is cancelled when the caller gets through meanwhile."""

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.acceptance.looks import command
from tests.acceptance.stack import CONFIG, Stack

PERTH, SYDNEY = "+61892001234", "+61255501234"
DIALLER = CONFIG.replace('to = ["law", "dialler", "crm"]', 'to = ["dialler"]')
QUIET = 'quiet_hours = "{hours}"\ntimezone = "Australia/Sydney"\ncancel_when_answered = "24h"'


def _call(call_id: str, caller: str, result: str) -> bytes:
    start = f"{int(datetime.now(ZoneInfo('UTC')).timestamp() * 1000):020}"
    return json.dumps(
        {
            "PLA_Call_Id": call_id, "PLA_CID": "123", "PLA_Caller_Phone_Number": caller, "PLA_CallStartTime": start,
            "PLA_CallResult": result, "PLA_Duration": "50s",
        }
    ).encode()  # fmt: skip


def _lead(stack: Stack, call_id: str) -> dict[str, str]:
    found = command(stack, "calls", "show", call_id)[1]["deliveries"]
    return dict(found[0]) if found else {}


def test_a_lead_waits_for_its_callers_morning_and_is_cancelled_when_the_caller_gets_through(make_stack):
    """It is night in Perth and day in Sydney, by hours that are laid around the present."""
    perth = datetime.now(ZoneInfo("Australia/Perth"))
    # Two or three hours lie between the two: an hour before and half an hour after Perth's present is past in Sydney.
    begin, end = perth - timedelta(hours=1), perth + timedelta(minutes=30)
    hours = f"{begin:%H:%M}-{end:%H:%M}"
    stack = make_stack(config=DIALLER, common="")
    file = stack.folder / "switchboard.toml"
    file.write_text(
        file.read_text().replace('type = "motor-trade"', 'type = "motor-trade"\n' + QUIET.format(hours=hours))
    )
    stack.start()
    assert 200 == stack.post("", _call("night", PERTH, "Unanswered"))[0]
    assert 200 == stack.post("", _call("day", SYDNEY, "Unanswered"))[0]
    stack.wait_for(lambda: len(stack.records("comunik8")) == 1, 30, "the lead of Sydney")
    stack.wait_for(lambda: _lead(stack, "night").get("reason") == "quiet_hours", 20, "the lead of Perth to wait")
    waiting = _lead(stack, "night")
    command(stack, "deliveries", "retry", "night:dialler:create", "--yes")
    stack.wait_for(lambda: _lead(stack, "night").get("reason") == "quiet_hours", 20, "it to wait again")
    sent_at_night = stack.requests("comunik8")

    assert 200 == stack.post("", _call("through", PERTH, "Answered"))[0]
    stack.wait_for(lambda: _lead(stack, "night")["state"] == "cancelled", 30, "the withdrawal")

    assert ("queued", []) == (waiting["state"], waiting["attempts"])
    assert 1 == sent_at_night == stack.requests("comunik8")
