"""The receiver's life: made of its parts, serving, and ending without losing what waits."""

import asyncio
import resource
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from receiver.health import Ready
from receiver.inbox import Inbox
from receiver.journal import Journal
from receiver.ledger_watch import LedgerWatch, keeper_of
from receiver.measures import Measures
from receiver.notifier import Notifier
from receiver.quarantine import Quarantine
from receiver.redis_breaker import RedisBreaker
from receiver.refusals import Refusals
from receiver.reporter import Reporter
from receiver.server import Server
from receiver.spool.drainer import Drainer
from receiver.spool.file import SpoolFile, SpoolStatus
from receiver.spool.spool import Spool
from receiver.tally import Tally
from receiver.traced_inbox import TracedInbox
from receiver.views import create_app
from tasks.vendors.registry import QUEUES, list_ages
from worker.broker import open_redis
from worker.config.environment import Environment
from worker.config.receiver import ReceiverSettings
from worker.config.settings import Settings
from worker.ledger.ledger import Ledger
from worker.metrics import Metrics, refresh_gauges
from worker.sentinels import following
from worker.traces import Traces, writing

log = structlog.get_logger(__name__)

# Shorter than the inbox's budget for a write: a connection that cannot be made is refused in time.
REDIS_TIMEOUT_S = 1.0
BACKLOG = 4096  # the kernel takes the smaller of this and its own limit
# Platforms kill 30 s after SIGTERM; an answer takes at most 2 s, a wake-up is only a hint.
SHUTDOWN_S = 12.0
GRACE_S = 0.5
REPLACED_GRACE_S = 15.0  # another serves by now: no hurry. Clients drop idle connections of their own by then
CANCEL_AGAIN_S = 0.2
WAKER_SHUTDOWN_S = 2.0
OPEN_FILES = 65536
OTHER_FILES = 64  # Redis, the spool, the broker, the loop, and those that are just being hung up on


def now_us() -> int:
    """Return the wall clock in epoch microseconds."""
    return time.time_ns() // 1000


