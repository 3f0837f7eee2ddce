"""Two law firms behind one Switchboard: each has its own Captorra account and sees its own calls alone."""

import json
from datetime import UTC, datetime
from typing import Any

from tests.acceptance.looks import command, request_log
from tests.acceptance.stack import Stack

SMITH_REFERRER = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
JONES_REFERRER = "0e984725-c51c-4bf4-9960-e1c80e27aba0"
CONFIG = f"""
[receiver]
tokens = ["{{token}}"]

[destinations.smith]
vendor = "captorra"
url = "{{url}}/captorra/api/captorracalltracking/create"
captorra_id = "111111"
referrer = "{SMITH_REFERRER}"
timezone = "Australia/Sydney"

[destinations.jones]
vendor = "captorra"
url = "{{url}}/captorra/api/captorracalltracking/create"
captorra_id = "222222"
referrer = "{JONES_REFERRER}"
timezone = "America/New_York"

[[routes]]
to = ["smith"]
service_ids = ["123", "124"]

[[routes]]
to = ["jones"]
service_ids = ["456"]
"""
STARTED = datetime(2026, 3, 2, 0, 12, tzinfo=UTC)
SERVICES = {"123": "smith", "124": "smith", "456": "jones"}
PER_SERVICE = 5


def test_each_firm_gets_its_own_calls_under_its_own_account(make_stack):
    """Id, Referrer and the clock of the account are the firm's own; neither gets a call of the other or of nobody."""
    stack = make_stack(config=CONFIG)
    stack.start()
    firms = {f"{service}-{place}": firm for place in range(PER_SERVICE) for service, firm in SERVICES.items()}
    for call_id in firms:
        _push(stack, call_id, service=call_id.partition("-")[0])
    _push(stack, "nobodys", service="12")
    stack.wait_for(lambda: len(stack.records("captorra")) == len(firms), 20, "a record of every call")
    stack.wait_for(lambda: '"nobodys"' in stack.log("worker0"), 20, "the plan of the call that is nobody's")

    sent = [json.loads(request["body"]) for request in request_log(stack, "captorra")]
    assert sorted(firms) == sorted(body["ID"] for body in sent)
    assert {
        (call_id, *{"smith": ("111111", SMITH_REFERRER), "jones": ("222222", JONES_REFERRER)}[firm])
        for call_id, firm in firms.items()
    } == {(body["ID"], body["CaptorraId"], body["Referrer"]) for body in sent}
    dates = {"smith": "03/02/2026 11:12 AM", "jones": "03/01/2026 7:12 PM"}
    for record in stack.records("captorra"):
        firm = firms[record["id"]]
        assert {"smith": "111111", "jones": "222222"}[firm] == record["account"] == record["values"]["CaptorraId"]
        assert dates[firm] == record["values"]["Date"]
        assert ["added"] == record["history"]
    shown = command(stack, "calls", "show", "nobodys")[1]
    assert ("unrouted", []) == (shown["state"], shown["deliveries"])


def test_a_firm_whose_account_is_refused_does_not_hold_the_other_up(make_stack):
    """Its calls are held for it and go nowhere else; the other firm's are delivered."""
    stack = make_stack(config=CONFIG.replace("222222", "333333"))
    stack.start()
    for call_id, service in (("j-1", "456"), ("s-1", "123"), ("j-2", "456"), ("s-2", "124")):
        _push(stack, call_id, service=service)
    stack.wait_for(lambda: len(stack.records("captorra")) == 2, 20, "the records of one firm")
    stack.wait_for(lambda: _deliveries(stack, "jones") == {"j-1": "held", "j-2": "held"}, 30, "the other's, held")

    assert {"s-1": "111111", "s-2": "111111"} == {one["id"]: one["account"] for one in stack.records("captorra")}
    assert {"s-1": "delivered", "s-2": "delivered"} == _deliveries(stack, "smith")


def _push(stack: Stack, call_id: str, *, service: str) -> None:
    """Push both webhooks of a call to a service; all are of one caller."""
    start: dict[str, Any] = {
        "PLA_CID": service,
        "PLA_Dealer_Name": "Intake",
        "PLA_Caller_Phone_Number": "+61491570156",
        "PLA_CallStartTime": f"{int(STARTED.timestamp() * 1000):020}",
    }
    assert 200 == stack.post("create", {"PLA_Call_Id": call_id} | start)[0]
    ended = {"PLA_CID": service, "PLA_CallResult": "Answered", "PLA_Duration": "50s"}
    assert 200 == stack.post("update", {"PLA_Call_Id": call_id} | ended)[0]


def _deliveries(stack: Stack, destination: str) -> dict[str, str]:
    """Return the state of each call at a destination."""
    _, deliveries = command(stack, "deliveries", "list", "--destination", destination)
    return {delivery["key"].partition(":")[0]: delivery["state"] for delivery in deliveries}
