"""What a worker tells whoever may ask it by Celery's remote control: nothing of the configuration."""

import json

import pytest
from celery import Celery

from tests.acceptance.looks import Flower
from tests.acceptance.stack import CONFIG, TOKEN, Stack, end_of, landed, start_of

BLOCKED = ("+61491570158", "0491570159")
REDIS_PASSWORD = "a-redis-password-for-tests"
ROUTE = f"""
[[routes]]
to = ["law"]
service_ids = ["4711-of-smith-law"]
block_callers = ["{BLOCKED[0]}", "{BLOCKED[1]}"]
"""
QUESTIONS = (
    "conf",
    "report",
    "stats",
    "registered",
    "active",
    "reserved",
    "scheduled",
    "revoked",
    "active_queues",
    "ping",
)


@pytest.fixture
def guarded_url(redis_url: str) -> str:
    """Return the address of an empty Redis with a password in it, which Redis takes from its default user."""
    return redis_url.replace("//", f"//default:{REDIS_PASSWORD}@")


def _secrets(stack: Stack) -> set[str]:
    """Return what stands in the configuration and the environment, and must not be told."""
    numbers = {number.lstrip("+0") for number in BLOCKED} | {"491570158", "491570159"}
    told = {"captorracalltracking", "4711-of-smith-law", "motor-trade", "calls.example.com", "standin-kapture-key"}
    return {*numbers, *told, "standin-comunik8-key", stack.standins_url, TOKEN, REDIS_PASSWORD, str(stack.folder)}


def _answers(url: str, worker: str) -> dict[str, str]:
    """Ask a worker everything that the remote control can ask; the answers as texts."""
    with Celery(broker=url, set_as_current=False) as app:
        inspect = app.control.inspect([worker], timeout=10, limit=1)
        answers = {question: json.dumps(inspect._request(question)) for question in QUESTIONS}
        with_defaults = inspect._request("conf", with_defaults=True)
        answers["conf with defaults"] = json.dumps(with_defaults)
        answers["query_task"] = json.dumps(inspect.query_task(["no-such-task"]))
        return answers


def test_remote_control_tells_nothing_of_the_configuration(make_stack, guarded_url):
    """Neither to ``celery inspect`` nor on Flower's page of a worker: no number, address, key, token or password."""
    stack = make_stack(redis_url=guarded_url, config=CONFIG + ROUTE)
    flower = Flower(stack)
    stack.start()
    stack.post("create", start_of("asked-1"))
    stack.post("update", end_of("asked-1"))
    stack.wait_for(lambda: landed(stack, 1), 20, "three records")
    stack.wait_for(lambda: flower.sees("worker0"), 30, "Flower and its worker")

    texts = _answers(guarded_url, "worker0@test")
    stack.wait_for(lambda: "tasks.calls.dispatch" in flower.get("/api/workers?refresh=1")[1], 20, "Flower's questions")
    texts |= {
        path: flower.get(path)[1] for path in ("/worker/worker0@test", "/api/workers?refresh=1", "/workers?json=1")
    }

    assert "worker_prefetch_multiplier" in texts["conf"]  # it was asked, and answered
    assert "worker_prefetch_multiplier" in texts["/worker/worker0@test"]
    assert "worker0@test" in texts["report"]
    found = {(question, secret) for question, text in texts.items() for secret in _secrets(stack) if secret in text}
    assert set() == found
