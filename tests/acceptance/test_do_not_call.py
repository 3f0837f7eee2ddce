"""A dialler that asks for a do-not-call list is sent nothing until one is loaded, and then all that is not on it."""

import json
import subprocess
import sys

from tests.acceptance.looks import command
from tests.acceptance.stack import CONFIG, Stack

DIALLER = CONFIG.replace('to = ["law", "dialler", "crm"]', 'to = ["dialler"]').replace(
    'type = "motor-trade"', 'type = "motor-trade"\ndo_not_call = "31d"\ncancel_when_answered = "24h"'
)
LISTED, OTHER, THROUGH = "+61491570156", "+61491570157", "+61491570158"


def _post(stack: Stack, call_id: str, caller: str, result: str) -> None:
    values = {
        "PLA_Call_Id": call_id, "PLA_CID": "123", "PLA_Caller_Phone_Number": caller, "PLA_CallResult": result,
        "PLA_Duration": "9s",
    }  # fmt: skip
    assert 200 == stack.post("", json.dumps(values).encode())[0]


def _state(stack: Stack, call_id: str) -> tuple[str, str]:
    found = command(stack, "calls", "show", call_id)[1]["deliveries"]
    return (found[0]["state"], found[0]["reason"]) if found else ("", "")


def test_leads_wait_for_a_list_and_go_out_when_one_is_loaded(make_stack):
    """One that is on it is skipped, one whose caller got through meanwhile is cancelled, and nothing rings before."""
    stack = make_stack(config=DIALLER)
    stack.start()
    for call_id, caller in (("listed", LISTED), ("other", OTHER), ("through", THROUGH)):
        _post(stack, call_id, caller, "Unanswered")
    for call_id in ("listed", "other", "through"):
        stack.wait_for(lambda one=call_id: _state(stack, one) == ("held", "no_fresh_list"), 20, f"{call_id} to wait")
    _post(stack, "answered", THROUGH, "Answered")
    stack.wait_for(lambda: _state(stack, "through")[0] == "cancelled", 20, "the withdrawal")
    rung_before = stack.requests("comunik8")
    problems = command(stack, "doctor")[1]["problems"]

    file = stack.folder / "list.txt"
    file.write_text("0491 570 156\n")
    loaded = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "suppress", "import", str(file), "--json"], env=stack.environ,
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    stack.wait_for(lambda: _state(stack, "other")[0] == "delivered", 20, "the lead that waited")
    stack.wait_for(lambda: _state(stack, "listed") == ("skipped", "suppressed"), 20, "the one on the list")

    assert 0 == rung_before
    assert any("dialler holds its leads" in one for one in problems)
    assert (1, 2) == tuple(json.loads(loaded.stdout)[name] for name in ("numbers", "released"))
    assert [OTHER[3:]] == [record["values"]["mobile"].lstrip("0") for record in stack.records("comunik8")]
