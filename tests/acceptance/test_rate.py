"""A destination's rate through real processes: it holds over all workers together."""

import json

from tests.acceptance.looks import command, request_log

CONFIG = """
[receiver]
tokens = ["{token}"]

[destinations.law]
vendor = "captorra"
url = "{url}/captorra/api/captorracalltracking/create"
captorra_id = "111111"
timezone = "Australia/Sydney"
rate = "10/s"

[[routes]]
to = ["law"]
"""
RATE_PER_S = 10
BURST = 10  # a bucket that was left alone holds a second of its rate
CALLS = 40
SHIFT_S = 0.25  # two requests come this much closer together than they were claimed: start-up, connection, busy machine
WORKERS = ("worker0", "worker1")


def test_a_rate_holds_over_two_worker_processes(make_stack, tmp_path):
    """Forty due at once: in no span come more than the burst and the rate's share of it, and each call lands once."""
    stack = make_stack(config=CONFIG)
    stack.start(workers=2)
    for name in WORKERS:
        stack.wait_for(lambda name=name: f"{name}@test ready" in stack.log(name), 20, f"{name} to be ready")
    assert 0 == command(stack, "destinations", "pause", "law")[0]
    for place in range(CALLS):
        whole = {"PLA_CallResult": "Answered", "PLA_Duration": "50s", "PLA_Caller_Phone_Number": "+61491570156"}
        assert 200 == stack.post("", {"PLA_Call_Id": f"rated-{place}", "PLA_CID": "123"} | whole)[0]
    stack.wait_for(lambda: all(f'"rated-{n}"' in _logs(stack) for n in range(CALLS)), 20, "forty that are due")
    assert 0 == stack.requests("captorra")

    assert 0 == command(stack, "destinations", "resume", "law")[0]
    stack.wait_for(lambda: len(stack.records("captorra")) == CALLS, 20, "forty records")

    requests = request_log(stack, "captorra")
    times = sorted(request["received_ms"] / 1000 for request in requests)
    for first, begin in enumerate(times):
        for last in range(first, len(times)):
            most = BURST + RATE_PER_S * (times[last] - begin + SHIFT_S)
            assert last - first + 1 <= most, f"{last - first + 1} requests within {times[last] - begin:.3f} s"
    assert sorted(f"rated-{place}" for place in range(CALLS)) == sorted(
        json.loads(one["body"])["ID"] for one in requests
    )
    assert [["added"]] * CALLS == [record["history"] for record in stack.records("captorra")]
    assert (CALLS - BURST) / RATE_PER_S + 3 > times[-1] - times[0], "the rate is used, too"
    delivered = {name: stack.log(name).count('"outcome":"delivered"') for name in WORKERS}
    assert CALLS == sum(delivered.values()), delivered
    assert all(delivered.values()), delivered


def _logs(stack) -> str:
    return "".join(stack.log(name) for name in WORKERS)
