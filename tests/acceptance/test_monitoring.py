"""Measures of the running system: all processes of a receiver as one, and what Prometheus makes of them."""

import json
import os
import re
import shutil
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deploy.local.redis_server import free_port as free_port_number
from tests.acceptance.looks import command, get, receiver_metrics
from tests.acceptance.stack import CONFIG, ROOT, Stack, end_of, start_of

MONITORING = ROOT / "deploy" / "monitoring"
PROMETHEUS = shutil.which("prometheus")
CALLS = 20

needs_prometheus = pytest.mark.skipif(PROMETHEUS is None, reason="Debian's prometheus is not installed")


def value_of(text: str, series: str) -> float:
    """Return a sample's value; fails where there is none."""
    [found] = re.findall(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found)


def has(text: str, series: str, value: float) -> bool:
    """Say whether a sample has this value."""
    return f"\n{series} {value}\n" in text


def _push(stack: Stack, calls: int) -> None:
    for number in range(calls):
        stack.post("create", start_of(f"m{number}", f"+6149157{number:04d}"))
        stack.post("update", end_of(f"m{number}"))


def test_a_receiver_of_several_processes_answers_for_all(make_stack):
    """Whichever is asked; what one that was killed had counted stays counted; every destination is there at 0."""
    stack = make_stack(config=CONFIG)
    stack.start_receiver("--processes", "3")
    stack.wait_for(stack.receiver_answers, 30, "the receivers")
    first = receiver_metrics(stack)
    _push(stack, CALLS)
    stored = ('switchboard_webhooks_total{event="start",outcome="stored"}', float(CALLS))
    for _ in range(12):  # a connection each: the kernel spreads them
        stack.wait_for(lambda: has(receiver_metrics(stack), *stored), 10, "all webhooks")
    children = (Path("/proc") / str(stack.processes["receiver"].pid) / "task").glob("*/children")
    pids = [int(pid) for place in children for pid in place.read_text().split()]
    subprocess.run(["kill", "-9", *map(str, pids[:2])], check=True)
    stack.wait_for(lambda: stack.log("receiver").count("receiver.died") == 2, 10, "two receivers to be missed")
    stack.wait_for(lambda: has(receiver_metrics(stack), *stored), 20, "what the killed ones counted")

    log = stack.log("receiver")
    assert CALLS * 2 == log.count('"event":"webhook.taken"')
    assert '"event":"webhook.taken","call_id":"m0","kind":"start","outcome":"stored"' in log
    assert 3 == len(pids)
    for name in ("law", "dialler", "crm"):
        for family in ("due", "due_oldest_seconds", "dead_letters", "circuit_open", "held"):
            assert has(first, f'switchboard_{family}{{destination="{name}"}}', 0.0) or has(
                first, f'switchboard_{family}{{destination="{name}",reason=""}}', 0.0
            )
    assert 0 == value_of(first, "switchboard_workers")
    assert 1 == value_of(first, "switchboard_redis_up")
    assert CALLS == value_of(receiver_metrics(stack), 'switchboard_calls{state="waiting"}')


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[[list[int]], str]]:
    """Return a starter of a Prometheus with the rules, whose waits are a second, that scrapes these ports."""
    started: list[subprocess.Popen[bytes]] = []

    def start(ports: list[int]) -> str:
        rules = (
            re.sub(r"for: \d+m", "for: 1s", (MONITORING / "rules.yml").read_text())
            .replace("> 300", "> 2")
            .replace("> 60'", "> 2'")
        )
        (tmp_path / "rules.yml").write_text(rules)
        targets = json.dumps([f"127.0.0.1:{port}" for port in ports])
        (tmp_path / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\n"
            f"scrape_configs: [{{job_name: s, static_configs: [{{targets: {targets}}}]}}]\n"
        )
        port = free_port_number()
        started.append(
            subprocess.Popen(
                [str(PROMETHEUS), "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                 f"--web.listen-address=127.0.0.1:{port}"],
                cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        )  # fmt: skip
        return f"http://127.0.0.1:{port}/api/v1"

    yield start
    for process in started:
        process.terminate()
        process.wait(20)


def _answers(url: str, status: int) -> bool:
    try:
        return get(url)[0] == status
    except OSError:
        return False


def _ask(url: str, path: str) -> Any:
    try:
        status, text = get(f"{url}/{path}")
    except OSError:
        return {}
    return json.loads(text)["data"] if status == 200 else {}


def _firing(url: str) -> set[str]:
    alerts = _ask(url, "alerts").get("alerts", [])
    return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}


@needs_prometheus
def test_the_rules_fire_when_the_system_breaks_and_every_query_of_the_board_runs(make_stack, prometheus, free_port):
    """Scraped by a real Prometheus: dead letters, a block, no route, quarantine, refusals, no worker."""
    routed = CONFIG.replace("[[routes]]\n", '[[routes]]\nservice_ids = ["123"]\n')
    stack = make_stack(config=routed, environ={"METRICS_PORT": str(free_port), "SPOOL_PATH": ""})
    stack.start()
    worker = f"http://127.0.0.1:{free_port}"
    url = prometheus([stack.port, free_port])
    stack.wait_for(lambda: _answers(f"{worker}/healthz", 200), 20, "the worker")
    _push(stack, CALLS)
    stack.wait_for(lambda: len(stack.records("captorra")) == CALLS, 30, "the deliveries")
    stack.wait_for(lambda: bool(_ask(url, "query?query=switchboard_workers").get("result")), 30, "a scrape")
    stack.wait_for(lambda: set() == _firing(url), 20, "all to be well")

    stack.lay_fault({"vendor": "captorra", "status": 400, "body": "Invalid ANI"})
    stack.lay_fault({"vendor": "kapture", "status": 401})
    stack.post("create", start_of("x1", "+61491570156"))
    stack.post("update", end_of("x1"))
    stack.post("create", start_of("x2").replace(b'"123"', b'"999"'))
    stack.post("update", end_of("x2").replace(b'"123"', b'"999"'))
    stack.post("create", b"{no json")
    get(f"http://127.0.0.1:{stack.port}/services/calldata?token=wrong", data=b"{}")
    wanted = {"DeadLetters", "NotServed", "Unrouted", "Quarantined"}
    stack.wait_for(lambda: {f"Switchboard{name}" for name in wanted} <= _firing(url), 40, f"{wanted}: {_firing(url)}")
    get(f"http://127.0.0.1:{stack.port}/services/calldata?token=wrong", data=b"{}")
    stack.wait_for(lambda: "SwitchboardRefused" in _firing(url), 40, "the refusals")

    board = json.loads((MONITORING / "board.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    answers = {query: _ask(url, f"query?query={urllib.parse.quote(query)}") for query in queries}
    empty = sorted(query for query, answer in answers.items() if not answer.get("result"))

    stack.kill("worker0")
    stack.post("create", start_of("x3", "+61491570157"))
    stack.wait_for(lambda: "SwitchboardNoWorkers" in _firing(url), 40, "the missing worker")
    assert [] == empty
    assert 20 <= len(queries)


@needs_prometheus
def test_the_other_six_rules_fire_too(make_redis_server, make_stack, prometheus):
    """A queue without a worker, files that differ, a Redis that hangs, and nothing left to be scraped."""
    server = make_redis_server()
    ports = [free_port_number(), free_port_number()]
    stack = make_stack(redis_url=server.url)
    url = prometheus([stack.port, *ports])
    newest = Path(stack.environ["SWITCHBOARD_CONFIG"])
    older = newest.with_name("older.toml")
    older.write_text(newest.read_text() + "\n# other\n")
    os.utime(older, (newest.stat().st_mtime - 3600,) * 2)
    stack.start(workers=0)
    for name, file, port in (("others", newest, ports[0]), ("older", older, ports[1])):
        stack.environ |= {"SWITCHBOARD_CONFIG": str(file), "METRICS_PORT": str(port)}
        stack.start_worker(name, "-Q", "calls,comunik8,kapture,chores")
        stack.wait_for(partial(_answers, f"http://127.0.0.1:{port}/healthz", 200), 40, name)
    _push(stack, 1)
    _fires(stack, url, "Overdue", "Drift")

    server.freeze()
    with ThreadPoolExecutor(5) as senders:
        for number in range(5):
            senders.submit(stack.post, "create", start_of(f"s{number}"))
    _fires(stack, url, "SlowAck", "RedisDown", "Spooling")

    for name in ("receiver", "others", "older"):
        stack.kill(name)
    _fires(stack, url, "Gone")


def _is_firing(url: str, name: str) -> bool:
    return f"Switchboard{name}" in _firing(url)


def _fires(stack: Stack, url: str, *names: str) -> None:
    for name in names:
        stack.wait_for(partial(_is_firing, url, name), 60, name)


@needs_prometheus
def test_the_rules_hold_against_their_own_tests():
    """``promtool test rules``: each fires on what it is for, and none where all is well."""
    done = subprocess.run(
        ["promtool", "test", "rules", "rules_test.yml"], cwd=MONITORING, capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    names = set(re.findall(r"alert: (\w+)", (MONITORING / "rules.yml").read_text()))
    tested = (MONITORING / "rules_test.yml").read_text()
    assert all(tested.count(f"alertname: {name}\n") >= 2 for name in names)


def test_a_worker_that_cannot_claim_is_unhealthy(make_redis_server, make_stack, free_port):
    """Redis gone: 503 within some 15 s; back: 200 again. An idle worker stays healthy."""
    server = make_redis_server()
    stack = make_stack(redis_url=server.url, environ={"METRICS_PORT": str(free_port)})
    stack.start(receiver=False)
    health = f"http://127.0.0.1:{free_port}/healthz"
    stack.wait_for(lambda: _answers(health, 200), 20, "the worker")
    server.kill()
    stack.wait_for(lambda: _answers(health, 503), 30, "the worker to say that it cannot claim")
    assert "switchboard_redis_up 0.0" in get(f"http://127.0.0.1:{free_port}/metrics")[1]
    server.start()
    stack.wait_for(lambda: _answers(health, 200), 30, "the worker to be well again")
    assert command(stack, "alerts", "list")[0] == 0
