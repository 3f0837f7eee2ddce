"""Joins the registry to the Celery app: queues, tasks, and what a worker process starts with."""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import structlog
from celery.signals import celeryd_init, setup_logging, worker_init, worker_shutdown, worker_shutting_down
from kombu import Queue
from redis import RedisError

from schemas.delivery import DeliveryKey
from tasks.deliverer import Deliverer
from tasks.dispatch import dispatch as dispatch_calls
from tasks.finishes import Finishes
from tasks.planning import Planner
from tasks.pump import Pump
from tasks.registry import VENDORS
from tasks.watcher import Watcher
from worker.celery import app
from worker.environment import Environment
from worker.errors import SettingsError
from worker.log import configure_logging
from worker.metrics import Metrics
from worker.runtime import Runtime, runtime, start
from worker.settings import lease_s, load_settings

log = structlog.get_logger(__name__)

DISPATCH_THREADS = 4  # the rest of the pool: one thread a destination

app.conf.task_queues = [Queue(name) for name in ("calls", *VENDORS, "callcap")]


@app.task(name="tasks.calls.dispatch", queue="calls")  # type: ignore[untyped-decorator]
def dispatch(call_ids: list[str]) -> None:
    """Merge and route these calls, or without any all whose wait is over; then wake their destinations."""
    owned = runtime()
    planner = Planner(settings=owned.settings, vendors=VENDORS)
    try:
        done = owned.run(dispatch_calls(call_ids, ledger=owned.ledger, planner=planner))
    except RedisError as error:
        # The calls stay due: the clock sends the next wake-up.
        log.warning("ledger.unavailable", error=type(error).__name__)
        return
    for wake_up in done.wake_ups:
        vendor = owned.settings.destinations[wake_up.destination].vendor
        app.send_task(f"tasks.{vendor}.deliver", args=[wake_up.destination, list(wake_up.keys)], queue=vendor)
    if done.no_start:
        Watcher.of(owned, app).no_start(done.no_start)


def _deliver_task(vendor: str) -> None:
    @app.task(name=f"tasks.{vendor}.deliver", queue=vendor)  # type: ignore[untyped-decorator]
    def deliver(destination: str, keys: list[str]) -> None:
        """Run the destination's pump until nothing is left, or hand it these keys."""
        owned = runtime()
        pump = owned.pumps.get(destination)
        if pump is None:
            log.warning("destination.unknown", destination=destination)
            return
        owned.run(pump.run([DeliveryKey.parse(key) for key in keys]))


for _name in VENDORS:
    _deliver_task(_name)


def build_pumps(owned: Runtime) -> Mapping[str, Pump]:
    """Make a pump for every destination; they share the session, the writer of finishes and the jitter."""
    finishes = Finishes(owned.ledger)
    watcher = Watcher.of(owned, app)
    rng = Random()
    pumps = {}
    for name, destination in owned.settings.destinations.items():
        lease_ms = round(lease_s(destination) * 1000)
        deliverer = Deliverer(
            destination, vendor=VENDORS[destination.vendor], ledger=owned.ledger, http=owned.http,
            finishes=finishes, watcher=watcher, now=_now, rng=rng,
            default_region=owned.settings.calls.default_region, lease_ms=lease_ms,
        )  # fmt: skip
        pumps[name] = Pump(destination, ledger=owned.ledger, deliver=deliverer.deliver, lease_ms=lease_ms)
    return pumps


def _now() -> datetime:
    return datetime.now(UTC)


@setup_logging.connect(weak=False)
def _log_as_configured(**_: Any) -> None:
    environment = Environment.read(os.environ)
    configure_logging(environment.log_format, environment.log_level)


@celeryd_init.connect(weak=False)
def _read_configuration(conf: Any, **_: Any) -> None:
    """Read the configuration before anything is consumed; every fault is told and the process ends with status 2."""
    try:
        environment = Environment.read(os.environ)
        settings = load_settings(environment.config, os.environ, specs=[v.spec for v in VENDORS.values()])
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
    conf.worker_concurrency = len(settings.destinations) + DISPATCH_THREADS
    conf.switchboard = (environment, settings)


@worker_init.connect(weak=False)
def _start_runtime(sender: Any, **_: Any) -> None:
    environment, settings = sender.app.conf.switchboard
    metrics = Metrics()
    if environment.metrics_port:
        metrics.serve(environment.metrics_host, environment.metrics_port)
    start(Runtime(settings=settings, environment=environment, metrics=metrics), pumps=build_pumps)


@worker_shutting_down.connect(weak=False)
def _claim_no_more(**_: Any) -> None:
    runtime().shut_down()


@worker_shutdown.connect(weak=False)
def _close_runtime(**_: Any) -> None:
    runtime().close()
