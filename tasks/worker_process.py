"""The life of a worker process: configuration, runtime, pumps, shutdown."""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any

from celery.signals import celeryd_init, setup_logging, worker_init, worker_shutdown, worker_shutting_down

from tasks.delivery.backlog_throttle import BacklogThrottle
from tasks.delivery.finish_writer import FinishWriter
from tasks.delivery.observer import Observer
from tasks.delivery.pump import Pump
from tasks.delivery.runner import Runner
from tasks.dispatch.planner import Planner
from tasks.vendors.registry import VENDORS, list_ages
from worker.concurrency import SWITCH_S
from worker.config.environment import Environment
from worker.config.settings import LEASE_MARGIN_S, Settings, read_startup
from worker.dead_letters import DeadLetterQueue
from worker.errors import SettingsError
from worker.ledger.schema import refuse_unknown_format
from worker.log import configure_logging
from worker.metrics import Metrics
from worker.runtime import Runtime, runtime, start

LINGER_S = 2.0
"""How long a pump without work stays. While it does, the dispatch of its process hands it deliveries without a message:
three of a call's four, and the threads, round trips and waits that each of them takes."""

PUMP_THREADS = 32
"""Runs of pumps that a thread waits for, one a destination; those of further destinations go on without a thread."""

DISPATCH_THREADS = 4
CHORE_THREADS = 1  # chores are done one after the other
CALLCAP_THREADS = 2  # requests to Callcap under way at once; the others wait in line and hold no thread


_configured: list[tuple[Environment, Settings]] = []
"""What was read, until the runtime is made of it. Not in Celery's ``conf``: whoever may ask a worker for that (Flower,
``celery inspect conf``, ``report``) would see the numbers of ``block_callers`` and the vendors' addresses."""


def connect_signals() -> None:
    """Tie the process's life to Celery's."""
    setup_logging.connect(_keep_our_logging, weak=False)
    celeryd_init.connect(_read_configuration, weak=False)
    worker_init.connect(_start_runtime, weak=False)
    worker_shutting_down.connect(_claim_no_more, weak=False)
    worker_shutdown.connect(_close_runtime, weak=False)


def build_pumps(owned: Runtime, *, lease_margin_s: float) -> Mapping[str, Pump]:
    """Make a pump for every destination; they share the session, the writer of finishes and the jitter."""
    finish_writer = FinishWriter(owned.ledger)
    observer = Observer(owned.metrics, owned.publish_dead)
    rng = Random()
    throttle = BacklogThrottle()
    pumps = {}
    for name, destination in owned.settings.destinations.items():
        lease_ms = round((destination.timeout_s + lease_margin_s) * 1000)
        runner = Runner(
            destination,
            vendor=VENDORS[destination.vendor],
            ledger=owned.ledger,
            http=owned.http,
            finish_writer=finish_writer,
            observer=observer,
            now=_now,
            rng=rng,
            default_region=owned.settings.calls.default_region,
            lease_ms=lease_ms,
            traces=owned.traces,
        )
        pumps[name] = Pump(
            destination,
            ledger=owned.ledger,
            deliver=runner.deliver,
            lease_ms=lease_ms,
            throttle=throttle,
            confirms=not VENDORS[destination.vendor].resend_is_safe(destination),
            linger_s=LINGER_S,
        )
    return pumps


def _now() -> datetime:
    return datetime.now(UTC)


def _keep_our_logging(**_: Any) -> None:
    """Keep Celery from setting up its own logging; ours was set up when the configuration was read."""


def _read_configuration(*, instance: Any, conf: Any, **_: Any) -> None:
    """Read the configuration before anything is consumed; every fault is told and the process ends with status 2."""
    try:
        environment, settings = read_startup(os.environ, specs=[vendor.spec for vendor in VENDORS.values()])
        refuse_unknown_format(environment.redis_url)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201  there is no log yet
        raise SystemExit(2) from None
    configure_logging(environment.log_format, environment.log_level, secrets=settings.secrets)
    callcap_threads = CALLCAP_THREADS if settings.callcap else 0
    pump_threads = min(len(settings.destinations), PUMP_THREADS)
    instance.quiet = True  # the banner is no log line, and where it cannot be written Celery ends
    conf.worker_concurrency = pump_threads + DISPATCH_THREADS + CHORE_THREADS + callcap_threads
    _configured.append((environment, settings))


def _start_runtime(*, sender: Any, **_: Any) -> None:
    sys.setswitchinterval(SWITCH_S)
    environment, settings = _configured.pop()
    metrics = Metrics()
    metrics.tell_build(settings.digest)
    metrics.know({name: one.vendor for name, one in settings.destinations.items()})
    made = Runtime(settings=settings, environment=environment, metrics=metrics)
    if environment.metrics_port is not None:
        metrics.serve(environment.metrics_host, environment.metrics_port, healthy=lambda: made.pulse.is_well)
    made.list_ages = list_ages(settings.destinations)
    made.patience = Planner(settings=settings, vendors=VENDORS).patience
    if settings.alerts:
        made.chores["alerts"] = "tasks.alerts.watch"
    if settings.delacon is not None:
        made.chores["delacon"] = "tasks.delacon.audit"
    if settings.publish_dead_letters:
        made.publish_dead = DeadLetterQueue(sender.app).publish
    conf = sender.app.conf
    margin_s = conf.get("switchboard_lease_margin_s", LEASE_MARGIN_S)
    start(made, pumps=partial(build_pumps, lease_margin_s=margin_s), timings=conf.get("switchboard_timings"))


def _claim_no_more(**_: Any) -> None:
    runtime().shut_down()


def _close_runtime(**_: Any) -> None:
    runtime().close()
