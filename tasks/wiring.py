"""Joins the registry to the Celery app: the queues and the thin tasks."""

from typing import Any

import structlog
from kombu.exceptions import OperationalError
from redis import RedisError

import tasks.callcap_tasks  # noqa: F401  makes its tasks known to the app
from schemas.delivery import DeliveryKey
from tasks.dispatch import dispatch as dispatch_calls
from tasks.planning import Planner
from tasks.process import connect_signals
from tasks.registry import VENDORS
from tasks.watcher import Watcher
from worker.broker import direct_queue
from worker.celery import app
from worker.runtime import runtime

log = structlog.get_logger(__name__)

app.conf.task_queues = [direct_queue(name) for name in ("calls", *VENDORS, "callcap")]


@app.task(name="tasks.calls.dispatch")  # type: ignore[untyped-decorator]
def dispatch(call_ids: list[str]) -> None:
    """Merge and route these calls, or without any all whose wait is over; then wake their destinations."""
    owned = runtime()
    planner = Planner(settings=owned.settings, vendors=VENDORS)
    try:
        done = owned.run(dispatch_calls(call_ids, ledger=owned.ledger, planner=planner, new_only=True))
    except RedisError as error:
        # The calls stay due: the clock sends the next wake-up.
        log.warning("ledger.unavailable", error=type(error).__name__)
        return
    for wake_up in done.wake_ups:
        vendor = owned.settings.destinations[wake_up.destination].vendor
        _wake(f"tasks.{vendor}.deliver", [wake_up.destination, list(wake_up.keys)], vendor)
    Watcher(owned.metrics, owned.publish_dead).no_start(done.no_start)


def _wake(task: str, args: list[Any], queue: str) -> None:
    """Send a wake-up; one that the broker refuses is replaced by the clock's."""
    try:
        app.send_task(task, args=args, queue=queue)
    except OperationalError as error:
        log.warning("wake.failed", queue=queue, error=type(error).__name__)


def _make_deliver(vendor: str) -> None:
    @app.task(name=f"tasks.{vendor}.deliver")  # type: ignore[untyped-decorator]
    def deliver(destination: str, keys: list[str]) -> None:
        """Run the destination's pump until nothing is left, or hand it these keys."""
        owned = runtime()
        pump = owned.pumps.get(destination)
        if pump is None:
            log.warning("destination.unknown", destination=destination)
            return
        owned.run(pump.run([DeliveryKey.parse(key) for key in keys]))


for _vendor in VENDORS:
    _make_deliver(_vendor)

connect_signals()
