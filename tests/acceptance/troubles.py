"""Every kind of trouble, played with numbers and keys that can be told apart afterwards."""

import base64
import json
import urllib.error
import urllib.request

import pytest
import redis

from tests.acceptance import stack as plain
from tests.acceptance.leaks import forms_of_number
from tests.acceptance.looks import PASSWORD, get
from tests.acceptance.stack import TOKEN, Stack, end_of, landed, start_of

REDIS_PASSWORD = "a-redis-password-for-tests"
KEYS = {"COMUNIK8": "comunik8/key+for&tests=1", "KAPTURE": "kapture/key+for-tests=="}
WRONG_KEY = "a-refused/kapture+key"
WRONG_TOKEN = "nobody-knows-this-token"
OPS_TOKEN = "an-ops-token-for-tests"
SECRETS = (REDIS_PASSWORD, *KEYS.values(), WRONG_KEY, TOKEN, WRONG_TOKEN, OPS_TOKEN, PASSWORD)

WORKERS = ("worker0", "worker1")
CALLERS = {
    "good": "+61491570156",
    "refused": "0491 570 157",
    "slow": "+61 491-570-158",
    "odd": "+61491570159",
    "moved": "(04) 9157 0110",
    "british": "+447840258823",
    "american": "+1 (770) 240-1011",
    "crash": "+61491570313",
}
NUMBERS = set().union(
    *(forms_of_number(number, country="61") for number in ("0491570156", "0491570157", "0491570158", "0491570159")),
    *(forms_of_number(number, country="61") for number in ("0491570110", "0491570313", "0288889999", "029898989")),
    forms_of_number("07840258823", country="44"),
    forms_of_number("7702401011", country="1"),
)
ECHO = json.dumps({"error": f"no: 0491570157, +61 491 570 157, {' '.join([*KEYS.values(), WRONG_KEY])}"})
FAULTS = [
    {"match": "491570157", "status": 400, "body": ECHO},
    {"match": "491570158", "mode": "hang", "hang_s": 3},
    {"match": "491570159", "status": 200, "body": f"<html>{ECHO}</html>"},
    {
        "match": "491570110",
        "status": 302,
        "headers": {"Location": f"https://example.com/?key={KEYS['KAPTURE']}&n=0491570110"},
    },
]
CONFIG = (
    plain.CONFIG.replace("standin-comunik8-key", KEYS["COMUNIK8"])
    .replace("standin-kapture-key", KEYS["KAPTURE"])
    .replace('tokens = ["{token}"]', f'tokens = ["{{token}}"]\nops_tokens = ["{OPS_TOKEN}"]')
    .replace('to = ["law", "dialler", "crm"]', 'to = ["law", "dialler", "crm", "badkey"]')
    + f"""
[destinations.badkey]
vendor = "kapture"
url = "{{url}}/kapture"
auth_key = "{WRONG_KEY}"
email = "{{{{caller_digits}}}}@calls.example.com"
max_age = "off"
"""
)


def post_badly(stack: Stack) -> list[int]:
    """Post what is refused, with numbers and tokens in it; return the statuses."""
    url = f"http://127.0.0.1:{stack.port}/services/calldata"
    body = start_of("good", CALLERS["good"])
    basic = base64.b64encode(f"x:{WRONG_TOKEN}".encode()).decode()
    statuses = [
        get(f"{url}?token={WRONG_TOKEN}", data=body)[0],
        get(f"{url}?token={TOKEN}")[0],
        get(f"{url}?token={TOKEN}", data=b"no JSON: +61491570156 0491 570 156")[0],
        get(f"{url}?token={TOKEN}", data=body.ljust(70_000))[0],
    ]
    request = urllib.request.Request(url, data=body, headers={"Authorization": f"Basic {basic}"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    refused.value.close()
    return [*statuses, refused.value.code]


def cut_connections(redis_url: str) -> None:
    """Let every process lose its connections to Redis, but the one that listens."""
    with redis.Redis.from_url(redis_url) as client:
        for connection in client.client_list():
            if connection["cmd"] != "monitor" and connection["id"] != str(client.client_id()):
                client.client_kill_filter(_id=connection["id"])


def play(stack: Stack, redis_url: str) -> None:
    """Let calls succeed, be refused, time out and die, let a key be refused, and cut every connection to Redis."""
    for fault in FAULTS:
        stack.lay_fault(fault)
    for call_id in CALLERS.keys() - {"crash"}:
        stack.post("create", start_of(call_id, CALLERS[call_id]))
        stack.post("update", end_of(call_id))
    stack.wait_for(lambda: _logged(stack, "delivery.dead_lettered") >= 12, 40, "twelve dead letters")
    stack.wait_for(lambda: landed(stack, 3), 20, "three good calls")
    cut_connections(redis_url)


def crash(stack: Stack) -> None:
    """Kill the receiver when it has taken a call, and the workers in the middle of its attempts."""
    stack.lay_fault({"match": "491570313", "latency_ms": 900})
    asked = stack.requests("captorra")
    stack.post("create", start_of("crash", CALLERS["crash"]))
    stack.post("update", end_of("crash"))
    stack.kill("receiver")
    stack.wait_for(lambda: stack.requests("captorra") > asked, 40, "an attempt under way")
    for name in WORKERS:
        stack.kill(name)
    stack.start_receiver()
    stack.start_worker("worker2", app="tests.chaos.quick")
    stack.wait_for(lambda: "leases_expired" in stack.log("worker2"), 30, "the interrupted attempts taken up")
    stack.wait_for(lambda: landed(stack, 4), 40, "the interrupted call")
    stack.wait_for(stack.receiver_answers, 20, "the receiver")


def _logged(stack: Stack, event: str) -> int:
    return sum(stack.log(name).count(event) for name in WORKERS)
