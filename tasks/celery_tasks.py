"""The Celery tasks: thin, and joined to the app with the queues of the registry's vendors."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from threading import BoundedSemaphore
from typing import Any

import structlog
from kombu.exceptions import OperationalError
from redis import RedisError

from schemas.callcap.requests import Kind
from schemas.delivery import DeliveryKey
from tasks.alerts.watch import watch
from tasks.callcap.requests import Callcap, NoSuchRequest, NotNoted
from tasks.delacon_audit.audit import audit_due
from tasks.delivery.observer import Observer
from tasks.dispatch.planner import Planner
from tasks.dispatch.process_dispatcher import ProcessDispatcher
from tasks.vendors.registry import QUEUES, VENDORS
from tasks.worker_process import CALLCAP_THREADS, CHORE_THREADS, PUMP_THREADS, connect_signals
from worker.broker import direct_queue
from worker.celery import app
from worker.clock import begin_chore
from worker.concurrency import BoundedExecutor
from worker.ledger.numbers import Numbers
from worker.runtime import Runtime, runtime

log = structlog.get_logger(__name__)

BARRED_LOOK_S = 1.0
DELACON_EVERY_MS = 300_000  # between two looks whether a day is to be audited
ALERTS_EVERY_MS = 2_000  # between two looks; one costs Redis some milliseconds with 1,000 destinations


# A Callcap that hangs must not hold the threads that the calls need.
_turns = BoundedExecutor[tuple[Kind, str]](CALLCAP_THREADS)


def _carry_out(asked: tuple[Kind, str]) -> None:
    kind, key = asked
    owned = runtime()
    if owned.settings.callcap is None:
        log.error("callcap.not_configured", request_id=key)
        return
    while not (owned.may_work.wait(BARRED_LOOK_S) or owned.stopping):
        pass
    if owned.stopping:
        app.send_task(f"tasks.callcap.{kind}", args=[key], queue="callcap")
        return
    callcap = Callcap(owned.settings.callcap, http=owned.http, numbers=Numbers(owned.ledger))
    try:
        owned.run(callcap.carry_out(key, kind))
    except NoSuchRequest:
        log.warning("number_request.absent", request_id=key, kind=kind)
    except (RedisError, NotNoted) as error:
        # What was claimed and not settled becomes "unknown" after its lease; the same key never sends it again.
        log.warning("number_request.ledger_failed", request_id=key, error=type(error).__name__)


def _make_task(kind: Kind) -> None:
    @app.task(name=f"tasks.callcap.{kind}")  # type: ignore[untyped-decorator]
    def carry_out(key: str) -> None:
        """Carry out the request of this key; a second message of the same key sends nothing."""
        _turns.take((kind, key), _carry_out)


for _kind in Kind:
    _make_task(_kind)


app.conf.task_queues = [direct_queue(name) for name in QUEUES]


@app.task(name="tasks.calls.dispatch")  # type: ignore[untyped-decorator]
def dispatch(call_ids: list[str]) -> None:
    """Merge and route these calls, or without any all whose wait is over; then wake their destinations.

    One task of a process is at it; the others hand their calls over and return, so that a busy process plans many calls
    at a time instead of many times one.
    """
    owned = runtime()
    if not owned.may_work.is_set():
        return  # the calls wait where they are, and the clock wakes them
    if owned.leaves_planning:
        with suppress(RedisError):
            owned.run(owned.ledger.leave_calls())
        return
    if not owned.calls.join(call_ids):
        return
    dispatcher = _dispatcher(owned)
    try:
        while (done := owned.run(dispatcher.step())) is not None:
            for wake_up in done.wake_ups:
                vendor = owned.settings.destinations[wake_up.destination].vendor
                _wake(f"tasks.{vendor}.deliver", [wake_up.destination, [str(key) for key in wake_up.keys]], vendor)
            Observer(owned.metrics, owned.publish_dead).no_start(done.no_start)
    except RedisError as error:
        # The calls stay due: the clock sends the next wake-up.
        log.warning("ledger.unavailable", error=type(error).__name__)
    except BaseException:
        owned.calls.leave()
        raise


@lru_cache(maxsize=1)
def _dispatcher(owned: Runtime) -> ProcessDispatcher:
    """Return the process's dispatcher; it hands deliveries over where this worker takes its messages (``-Q``)."""
    destinations = owned.settings.destinations
    return ProcessDispatcher(
        ledger=owned.ledger,
        planner=Planner(settings=owned.settings, vendors=VENDORS),
        pumps=owned.pumps,
        ids=owned.calls,
        serves=lambda name: destinations[name].vendor in app.amqp.queues.consume_from,
        traces=owned.traces,
    )


def _wake(task: str, args: list[Any], queue: str) -> None:
    """Send a wake-up; one that the broker refuses is replaced by the clock's."""
    try:
        app.send_task(task, args=args, queue=queue)
    except OperationalError as error:
        log.warning("wake.failed", queue=queue, error=type(error).__name__)


# Hundreds of destinations that hang must not hold the threads that the calls need.
_pump_threads = BoundedSemaphore(PUMP_THREADS)


def _make_deliver(vendor: str) -> None:
    @app.task(name=f"tasks.{vendor}.deliver")  # type: ignore[untyped-decorator]
    def deliver(destination: str, keys: list[str]) -> None:
        """Run the destination's pump until nothing is left, or hand it these keys.

        With more destinations at work than ``PUMP_THREADS``, the pump runs on without this thread.
        """
        owned = runtime()
        pump = owned.pumps.get(destination)
        if pump is None:
            log.warning("destination.unknown", destination=destination)
            return
        if not owned.may_work.is_set():
            return  # what is due stays due, and the clock wakes it
        parsed = [DeliveryKey.parse(key) for key in keys]
        if not _pump_threads.acquire(blocking=False):
            owned.loop.call_soon_threadsafe(pump.wake, parsed)
            return
        try:
            owned.run(pump.run(parsed))
        finally:
            _pump_threads.release()


for _vendor in VENDORS:
    _make_deliver(_vendor)


# A chore that takes long must not hold the threads that the calls need.
_chores = BoundedExecutor[Callable[[], Coroutine[Any, Any, None]]](CHORE_THREADS)


def _do(chore: Callable[[], Coroutine[Any, Any, None]]) -> None:
    owned = runtime()
    if owned.stopping or not owned.may_work.is_set():
        return
    try:
        owned.run(chore())
    except RedisError as error:  # its turn comes again
        log.warning("ledger.unavailable", error=type(error).__name__)
    except Exception:
        log.exception("chore.failed")


@app.task(name="tasks.alerts.watch")  # type: ignore[untyped-decorator]
def watch_alerts() -> None:
    """Look for causes of alerts, and send the messages."""
    _chores.take(_watch_alerts, _do)


@app.task(name="tasks.delacon.audit")  # type: ignore[untyped-decorator]
def audit_delacon() -> None:
    """Audit the days that are due against Delacon's own list."""
    _chores.take(_audit_delacon, _do)


async def _audit_delacon() -> None:
    owned = runtime()
    await begin_chore(owned.ledger, "delacon", every_ms=DELACON_EVERY_MS)
    await audit_due(owned.settings, ledger=owned.ledger, now=datetime.now(UTC))


async def _watch_alerts() -> None:
    owned = runtime()
    await begin_chore(owned.ledger, "alerts", every_ms=ALERTS_EVERY_MS)
    await watch(owned.settings, ledger=owned.ledger, http=owned.http, rng=Random())


connect_signals()
