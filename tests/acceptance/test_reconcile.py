"""``switchboard kapture reconcile`` against a Kapture that has lost customers: real worker, real stand-in."""

import json
import random
import subprocess
import sys
import urllib.request
from typing import Any

from tests.acceptance.stack import TOKEN, Stack

CUSTOMERS = 1_000
LOST = 37
DAYS = 3
DAY_S = 86_400
CONFIG = f"""
[receiver]
tokens = ["{TOKEN}"]

[destinations.crm]
vendor = "kapture"
url = "{{url}}/kapture"
auth_key = "standin-kapture-key"
email = "{{{{caller_digits}}}}@calls.example.com"

[[routes]]
to = ["crm"]
"""


def _switchboard(stack: Stack, *arguments: str) -> Any:
    """Run a command in a process of its own; return its JSON value."""
    command = [sys.executable, "-m", "deploy.cli", *arguments, "--json"]
    done = subprocess.run(command, env=stack.environ, capture_output=True, check=True, timeout=120)
    return json.loads(done.stdout)


def _control(stack: Stack, method: str, path: str, body: Any = None) -> None:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{stack.standins_url}/control/{path}", data=data, method=method)
    urllib.request.urlopen(request, timeout=10).close()


def _import_day(stack: Stack, day: int) -> None:
    """Deliver the calls of one day's callers; some of them call twice."""
    file = stack.folder / f"day-{day}.jsonl"
    with file.open("w") as lines:
        for number in range(day, CUSTOMERS, DAYS):
            for again in range(1 + (number % 10 == 0)):
                call = {
                    "PLA_Call_Id": f"call-{number}-{again}", "PLA_CID": "123",
                    "PLA_Caller_Phone_Number": f"+6149157{number:04d}", "PLA_CallResult": "Answered",
                    "PLA_Duration": f"{30 + again}s",
                }  # fmt: skip
                lines.write(json.dumps(call) + "\n")
    _switchboard(stack, "import", str(file))


def test_what_kapture_lost_is_found_exactly_and_brought_back_without_doubling(make_stack):
    """1,000 customers over 3 days, 37 removed: 37 found, 37 restored, and nobody is there twice."""
    stack = make_stack(config=CONFIG)
    stack.start(receiver=False)
    _control(stack, "POST", "clock", {"advance_s": -DAYS * DAY_S})
    for day in range(DAYS):
        _control(stack, "POST", "clock", {"advance_s": DAY_S})
        _import_day(stack, day)
        wanted = sum(len(range(past, CUSTOMERS, DAYS)) for past in range(day + 1))
        stack.wait_for(lambda wanted=wanted: len(stack.records("kapture")) >= wanted, 60, f"the customers of day {day}")
    stack.wait_for(lambda: _settled(stack), 30, "every delivery")
    records = stack.records("kapture")
    lost = random.Random(4).sample(records, LOST)
    for record in lost:
        _control(stack, "DELETE", f"records?vendor=kapture&id={record['id']}")

    report = _switchboard(stack, "kapture", "reconcile", "--since", "4d")
    fixed = _switchboard(stack, "kapture", "reconcile", "--since", "4d", "--fix")
    stack.wait_for(lambda: len(stack.records("kapture")) >= CUSTOMERS and _settled(stack), 30, "the lost customers")
    after = _switchboard(stack, "kapture", "reconcile", "--since", "4d")

    assert CUSTOMERS == len(records)
    assert {record["id"] for record in lost} == {one["customer_id"] for one in report["absent"]}
    assert (CUSTOMERS, LOST, 0) == (report["customers"], len(report["absent"]), report["fixed"])
    assert (LOST, LOST) == (len(fixed["absent"]), fixed["fixed"])
    assert [] == after["absent"]
    restored = stack.records("kapture")
    assert CUSTOMERS == len({record["values"]["phone"] for record in restored}) == len(restored)
    new = [record for record in restored if record["id"] not in {record["id"] for record in records}]
    assert {record["values"]["phone"] for record in lost} == {record["values"]["phone"] for record in new}
    assert [["added"]] * LOST == [record["history"] for record in new]


def _settled(stack: Stack) -> bool:
    """Say whether nothing waits or is under way."""
    states = [one["state"] for one in _switchboard(stack, "deliveries", "list")]
    return set(states) == {"delivered"}
