"""Alerts: each cause breaks the real system, and one message begins and one ends at a real HTTP sink."""

import base64
import hashlib
import hmac
import json
import os
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.acceptance.looks import command, get
from tests.acceptance.stack import CONFIG, END, START, Stack, end_of, start_of
from tests.alert_sink import AlertSink

ALERTS = """
[[alerts]]
when = ["dead_letter", "blocked", "circuit_open", "overdue", "unrouted", "quarantined", "spooled", "refused", "drift"]
for = "1s"
to = ["{sink}/hook"]
secret = "a-secret-for-tests"
"""
SECRET = b"a-secret-for-tests"
RETRY = 'retry = ["1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s"]'


@pytest.fixture
def sink() -> Iterator[AlertSink]:
    """Return a sink."""
    made = AlertSink()
    yield made
    made.close()


def _config(alerts: str = ALERTS) -> str:
    routed = CONFIG.replace("[[routes]]\n", '[[routes]]\nservice_ids = ["123"]\n')
    return routed + alerts


def _redis(stack: Stack, *words: str) -> None:
    with Redis.from_url(stack.environ["REDIS_URL"]) as redis:
        redis.execute_command(*words)


def _waits(stack: Stack, sink: AlertSink, cause: str, kinds: list[str], *, seconds: float = 40) -> None:
    stack.wait_for(lambda: sink.told(cause) == kinds, seconds, f"{cause} to be told {kinds}, not {sink.told(cause)}")


BOTH = ["begun", "ended"]


def test_what_the_ledger_shows_is_told_once_when_it_begins_and_once_when_it_ends(make_stack, sink):
    """Dead letters, a block, an open circuit, a call without a route, a body in quarantine, a refusal."""
    stack = make_stack(config=_config(), sink=sink.url, common=RETRY)
    stack.start()
    assert 200 == stack.post("create", start_of("r1").replace(b'"123"', b'"999"'))[0]
    assert 200 == stack.post("update", end_of("r1").replace(b'"123"', b'"999"'))[0]
    assert 400 == stack.post("create", b"{no json")[0]
    wrong = f"http://127.0.0.1:{stack.port}/services/calldata?token=wrong"
    assert 401 == get(wrong, data=b"{}")[0]
    stack.lay_fault({"vendor": "captorra", "status": 400, "body": "Invalid ANI +61 491 570 156"})
    stack.lay_fault({"vendor": "comunik8", "status": 401})
    stack.lay_fault({"vendor": "kapture", "status": 503})
    for number in range(3):
        stack.post("create", start_of(f"c{number}", f"+6149157015{number}"))
        stack.post("update", end_of(f"c{number}"))
    causes = ("unrouted", "quarantined", "refused", "dead_letter", "blocked", "circuit_open")
    for cause in causes:
        _waits(stack, sink, cause, ["begun"])
    status, listed = command(stack, "alerts", "list")

    stack.lift_faults()
    for name in ("dialler", "crm"):
        command(stack, "destinations", "resume", name)
    command(stack, "dead", "drop", "--all", "--yes")
    command(stack, "erase", "--call", "r1", "--yes")
    [body] = command(stack, "quarantine", "list")[1]
    _redis(stack, "ZREM", "sb:quarantine", body["id"])
    for cause in causes:
        _waits(stack, sink, cause, BOTH)

    assert (0, set(causes)) == (status, {one["cause"] for one in listed["on"]})
    assert set(causes) == {one["cause"] for one in sink.messages}
    [dead] = [one for one in sink.messages if one["type"] == "alert.begun" and one["cause"] == "dead_letter"]
    assert "law" in dead["title"]
    assert "Invalid ANI +61…156" in dead["text"]
    assert not any(
        "491" in json.dumps(one).replace("2491", "") and "491570" in json.dumps(one) for one in sink.messages
    )
    assert {"/hook"} == {path for _, path, _, _ in sink.requests}
    ids = [headers["webhook-id"] for _, _, headers, _ in sink.requests]
    assert len(ids) == len(set(ids))
    for _, _, headers, raw in sink.requests:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
        made = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{made}"
    logs = stack.log("worker0") + stack.log("receiver")
    assert "a-secret-for-tests" not in logs


def test_a_destination_that_no_worker_serves_is_overdue(make_stack, sink):
    """A worker for the other queues tells; once one takes the queue it is over."""
    stack = make_stack(config=_config(), sink=sink.url)
    stack.start(workers=0)
    stack.start_worker("others", "-Q", "calls,comunik8,kapture,chores")
    stack.post("create", START)
    stack.post("update", END)
    _waits(stack, sink, "overdue", ["begun"])
    assert ["law"] == [one["destination"] for one in sink.messages[0]["destinations"]]
    stack.start_worker("law", "-Q", "captorra")
    _waits(stack, sink, "overdue", BOTH)
    assert 2 == len(sink.messages)


def test_processes_of_different_configurations_are_drift(make_stack, sink):
    """A second worker with an older file begins it; its end ends it."""
    stack = make_stack(config=_config(), sink=sink.url)
    stack.start()
    newest = Path(stack.environ["SWITCHBOARD_CONFIG"])
    older = newest.with_name("older.toml")
    older.write_text(newest.read_text() + "\n# other\n")
    os.utime(older, (newest.stat().st_mtime - 3600,) * 2)
    stack.environ["SWITCHBOARD_CONFIG"] = str(older)
    stack.start_worker("older")
    stack.environ["SWITCHBOARD_CONFIG"] = str(newest)
    _waits(stack, sink, "drift", ["begun"])
    stack.kill("older")
    _waits(stack, sink, "drift", BOTH)
    assert 2 == len(sink.messages)