@asynccontextmanager
async def opened(
    *,
    settings: Settings,
    environment: Environment,
    spool_file: SpoolFile | None,
    connect: Callable[[], Callable[[list[str]], bool]],
    shared: Path | None = None,
) -> AsyncIterator[Server]:
    """Make the server and its parts; at the end of the block, store the events that wait and close everything.

    ``shared``: a folder of the processes that serve one port, for each to answer for all.
    """
    metrics = Metrics()
    metrics.tell_build(settings.digest)
    metrics.know({name: one.vendor for name, one in settings.destinations.items()}, counted=False)
    redis = open_redis(environment.redis_url, timeout_s=REDIS_TIMEOUT_S)
    ledger = Ledger(redis, min_replicas=environment.redis_min_replicas)
    breaker = RedisBreaker()
    spool = None if spool_file is None else Spool(spool_file, volatile=environment.spool_volatile)
    notifier = Notifier(connect)

    refusals = Refusals(metrics.refused, senders=[sender.name for sender in settings.receiver.senders])
    tally = Tally(metrics.registry)
    journal = None
    if environment.journal_dir is not None:
        journal = Journal(environment.journal_dir, retention=timedelta(seconds=settings.calls.retention_s))
    reporter = Reporter(
        ledger=ledger, breaker=breaker, config=settings.digest, spool=environment.spool_path if spool else None,
        heard_s=lambda: tally.heard_s, refused=refusals.totals, now_us=now_us,
        journal=lambda: "" if journal is None else journal.fault,
    )  # fmt: skip

    def tell_depth(status: SpoolStatus) -> None:
        oldest_s = 0 if status.oldest_us is None else (now_us() - status.oldest_us) / 1e6
        metrics.tell_spool(status.events, oldest_s=oldest_s)
        reporter.tell_spool(status)

    watch = LedgerWatch(ledger, keeper_of(environment.journal_dir, environment.spool_path), bar=breaker.bar)
    inbox = Inbox(
        ledger=ledger, spool=spool, breaker=breaker, wake=notifier.wake, now_us=now_us,
        journal=(lambda _: None) if journal is None else journal.add,
    )  # fmt: skip

    def besides() -> dict[str, Any]:
        stopped = {"journal": {"state": "stopped", "why": journal.fault}} if journal and journal.fault else {}
        return {**watch.parts, **stopped}

    refresh = partial(
        refresh_gauges, metrics, ledger, destinations=settings.destinations, queues=QUEUES,
        list_ages=list_ages(settings.destinations),
    )  # fmt: skip
    measures = Measures(metrics, refresh=refresh, shared=shared)

    drainer = Drainer(
        spool=spool, ledger=ledger, breaker=breaker, wake=notifier.wake, depth=tell_depth, now_us=now_us,
        foreign=lambda sender, call_id: refusals.note("conflict", sender=sender, call_id=call_id),
    )  # fmt: skip
    traces = Traces.open(redis, service="receiver") if environment.otlp_endpoint else None
    app = create_app(
        settings=within_files(settings.receiver, resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        inbox=inbox,
        quarantine=Quarantine(ledger=ledger, spool=spool, breaker=breaker, receipt_us=inbox.receipt_us),
        ready=Ready(
            ledger=ledger, redis=redis, spool=spool, breaker=breaker, destinations=settings.destinations, now_us=now_us,
            config=settings.digest, refused=refusals.totals, besides=besides,
        ),
        measures=measures,
        tally=tally,
        refusals=refusals,
        traced=None if traces is None else TracedInbox(inbox, traces),
    )  # fmt: skip
    beside = [asyncio.create_task(work) for work in (app.watch(), measures.run(), reporter.run(), watch.run())]
    storing = asyncio.create_task(inbox.run())
    draining = asyncio.create_task(drainer.run())
    try:
        async with following(environment.redis_url), writing(traces):
            yield app
    finally:
        for task in beside:
            task.cancel()
        inbox.close()
        await storing
        tally.tell()
        while not draining.done():
            # Again and again: wait_for of Python 3.11, which redis-py sends with, may swallow a cancellation.
            draining.cancel()
            await asyncio.wait({draining}, timeout=CANCEL_AGAIN_S)
        await asyncio.to_thread(notifier.close, timeout_s=WAKER_SHUTDOWN_S)
        if journal is not None:
            await asyncio.to_thread(journal.close)
        if spool is not None:
            await spool.close()
        await redis.aclose()


def within_files(settings: ReceiverSettings, files: int) -> ReceiverSettings:
    """Return settings with no more connections than the system lets this process have open files, less its own."""
    room = max(1, files - OTHER_FILES)
    if files == resource.RLIM_INFINITY or settings.max_connections <= room:
        return settings
    log.warning("receiver.few_files", files=files, max_connections=room)
    return replace(settings, max_connections=room)


class Stop(asyncio.Event):
    """The event that ends the receiver; idle connections get ``grace_s`` then."""

    grace_s = GRACE_S

    def leave(self) -> None:
        """End without hurry: another receiver takes the connections."""
        if not self.is_set():
            self.grace_s = REPLACED_GRACE_S
            self.set()

    def end(self) -> None:
        """End soon, even after ``leave``."""
        self.grace_s = GRACE_S
        self.set()


async def serve(
    app: Server, sockets: Sequence[socket.socket], *, stop: Stop, serving: Callable[[], None] | None = None
) -> None:
    """Take requests on these sockets until ``stop``; then accept no more, answer what was asked, and hang up.

    ``serving`` is called once requests are taken.
    """
    runner = web.ServerRunner(app, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        for sock in sockets:
            await web.SockSite(runner, sock, backlog=BACKLOG).start()
        host, port = sockets[0].getsockname()[:2]
        log.info("receiver.listening", host=host, port=port)
        if serving is not None:
            serving()
        await stop.wait()
        log.info("receiver.stopping")
        for site in list(runner.sites):
            await site.stop()
        await app.wind_down(grace_s=lambda: stop.grace_s, within_s=max(SHUTDOWN_S, stop.grace_s))
    finally:
        await runner.cleanup()


def stop_on_signals() -> Stop:
    """Return an event that SIGTERM and SIGINT set."""
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.end)
    return stop


def raise_file_limit() -> None:
    """Allow as many open connections as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
