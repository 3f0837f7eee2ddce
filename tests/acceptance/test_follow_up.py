"""The missed-call follow-up through real processes: a caller who got through is not called back."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.cli.main import main
from deploy.local.redis_server import RedisServer
from tests.acceptance.looks import request_log
from tests.acceptance.stack import Stack
from tests.standins_process import running_standins

pytestmark = pytest.mark.xdist_group("follow_up")  # one stack for the whole file

CONFIG = """
[receiver]
tokens = ["{token}"]

[destinations.dialler]
vendor = "comunik8"
url = "{url}/comunik8"
api_key = "standin-comunik8-key"
type = "missed-call"
delay = "10m"
cancel_when_answered = "24h"
email = "{{caller_digits}}@calls.example.com"
max_age = "off"

[[routes]]
to = ["dialler"]
results = ["unanswered", "busy"]
"""
NOON_S = 1_772_452_800
DAY_S = 86_400
SLOW_MS = 1_500  # the answered call is pushed and planned within it
FINAL = {"delivered", "dead", "skipped", "cancelled"}
_numbers = count(100)


class Caller:
    """One caller of the running stack: the calls made, and what the vendor was sent about them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.digits = f"61491570{next(_numbers)}"
        self.mobile = f"0{self.digits[2:]}"

    def call(self, call_id: str, result: str, *, at_s: int = 0) -> None:
        """Push both webhooks of a call that started ``at_s`` seconds after noon, and wait until it is planned."""
        self.push(call_id, result, at_s=at_s)
        self.stack.wait_for(lambda: self._shown(call_id)["state"] in {"ready", "unrouted"}, 20, f"a plan of {call_id}")

    def push(self, call_id: str, result: str, *, at_s: int = 0) -> None:
        """Push both webhooks of a call."""
        name = f"{self.digits}-{call_id}"
        start = {"PLA_Caller_Phone_Number": f"+{self.digits}", "PLA_CallStartTime": f"{(NOON_S + at_s) * 1000:020}"}
        ended = {"PLA_CallResult": result, "PLA_Duration": "50s" if result == "Answered" else "0s"}
        assert 200 == self.stack.post("create", {"PLA_Call_Id": name, "PLA_CID": "123"} | start)[0]
        assert 200 == self.stack.post("update", {"PLA_Call_Id": name} | ended)[0]

    def fates(self, call_id: str) -> dict[str, tuple[str, str]]:
        """Return state and reason of a call's deliveries by their action."""
        return {one["action"]: (one["state"], one["reason"] or "") for one in self._shown(call_id)["deliveries"]}

    def wait_for_fates(self, call_id: str, *actions: str) -> None:
        """Wait until these deliveries of a call are there and final."""

        def final() -> bool:
            fates = self.fates(call_id)
            return set(actions) == fates.keys() and {state for state, _ in fates.values()} <= FINAL

        self.stack.wait_for(final, 20, f"the ends of {actions} of {call_id}")

    def requests(self) -> list[dict[str, Any]]:
        """Return what the vendor was sent about this caller, in the order of arrival."""
        return [one for one in request_log(self.stack, "comunik8") if json.loads(one["body"])["mobile"] == self.mobile]

    def pages(self) -> list[str]:
        """Return the pages that those requests were sent to."""
        return [one["path"].removeprefix("/comunik8/lead/") for one in self.requests()]

    def lead(self) -> tuple[str, list[str]]:
        """Return the state of the lead at the vendor, and its history."""
        [record] = [one for one in self.stack.records("comunik8") if one["values"]["mobile"] == self.mobile]
        return record["state"], record["history"]

    def _shown(self, call_id: str) -> dict[str, Any]:
        arguments = ["calls", "show", f"{self.digits}-{call_id}", "--json"]
        done = CliRunner().invoke(main, arguments, env=self.stack.environ)
        assert 0 == done.exit_code, done.output
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown


