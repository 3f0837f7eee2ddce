"""Two firms that post to one receiver: neither can touch a call of the other."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest

from tests.acceptance.looks import command, request_log
from tests.acceptance.receiver_process import ROOT, receiver_environ, until
from tests.acceptance.stack import Stack
from tests.acceptance.test_tenants import CONFIG

SMITH, JONES = "smith-token-0123456789", "jones-token-0123456789"
SENDERS = CONFIG.replace(
    'tokens = ["{token}"]',
    f"""
[[receiver.senders]]
name = "smith"
tokens = ["{SMITH}"]
service_ids = ["123", "124"]

[[receiver.senders]]
name = "jones"
tokens = ["{JONES}"]
service_ids = ["456"]
rate = "200/s"
""",
)
CALLER = "+61491570156"
START = {"PLA_CID": "123", "PLA_Caller_Phone_Number": CALLER, "PLA_Landing_Page": "https://smith.example/"}
END = {"PLA_CID": "123", "PLA_CallResult": "Answered", "PLA_Duration": "50s"}
FOREIGN_END = END | {"PLA_CID": "456"}
WHOLE = FOREIGN_END | {"PLA_Caller_Phone_Number": "+61491570110"}


@pytest.fixture
def stack(make_stack):
    """Return a stack with two senders."""
    made: Stack = make_stack(config=SENDERS)
    made.start()
    return made


async def post(port: int, token: str, call_id: str, values: dict[str, Any]) -> int:
    """Post an event of a call; return the status."""
    body = json.dumps({"PLA_Call_Id": call_id} | values).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /services/calldata?token={token} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    writer.write(head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return int(answer.split()[1])


async def test_an_end_of_another_firm_neither_completes_nor_moves_a_waiting_call(stack):
    """The firm's own end does; the other's is in quarantine, told and counted, and a retry of all leaves it there."""
    assert 200 == await post(stack.port, SMITH, "a", START)
    assert [200, 200, 403] == [
        await post(stack.port, JONES, "a", FOREIGN_END),
        await post(stack.port, JONES, "a", {"PLA_CallResult": "Busy"}),
        await post(stack.port, JONES, "a", END),
    ]
    assert "waiting" == command(stack, "calls", "show", "a")[1]["state"]
    assert 200 == await post(stack.port, SMITH, "a", END)
    stack.wait_for(lambda: len(stack.records("captorra")) == 1, 20, "the record of the call")

    bodies = command(stack, "quarantine", "list")[1]
    assert [] == command(stack, "quarantine", "retry")[1]
    [sent] = [json.loads(request["body"]) for request in request_log(stack, "captorra")]
    call = command(stack, "calls", "show", "a")[1]
    assert ("111111", "a") == (sent["CaptorraId"], sent["ID"])
    assert ("123", 2) == (call["call"]["service_id"], len(call["events"]))
    assert {"the call is of another service: sent by jones"} == {body["reason"] for body in bodies}
    assert 2 == len(bodies)
    lines = [json.loads(line) for line in stack.log("receiver").splitlines()]
    told = {(line["reason"], line["sender"]) for line in lines if line["event"] == "request.refused"}
    assert {("conflict", "jones"), ("service", "jones")} == told
    assert CALLER not in stack.log("receiver")
    assert SMITH not in stack.log("receiver")


async def test_an_operator_takes_a_body_that_is_named(stack):
    """Who looked at it and names it decides that it belongs to the call."""
    await post(stack.port, SMITH, "a", START)
    await post(stack.port, SMITH, "a", END | {"PLA_CID": "124"})
    [body] = command(stack, "quarantine", "list")[1]

    status, [retried] = command(stack, "quarantine", "retry", body["id"])
    assert (0, True, "a") == (status, retried["accepted"], retried["call_id"])
    stack.wait_for(lambda: len(stack.records("captorra")) == 1, 20, "the record of the call")


@pytest.mark.parametrize("first", [SMITH, JONES])
async def test_a_call_that_went_through_the_spool_is_kept_apart_too(stack, make_redis_server, tmp_path, first):
    """While Redis is away everything is acknowledged; in the ledger the call is whose event came first."""
    server = make_redis_server()
    stack.kill("receiver")
    stack.environ["REDIS_URL"] = server.url
    stack.start_receiver()
    stack.wait_for(stack.receiver_answers, 20, "the receiver")
    server.kill()
    pushed = [(SMITH, START), (JONES, WHOLE)]
    for token, values in pushed if first == SMITH else pushed[::-1]:
        assert 200 == await post(stack.port, token, "a", values)
    server.restart()
    await until(lambda: "spool.drained" in stack.log("receiver"))

    call = command(stack, "calls", "show", "a")[1]
    [body] = command(stack, "quarantine", "list")[1]
    assert [("123" if first == SMITH else "456")] == [event["values"]["PLA_CID"] for event in call["events"]]
    assert body["reason"].endswith("jones" if first == SMITH else "smith")


@pytest.mark.parametrize(
    ("text", "environ", "words"),
    [
        ("trusted_proxies = 1", {}, "receiver.trusted_proxies: needs tokens"),
        ("trusted_proxies = 1", {"HOST": "0.0.0.0"}, "receiver.trusted_proxies: needs tokens"),
        ('tokens = ["delacon-token-0123456789"]\ntrusted_proxies = 1', {"HOST": "0.0.0.0"}, "receiver.proxy_networks"),
        ('tokens = ["change-this-token-of-16-or-more"]', {}, "printed in the example"),
        ("", {"HOST": "0.0.0.0"}, "receiver.tokens: without any"),
    ],
)
def test_the_receiver_does_not_start_open(tmp_path, redis_url, text, environ, words):  # noqa: PLR0917  a table
    """Status 2 before it listens, and a sentence."""
    settings = receiver_environ(tmp_path, redis_url, config=f"[receiver]\n{text}\n", **environ)
    done = subprocess.run(
        [sys.executable, "-m", "receiver"], cwd=ROOT, env=settings, capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip

    assert (2, True) == (done.returncode, words in done.stderr), done.stderr
    assert "receiver.listening" not in done.stderr


async def test_a_wrong_token_is_told_once_a_minute_and_counted(stack):
    """One line for two hundred; the figure stands in the metrics and in the parts of /readyz."""
    statuses = [await post(stack.port, "wrong-token-0123456789", "a", START) for _ in range(200)]
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    parts = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
    writer.close()

    assert {401} == set(statuses)
    lines = [line for line in stack.log("receiver").splitlines() if "request.refused" in line]
    assert (1, "127.0.0.1", 1) == (len(lines), json.loads(lines[0])["address"], json.loads(lines[0])["count"])
    assert "wrong-token" not in stack.log("receiver")
    assert {"token": 200} == parts["refused"]


@pytest.mark.parametrize(
    ("request_head", "settings", "opens"),
    [
        ("HTTP/1.1\r\nHost: 127.0.0.1:8080", "", True),
        ("HTTP/1.1\r\nHost: localhost", "", True),
        ("HTTP/1.0\r\nHost: 127.0.0.1:8080", "", False),  # nginx's plain proxy_pass
        ("HTTP/1.1\r\nHost: calls.example.com", "", False),
        ("HTTP/1.1\r\nHost: 203.0.113.9:443", "", False),
        ("HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Proto: https", "", False),
        ("HTTP/1.1\r\nHost: localhost\r\nForwarded: for=203.0.113.9", "", False),
        ("HTTP/1.1\r\nHost: localhost\r\nVia: 1.1 vegur", "", False),
        ("HTTP/1.1\r\nHost: localhost\r\nX-Original-Forwarded-For: 203.0.113.9", "", False),
        ("HTTP/1.1\r\nHost: localhost", "trusted_proxies = 1", False),
    ],
)
async def test_the_metrics_open_to_nobody_behind_a_proxy(make_receiver, request_head, settings, opens):
    """Also where the proxy writes no header of its own; Delacon's tokens open nothing."""
    receiver = make_receiver(config=f'[receiver]\ntokens = ["{SMITH}"]\n{settings}\n')
    answers = []
    for path in (f"/metrics?token={SMITH}", "/readyz"):
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(f"GET {path} {request_head}\r\nConnection: close\r\n\r\n".encode())
        answers.append(await asyncio.wait_for(reader.read(), 10))
        writer.close()

    assert (200 if opens else 401) == int(answers[0].split()[1])
    assert opens is (b'"durability"' in answers[1])