def test_an_outage_of_redis_is_told_once_it_is_over(make_redis_server, make_stack, sink):
    """While Redis is away nobody can note anything; the receiver's report of its spool is told after it."""
    server = make_redis_server()
    stack = make_stack(redis_url=server.url, config=_config(), sink=sink.url)
    stack.start()
    stack.wait_for(lambda: "ready" in stack.log("worker0"), 20, "the worker")
    server.kill()
    assert 200 == stack.post("create", START)[0]
    stack.wait_for(lambda: stack.post("update", END)[0] == 200, 10, "another event")
    outage = time.monotonic() + 3
    stack.wait_for(lambda: time.monotonic() > outage, 5, "an outage longer than the alert asks for")
    server.start()
    _waits(stack, sink, "spooled", BOTH, seconds=60)
    assert ["begun", "ended"] == [one["type"].removeprefix("alert.") for one in sink.messages]


SILENCE = """
[[alerts]]
when = ["silence"]
for = "3s"
to = ["{sink}/hook"]
"""


def test_silence_ends_with_the_next_webhook(make_stack, sink):
    """No webhook for three seconds begins it."""
    stack = make_stack(config=_config(SILENCE), sink=sink.url)
    stack.start()
    stack.post("create", START)
    _waits(stack, sink, "silence", ["begun"])
    stack.post("update", END)
    stack.wait_for(lambda: _post_until_over(stack, sink), 20, "the end of the silence")
    assert BOTH == sink.told("silence")[:2]


def _post_until_over(stack: Stack, sink: AlertSink) -> bool:
    stack.post("create", START)
    return "ended" in sink.told("silence")


FLOOD = """
[[alerts]]
when = ["dead_letter", "blocked"]
for = "1s"
to = ["{sink}/hook", "{sink}/other"]
"""


def test_a_sink_that_is_down_loses_no_message_and_gets_none_twice(make_stack, sink):
    """It refuses, redirects, and answers again: each message arrives once, in its order, also at a second address."""
    sink.answers = lambda number: 503 if number < 2 else 302 if number < 4 else 204
    sink.location = f"{sink.url}/elsewhere"
    stack = make_stack(config=_config(FLOOD), sink=sink.url)
    stack.start()
    stack.lay_fault({"vendor": "captorra", "status": 400, "body": "Invalid Date"})
    stack.post("create", START)
    stack.post("update", END)
    stack.wait_for(lambda: len(sink.requests) >= 2, 30, "the first tries")
    stack.wait_for(lambda: command(stack, "dead", "list")[1] != [], 10, "a dead letter")
    command(stack, "dead", "drop", "--all", "--yes")
    stack.wait_for(lambda: len(sink.requests) >= 4, 30, "the second tries")
    for target in _targets(stack):
        _redis(stack, "ZADD", "sb:alertdue", "0", target)  # the third try comes in 30 s
    stack.wait_for(lambda: len(sink.requests) >= 8, 30, "what waited")
    taken = [(path, json.loads(body)["type"]) for _, path, _, body in sink.requests[4:]]
    assert {"POST"} == {method for method, *_ in sink.requests}
    assert [("/hook", "alert.begun"), ("/hook", "alert.ended")] == [one for one in taken if one[0] == "/hook"]
    assert [("/other", "alert.begun"), ("/other", "alert.ended")] == [one for one in taken if one[0] == "/other"]
    assert "/elsewhere" not in {path for _, path, _, _ in sink.requests}
    sent = command(stack, "alerts", "list")[1]["sent"]
    assert {"delivered"} == {one["outcome"] for one in sent}


def _targets(stack: Stack) -> list[str]:
    with Redis.from_url(stack.environ["REDIS_URL"], decode_responses=True) as redis:
        return list(redis.zrange("sb:alertdue", 0, -1))


def test_a_test_message_says_whether_it_arrived(make_stack, sink):
    """Status 0 with a sink that takes it, 1 with one that is away."""
    stack = make_stack(config=_config(SILENCE.replace("3s", "1h")), sink=sink.url)
    stack.start(receiver=False)
    status, found = command(stack, "alerts", "test")
    assert (0, ["delivered"]) == (status, [one["outcome"] for one in found])
    assert ["alert.test"] == [one["type"] for one in sink.messages]
    urllib.request.urlopen(sink.url, timeout=5).close()
    sink.status = 500
    status, found = command(stack, "alerts", "test")
    assert (1, ["waiting"]) == (status, [one["outcome"] for one in found])


def test_an_emptied_ledger_is_told_until_somebody_has_dealt_with_it(make_stack, sink, tmp_path):
    """As drift: Redis is not the ledger that the receivers knew; doctor and /readyz say the same."""
    stack = make_stack(config=_config(), sink=sink.url)
    stack.environ["JOURNAL_DIR"] = str(tmp_path / "journal")
    stack.start()
    stack.post("create", START)
    stack.wait_for((tmp_path / "journal" / "epoch.json").exists, 20, "the epoch to be kept")
    _redis(stack, "FLUSHALL")

    _waits(stack, sink, "drift", ["begun"])
    assert "Redis was emptied or replaced" in sink.messages[-1]["title"]
    command(stack, "ledger", "check", "--fix")
    _waits(stack, sink, "drift", BOTH)


def test_a_journal_that_is_not_kept_is_told(make_stack, sink, tmp_path):
    """With the spools, for both are a matter of a receiver's disk; webhooks are taken all the same."""
    stack = make_stack(config=_config(), sink=sink.url)
    stack.environ["JOURNAL_DIR"] = str(tmp_path / "journal")
    stack.start()
    (tmp_path / "journal" / ".lock").mkdir(parents=True)
    assert 200 == stack.post("create", START)[0]

    _waits(stack, sink, "spooled", ["begun"])
    assert "The journal is not kept" in sink.messages[-1]["title"]
    assert stack.port
