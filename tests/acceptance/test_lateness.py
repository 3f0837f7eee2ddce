"""Order and lateness over real processes: ends that never come, starts that come late, ends that change."""

import json
from datetime import datetime
from itertools import pairwise

from deploy.cli.rendering import CHANGED_SINCE
from tests.acceptance.looks import command, request_log
from tests.acceptance.stack import VENDORS, end_of, landed, start_of

CHANGED_END = {"PLA_CallResult": "Busy", "PLA_Duration": "70s"}


def test_a_call_whose_end_never_comes_is_delivered_as_it_is(make_stack):
    """``end_wait`` after its start it goes to every vendor, without a result."""
    stack = make_stack(end_wait="2s")
    stack.start()

    stack.post("create", start_of("endless"))
    stack.wait_for(lambda: landed(stack, 1), 20, "three records")
    [request] = request_log(stack, "kapture")
    _, call = command(stack, "calls", "show", "endless")

    assert "type" not in json.loads(request["body"])
    assert ("ready", 1, None) == (call["state"], len(call["events"]), call["call"].get("result"))
    began = datetime.fromisoformat(call["events"][0]["received_at"])
    assert request["received_ms"] / 1000 - began.timestamp() >= 2


def test_an_end_without_a_start_is_a_dead_letter_until_its_start_comes(make_stack):
    """After ``start_wait`` it is listed for ``calls``; the late start takes it off the list and delivers by itself."""
    stack = make_stack(start_wait="1s")
    stack.start()

    stack.post("update", end_of("startless"))
    stack.wait_for(lambda: "call.no_start" in stack.log("worker0"), 20, "the dead letter")
    [letter] = command(stack, "dead", "list")[1]

    assert ("startless:calls:start", "calls", "no_start") == (letter["key"], letter["destination"], letter["reason"])
    assert "no_start" == command(stack, "calls", "show", "startless")[1]["state"]
    assert [0, 0, 0] == [stack.requests(vendor) for vendor in VENDORS]

    stack.post("create", start_of("startless"))
    stack.wait_for(lambda: landed(stack, 1), 20, "three records")
    assert [] == command(stack, "dead", "list")[1]
    assert "answered" == json.loads(request_log(stack, "kapture")[0]["body"])["type"]


def test_a_changed_end_updates_kapture_and_is_noted_elsewhere(make_stack):
    """One request more at Kapture and the same record; none at the others, where the delivery carries a note."""
    stack = make_stack()
    stack.start()
    stack.post("create", start_of("changed"))
    stack.post("update", end_of("changed"))
    stack.wait_for(lambda: landed(stack, 1), 20, "three records")

    stack.post("update", {"PLA_Call_Id": "changed"} | CHANGED_END)
    stack.wait_for(lambda: stack.requests("kapture") == 2, 20, "the update")
    stack.wait_for(lambda: '"changed:crm:update-2"' in stack.log("worker0"), 10, "its end")
    [customer] = stack.records("kapture")
    _, call = command(stack, "calls", "show", "changed")
    notes = {delivery["destination"]: delivery["notes"] for delivery in call["deliveries"]}

    assert "busy" == customer["values"]["type"]
    assert ["added", "updated"] == customer["history"]
    assert [1, 1, 2] == [stack.requests(vendor) for vendor in VENDORS]
    assert (2, 70) == (call["revision"], call["call"]["duration"])
    assert CHANGED_SINCE in notes["law"]
    assert CHANGED_SINCE in notes["dialler"]
    assert CHANGED_SINCE not in notes["crm"]


def test_the_calls_of_one_caller_reach_kapture_one_at_a_time(make_stack):
    """Twenty at once, at a slow vendor, with two workers: requests never overlap, and one customer exists."""
    stack = make_stack()
    stack.start(workers=2)
    stack.lay_fault({"vendor": "kapture", "latency_ms": 50})
    for number in range(20):
        stack.post("create", start_of(f"same-{number}"))
        stack.post("update", end_of(f"same-{number}"))

    stack.wait_for(lambda: stack.requests("kapture") == 20, 30, "twenty requests")
    stack.wait_for(lambda: all(request["answered_ms"] for request in request_log(stack, "kapture")), 10, "answers")
    requests = sorted(request_log(stack, "kapture"), key=lambda request: request["received_ms"])
    [customer] = stack.records("kapture")

    assert [200] * 20 == [request["status"] for request in requests]
    for earlier, later in pairwise(requests):
        assert earlier["answered_ms"] <= later["received_ms"]
    assert ["added", *["updated"] * 19] == customer["history"]
