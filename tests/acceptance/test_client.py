"""The module for other programs, beside a real worker: events are delivered, a number is provisioned once."""

from collections.abc import Callable

from deploy.client import CallState, EventFate, NumberState, call_state, deliver_event, provision_number
from tests.acceptance.stack import CONFIG, END, START, Stack

CALLCAP = """
[callcap]
url = "{url}/callcap/v3"
api_key = "standin-callcap-key"
"""
ASKED = {"account": "L-3", "phoneNumber": "3165550142"}


def test_what_another_program_asks_is_done_by_a_worker(make_stack: Callable[..., Stack], redis_url: str):
    """A call whose events it hands in lands at each vendor; a number asked for again and again is posted once."""
    stack = make_stack(config=CONFIG + CALLCAP)
    stack.start(receiver=False)
    fates = [deliver_event(body, redis_url=redis_url) for body in (START, END, END)]

    stack.wait_for(lambda: set(_states(redis_url)) == {"delivered"}, 60, "the deliveries")
    call = call_state("1122334", redis_url=redis_url)
    assert [EventFate.STORED, EventFate.STORED, EventFate.KNOWN] == fates
    assert isinstance(call, CallState)
    assert ("ready", {"law", "dialler", "crm"}) == (call.state, {one.destination for one in call.deliveries})
    assert {("create", 1)} == {(one.action, one.attempts) for one in call.deliveries}

    asked: list[NumberState] = []

    def done() -> bool:
        asked.append(provision_number(ASKED, key="shop-1", redis_url=redis_url))
        return asked[-1].state == "done"

    stack.wait_for(done, 60, "the provisioning")
    assert ("shop-1", "3165550142") == (asked[-1].key, asked[-1].number)
    assert "3165550142" not in repr(asked)
    assert 1 == stack.requests("callcap")


def _states(redis_url: str) -> list[str]:
    call = call_state("1122334", redis_url=redis_url)
    return [one.state for one in call.deliveries] if call else []
