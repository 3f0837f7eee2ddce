"""Two firms that share a dialler: who misses one and gets through to the other is still called back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.cli.main import main
from deploy.local.redis_server import RedisServer
from tests.acceptance.looks import request_log
from tests.acceptance.stack import Stack
from tests.standins_process import running_standins

pytestmark = pytest.mark.xdist_group("two_firms")  # one stack for the whole file

DIALLER = """
[destinations.{scope}]
vendor = "comunik8"
url = "{{url}}/comunik8"
api_key = "standin-comunik8-key"
type = "missed-call"
cancel_when_answered = "24h"
cancel_scope = "{scope}"
email = "{{{{caller_digits}}}}@calls.example.com"
max_age = "off"
"""
ROUTE = """
[[routes]]
to = ["{scope}"]
service_ids = {services}
results = ["unanswered", "busy"]
"""
SMITH, JONES = (
    {"route": "110", "service": "210", "destination": "310"},
    {"route": "120", "service": "220", "destination": "320"},
)
SMITHS_OTHER = {scope: f"{service}-b" for scope, service in SMITH.items()}
CONFIG = '[receiver]\ntokens = ["{token}"]\n' + "".join(
    DIALLER.format(scope=scope)
    + ROUTE.format(scope=scope, services=json.dumps([SMITH[scope], SMITHS_OTHER[scope]]))
    + ROUTE.format(scope=scope, services=json.dumps([JONES[scope]]))
    for scope in SMITH
)
NOON_S = 1_772_452_800
CALLERS = {
    ("route", "jones"): "+61491570156",
    ("route", "other"): "+61491570157",
    ("service", "jones"): "+61491570158",
    ("service", "other"): "+61491570159",
    ("destination", "jones"): "+61491570110",
}


@pytest.fixture(scope="module")
def stack(redis_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a running stack with a dialler of each scope, each with a route of either firm."""
    folder = tmp_path_factory.mktemp("two-firms")
    with RedisServer(folder / "redis", binary=redis_binary, appendonly=False) as redis, running_standins() as url:
        made = Stack(folder, redis_url=redis.url, standins_url=url, config=CONFIG)
        try:
            made.start()
            yield made
        finally:
            made.stop()


def shown(stack: Stack, call_id: str) -> dict[str, Any]:
    """Return what ``calls show`` says of a call."""
    done = CliRunner().invoke(main, ["calls", "show", call_id, "--json"], env=stack.environ)
    assert 0 == done.exit_code, done.output
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def push(stack: Stack, call_id: str, *, caller: str, service: str, result: str, at_s: int) -> None:
    """Push both webhooks of a call, and wait until it is planned."""
    start = {"PLA_Caller_Phone_Number": caller, "PLA_CallStartTime": f"{(NOON_S + at_s) * 1000:020}"}
    end = {"PLA_CallResult": result, "PLA_Duration": "50s" if result == "Answered" else "0s"}
    for path, values in (("create", start), ("update", end)):
        assert 200 == stack.post(path, {"PLA_Call_Id": call_id, "PLA_CID": service} | values)[0]
    planned = {"ready", "unrouted"}
    stack.wait_for(lambda: shown(stack, call_id)["state"] in planned, 20, f"a plan of {call_id}")


def fates(stack: Stack, call_id: str) -> dict[str, str]:
    """Return the state of each of a call's deliveries, by action."""
    return {one["action"]: one["state"] for one in shown(stack, call_id)["deliveries"]}


@pytest.mark.parametrize(("scope", "who"), CALLERS)
def test_who_gets_through_to_the_other_firm_is_still_called_back(stack, scope, who):
    """Unless the scope says otherwise; the firm's own answer withdraws the lead, and the missed call names it."""
    caller, name = CALLERS[scope, who], f"{scope}-{who}"
    elsewhere = JONES[scope] if who == "jones" else SMITHS_OTHER[scope]
    withdraws = (scope, who) in {("route", "other"), ("destination", "jones")}
    push(stack, f"{name}-missed", caller=caller, service=SMITH[scope], result="Unanswered", at_s=0)
    stack.wait_for(lambda: fates(stack, f"{name}-missed") == {"create": "delivered"}, 20, "the lead")

    push(stack, f"{name}-elsewhere", caller=caller, service=elsewhere, result="Answered", at_s=60)
    push(stack, f"{name}-here", caller=caller, service=SMITH[scope], result="Answered", at_s=120)
    both = {"create": "delivered", "cancel": "delivered"}
    stack.wait_for(lambda: fates(stack, f"{name}-missed") == both, 20, "the withdrawal")

    [lead] = [one for one in shown(stack, f"{name}-missed")["deliveries"] if one["action"] == "cancel"]
    cause = f"{name}-elsewhere" if withdraws else f"{name}-here"
    assert [f"the caller got through in call {cause}"] == [note for note in lead["notes"] if "got through" in note]
    mobile = caller.replace("+61", "0")
    sent = [one["path"] for one in request_log(stack, "comunik8") if json.loads(one["body"])["mobile"] == mobile]
    assert ["/comunik8/lead/add", "/comunik8/lead/cancel"] == sent
