"""Flower beside a running system: what it shows, to whom, and what it must not be able to do."""

import json
from urllib.parse import quote

from tests.acceptance.looks import Flower, listening_addresses
from tests.acceptance.stack import end_of, landed, start_of

CALLS = ("flower-a", "flower-b")
NUMBERS = ("491570156", "491570157", "0288889999", "288889999", "029898989", "29898989")
"""The callers', the tracking number's and the answering point's, without prefixes: in any form these digits stand."""


def test_flower_shows_the_work_by_ids_alone_to_whoever_has_the_password(make_stack):
    """Workers, queues and tasks with their arguments; no phone number on any page; nothing can be changed."""
    stack = make_stack()
    flower = Flower(stack)
    stack.start(workers=0)
    # Who takes no messages of the vendors hands nothing over to itself: each delivery has its message.
    stack.start_worker("worker0", "-Q", "calls,chores")
    stack.start_worker("worker1", "-Q", "captorra,comunik8,kapture,callcap")
    stack.wait_for(lambda: flower.sees("worker0") and flower.sees("worker1"), 30, "Flower and its workers")
    for call_id, caller in zip(CALLS, ("+61491570156", "+61491570157"), strict=True):
        stack.post("create", start_of(call_id, caller))
        stack.post("update", end_of(call_id))
    stack.wait_for(lambda: landed(stack, 2), 20, "six records")
    done = {"tasks.calls.dispatch", "tasks.captorra.deliver", "tasks.comunik8.deliver", "tasks.kapture.deliver"}
    stack.wait_for(lambda: done <= {task["name"] for task in _succeeded(flower)}, 20, "tasks in Flower")

    queues = {queue["name"] for queue in flower.json("/api/queues/length")["active_queues"]}
    tasks = _succeeded(flower)
    asked = [task["args"] for task in tasks if task["name"] == "tasks.calls.dispatch"]
    handed = [task["args"] for task in tasks if task["name"] == "tasks.captorra.deliver"]

    assert {"calls", "captorra", "comunik8", "kapture", "callcap", "chores"} == queues
    assert any("flower-a" in args for args in asked)
    assert any("flower-a:law:create" in args or "flower-b:law:create" in args for args in handed)
    pages = _pages(flower, tasks)
    workers = json.loads(pages["/api/workers?refresh=1"])
    assert {"tasks.calls.dispatch", "tasks.kapture.deliver"} <= set(workers["worker0@test"]["registered"])
    found = {(path, number) for path, text in pages.items() for number in NUMBERS if number in text}
    assert set() == found

    for path in pages.keys() - {"/metrics", "/healthcheck", "/api/workers?refresh=1"}:
        assert (path, 401) == (path, flower.get(path, user="")[0])
        assert (path, 401) == (path, flower.get(path, user="operator:wrong")[0])
    changes = ("worker/shutdown/worker0@test", "worker/pool/shrink/worker0@test", "task/send-task/tasks.calls.dispatch")
    for change in changes:
        assert (change, 403) == (change, flower.get(f"/api/{change}", data=b"{}")[0])
    assert stack.processes["worker0"].poll() is None
    assert {"0100007F"} == listening_addresses(flower.pid, flower.port)


def _succeeded(flower: Flower) -> list[dict[str, str]]:
    return list(flower.json("/api/tasks?state=SUCCESS").values())


def _pages(flower: Flower, tasks: list[dict[str, str]]) -> dict[str, str]:
    """Read every page and every answer of Flower that may show something of a call."""
    paths = ["/", "/workers", "/worker/worker0@test", "/tasks", "/broker", "/metrics", "/healthcheck", "/api/tasks"]
    paths += ["/api/workers?refresh=1", "/workers?json=1", "/api/task/types", "/api/queues/length"]
    paths += ["/tasks/datatable?draw=1&start=0&length=50&order[0][column]=0&order[0][dir]=asc&columns[0][data]=name"]
    for task in tasks:
        paths += [f"/task/{quote(task['uuid'])}", f"/api/task/info/{quote(task['uuid'])}"]
    pages = {}
    for path in paths:
        status, pages[path] = flower.get(path)
        assert (path, 200) == (path, status)
    assert any("flower-a" in text for path, text in pages.items() if path.startswith("/task/"))
    assert json.loads(pages["/api/tasks"])
    return pages