@pytest.fixture(scope="module")
def stack(redis_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a running stack on a Redis and stand-ins of its own: its tests share it, each with callers of its own."""
    folder = tmp_path_factory.mktemp("follow-up")
    with RedisServer(folder / "redis", binary=redis_binary, appendonly=False) as redis, running_standins() as url:
        made = Stack(folder, redis_url=redis.url, standins_url=url, config=CONFIG)
        try:
            made.start()
            yield made
        finally:
            made.stop()


@pytest.fixture
def caller(stack: Stack) -> Iterator[Caller]:
    """Return a caller whom no other test knows."""
    yield Caller(stack)
    stack.lift_faults()


@pytest.mark.parametrize(("result", "answered_s"), [("Unanswered", 0), ("Busy", DAY_S)])
def test_a_lead_is_withdrawn_when_its_caller_gets_through(caller: Caller, result: str, answered_s: int):
    """One lead and one withdrawal of the same type and number; both ends of the window count."""
    caller.call("missed", result)
    caller.wait_for_fates("missed", "create")
    assert ("scheduled", ["added"]) == caller.lead()

    caller.call("answered", "Answered", at_s=answered_s)
    caller.wait_for_fates("missed", "create", "cancel")

    assert ("cancelled", ["added", "cancelled"]) == caller.lead()
    assert ["add", "cancel"] == caller.pages()
    assert {"type": "missed-call", "mobile": caller.mobile} == json.loads(caller.requests()[1]["body"])
    assert {"create": ("delivered", ""), "cancel": ("delivered", "")} == caller.fates("missed")
    assert {} == caller.fates("answered")


def test_getting_through_again_withdraws_nothing_more(caller: Caller):
    """One withdrawal a number, however many leads and answered calls there are."""
    for place in range(2):
        caller.call(f"missed-{place}", "Unanswered", at_s=place)
        caller.wait_for_fates(f"missed-{place}", "create")
    for place in range(3):
        caller.call(f"answered-{place}", "Answered", at_s=60 + place)
    caller.wait_for_fates("missed-0", "create", "cancel")

    _let_another_through(caller)
    assert ["add", "add", "cancel"] == caller.pages()
    assert ("delivered", "duplicate") == caller.fates("missed-1")["create"]


def test_a_missed_call_that_is_told_after_its_answer_never_becomes_a_lead(caller: Caller):
    """The answered call comes first and started later: the lead is cancelled here, the vendor hears of neither."""
    caller.call("answered", "Answered", at_s=60)
    caller.call("missed", "Unanswered")
    caller.wait_for_fates("missed", "create")

    _let_another_through(caller)
    assert {"create": ("cancelled", "answered_since")} == caller.fates("missed")
    assert [] == caller.requests()


@pytest.mark.parametrize("answered_s", [-1, DAY_S + 1])
def test_an_answer_before_the_missed_call_or_too_late_withdraws_nothing(caller: Caller, answered_s: int):
    """The caller is called back: the answered call started a second outside the window."""
    caller.call("missed", "Unanswered")
    caller.wait_for_fates("missed", "create")
    caller.call("answered", "Answered", at_s=answered_s)

    _let_another_through(caller)
    assert ("scheduled", ["added"]) == caller.lead()
    assert ["add"] == caller.pages()


def test_the_withdrawal_of_a_lead_under_way_comes_after_the_lead(caller: Caller):
    """While a slow vendor has the lead, the withdrawal is kept; it is sent when the lead was answered."""
    fault = {"vendor": "comunik8", "path": "/lead/add", "match": caller.mobile}
    caller.stack.lay_fault(fault | {"latency_ms": SLOW_MS})
    caller.push("missed", "Unanswered")
    caller.stack.wait_for(lambda: caller.pages() == ["add"], 20, "the lead under way")
    caller.call("answered", "Answered", at_s=60)
    kept, [under_way] = caller.fates("missed"), caller.requests()
    caller.wait_for_fates("missed", "create", "cancel")

    assert 0 == under_way["answered_ms"]
    assert {"create": "in_flight", "cancel": "queued"} == {action: state for action, (state, _) in kept.items()}
    assert ("cancelled", ["added", "cancelled"]) == caller.lead()
    added, cancelled = caller.requests()
    assert ("/comunik8/lead/add", "/comunik8/lead/cancel") == (added["path"], cancelled["path"])
    assert added["received_ms"] + SLOW_MS <= added["answered_ms"] <= cancelled["received_ms"]


@pytest.mark.parametrize("latency_ms", [0, SLOW_MS])
def test_a_lead_that_the_vendor_had_is_never_withdrawn(caller: Caller, latency_ms: int):
    """An existing contact is not ours, whether that answer is known when the caller gets through or comes after."""
    body = json.dumps({"saved": True, "processed": False, "error": "Existing Contact"})
    fault = {"vendor": "comunik8", "path": "/lead/add", "match": caller.mobile, "body": body}
    caller.stack.lay_fault(fault | {"latency_ms": latency_ms})
    expected = {"create": ("delivered", "duplicate")} | ({"cancel": ("skipped", "duplicate")} if latency_ms else {})

    caller.push("missed", "Unanswered")
    caller.stack.wait_for(lambda: caller.pages() == ["add"], 20, "the lead")
    if not latency_ms:
        caller.wait_for_fates("missed", "create")
    caller.call("answered", "Answered", at_s=60)
    caller.wait_for_fates("missed", *expected)

    _let_another_through(caller)
    assert expected == caller.fates("missed")
    assert ["add"] == caller.pages()


def _let_another_through(caller: Caller) -> None:
    """Have another caller's lead sent and withdrawn: what was due before has been sent by then."""
    other = Caller(caller.stack)
    other.call("missed", "Unanswered")
    other.wait_for_fates("missed", "create")
    other.call("answered", "Answered", at_s=60)
    other.wait_for_fates("missed", "create", "cancel")
    assert ["add", "cancel"] == other.pages()
