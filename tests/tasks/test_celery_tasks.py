"""The Celery tasks are thin: what a worker must not do now is left alone, and no error reaches Celery."""

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from schemas.delivery import DeliveryKey
from tasks import celery_tasks
from tasks.callcap.requests import NoSuchRequest
from worker.celery import app
from worker.concurrency import IdBatcher


class FakePump:
    """Keeps the keys that it was asked to deliver."""

    def __init__(self) -> None:
        self.ran: list[list[DeliveryKey]] = []

    async def run(self, keys: list[DeliveryKey]) -> None:
        """Keep them."""
        self.ran.append(keys)


@pytest.fixture
def owned(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a process's runtime without a process: it may work, and runs coroutines at once."""
    may_work = threading.Event()
    may_work.set()
    made = SimpleNamespace(
        settings=SimpleNamespace(callcap=None, delacon=None, destinations={}), may_work=may_work, stopping=False,
        leaves_planning=False, pumps={"law": FakePump()}, calls=IdBatcher(), run=asyncio.run, ledger=None, http=None,
    )  # fmt: skip
    monkeypatch.setattr(celery_tasks, "runtime", lambda: made)
    return made


def task(name: str) -> Callable[..., None]:
    """Return a task as Celery calls it."""
    found: Callable[..., None] = app.tasks[name]
    return found


def events(work: Callable[[], None]) -> list[str]:
    """Return what some work logs."""
    with capture_logs() as logs:
        work()
    return [line["event"] for line in logs]


def test_deliveries_run_on_their_destinations_pump(owned):
    """One that is not configured here is logged; while the worker may not work, nothing is sent."""
    deliver = task("tasks.captorra.deliver")
    deliver("law", ["1:law:create"])
    unknown = events(lambda: deliver("nowhere", []))
    owned.may_work.clear()
    deliver("law", ["2:law:create"])

    assert [[DeliveryKey("1", "law", "create")]] == owned.pumps["law"].ran
    assert ["destination.unknown"] == unknown


def test_calls_wait_where_they_are_while_a_worker_may_not_work(owned):
    """Nothing is taken from the ledger."""
    owned.may_work.clear()
    task("tasks.calls.dispatch")(["1"])

    assert owned.calls.join(["2"]), "nobody was at work"


def test_a_worker_with_an_older_configuration_leaves_calls_to_others(owned):
    """It lets the clock of another wake them, whether Redis answers or not."""
    left: list[bool] = []

    async def leave() -> None:
        left.append(True)
        raise RedisConnectionError("gone")

    owned.leaves_planning = True
    owned.ledger = SimpleNamespace(leave_calls=leave)
    task("tasks.calls.dispatch")(["1"])

    assert [True] == left


@pytest.mark.parametrize("error", [RedisConnectionError("gone"), ValueError("ours")])
def test_a_dispatch_that_fails_leaves_the_work_to_the_next(owned, monkeypatch, error):
    """A Redis that is away is logged; an error of ours is Celery's to show. Nobody waits for a dead run."""

    class FailingDispatcher:
        async def step(self) -> None:
            """Fail as the real one does, which lets others begin first."""
            owned.calls.leave()
            raise error

    monkeypatch.setattr(celery_tasks, "_dispatcher", lambda _owned: FailingDispatcher())
    if isinstance(error, RedisConnectionError):
        assert ["ledger.unavailable"] == events(lambda: task("tasks.calls.dispatch")(["1"]))
    else:
        with pytest.raises(ValueError, match="ours"):
            task("tasks.calls.dispatch")(["1"])

    assert owned.calls.join(["2"])


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (NoSuchRequest("k"), "number_request.absent"),
        (RedisConnectionError("gone"), "number_request.ledger_failed"),
        (None, ""),
    ],
)
def test_a_request_about_a_number_ends_in_the_log_at_worst(owned, monkeypatch, error, event):
    """The same key may be sent again: nothing is provisioned twice."""
    asked: list[str] = []

    class FakeCallcap:
        def __init__(self, *_: Any, **__: Any) -> None:
            """Take whatever the task hands over."""

        async def carry_out(self, key: str, kind: Any) -> None:
            """Do as the test says."""
            asked.append(f"{kind} {key}")
            if error is not None:
                raise error

    monkeypatch.setattr(celery_tasks, "Callcap", FakeCallcap)
    monkeypatch.setattr(celery_tasks, "Numbers", lambda ledger: ledger)
    owned.settings.callcap = object()

    assert [event] * bool(event) == events(lambda: task("tasks.callcap.search")("k"))
    assert ["search k"] == asked


def test_without_callcap_a_request_is_logged(owned):
    """The configuration may have changed since it was written."""
    assert ["callcap.not_configured"] == events(lambda: task("tasks.callcap.update")("k"))


def test_a_stopping_worker_gives_a_request_back(owned, monkeypatch):
    """Another one takes it from the queue."""
    sent: list[Any] = []
    monkeypatch.setattr(app, "send_task", lambda name, **given: sent.append((name, given)))
    owned.settings.callcap = object()
    owned.may_work.clear()
    owned.stopping = True
    monkeypatch.setattr(celery_tasks, "BARRED_LOOK_S", 0.0)
    task("tasks.callcap.provision")("k")

    assert [("tasks.callcap.provision", {"args": ["k"], "queue": "callcap"})] == sent


CHORES = {"tasks.alerts.watch": "watch", "tasks.delacon.audit": "audit_due"}
ENDS = [(None, []), (RedisConnectionError("gone"), ["ledger.unavailable"]), (ValueError("ours"), ["chore.failed"])]


@pytest.mark.parametrize("name", CHORES)
@pytest.mark.parametrize("end", ENDS, ids=["done", "away", "ours"])
def test_a_chore_that_fails_is_logged_and_comes_again(owned, monkeypatch, name, end):
    """Its turn comes by the clock; a worker that stops begins none."""
    error, said = end
    done: list[str] = []

    async def begin(_ledger: Any, chore: str, *, every_ms: int) -> None:
        done.append(f"{chore} {every_ms > 0}")

    async def chore(*_: Any, **__: Any) -> None:
        done.append(name)
        if error is not None:
            raise error

    monkeypatch.setattr(celery_tasks, "begin_chore", begin)
    monkeypatch.setattr(celery_tasks, CHORES[name], chore)
    found = events(task(name))
    owned.stopping = True
    task(name)()

    assert [f"{name.split('.')[1]} True", name] == done
    assert said == found
