"""The Prometheus metrics of contract section 9, and the gauges that only the ledger and the broker can tell."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from redis import RedisError

from worker.build import LEDGER_FORMAT, code_version
from worker.ledger.delacon_days import AuditedDay, newest_day
from worker.ledger.do_not_call import NO_FRESH_LIST, fault_of, loaded_list
from worker.ledger.ledger import Ledger
from worker.ledger.overview import Overview

log = structlog.get_logger(__name__)

OUTCOMES = ("delivered", "retry", "dead", "skipped", "cancelled", "blocked", "unknown")
"""Of an attempt, as ``tasks.delivery.transitions`` names them."""

MOST_NAMED = 40
"""Destinations whose series exist from the start; with more, as many have series of their own, in the order in which
they are used, and the others are counted together as ``others``. A destination takes some 45 series, so a worker shows
at most 2,500 however many there are."""

MOST_WORST = 80  # destinations that a gauge shows by name where there are more than MOST_NAMED: those with the most
OTHERS = "others"

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each counter and histogram, which nobody asks for


ATTEMPT_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
"""Seconds; an attempt takes at most 60."""

CALL_TO_CRM_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 14400.0, 86400.0)
"""Seconds; from at once to the end of the retry schedule."""


_SHUT = ("destination", "reason")


class Metrics:
    """One process's collectors, on a registry of their own; labels hold names from the configuration only."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        ProcessCollector(registry=self.registry)
        self.refused = self._counter("refused", "What was refused, by sender and reason", "sender", "reason")
        self.spooled_events = self._gauge("spooled_events", "Events that wait in this receiver's spool")
        self.spool_oldest_seconds = self._gauge("spool_oldest_seconds", "Age of the oldest event in the spool")
        self.redis_up = self._gauge("redis_up", "1 while Redis answers as it should")
        self.workers = self._gauge("workers", "Worker processes whose clocks tick")
        self.quarantined = self._gauge("quarantined", "Bodies in quarantine")
        self.calls = self._gauge("calls", "Calls that are not routed, by state", "state")
        self.deliveries = self._counter(
            "deliveries", "Attempts of deliveries by outcome", "destination", "vendor", "outcome"
        )
        self.attempt_seconds = self._histogram(
            "attempt_seconds", "Time of a whole attempt", ATTEMPT_BUCKETS_S, "destination"
        )
        self.call_to_crm_seconds = self._histogram(
            "call_to_crm_seconds", "From a call being ready to its delivery", CALL_TO_CRM_BUCKETS_S, "destination"
        )
        self.calls_rescued = self._counter("calls_rescued", "Calls that waited for dispatch where nobody looked")
        self.queue_depth = self._gauge("queue_depth", "Messages waiting in a broker queue", "queue")
        self.due_oldest_seconds = self._gauge(
            "due_oldest_seconds", "Age of the oldest due delivery that nobody has taken", "destination"
        )
        self.due = self._gauge("due", "Deliveries due that nobody has taken: the size of the backlog", "destination")
        self.held = self._gauge("held", "Deliveries that wait for a destination that is not served", *_SHUT)
        self.dead_letters = self._gauge("dead_letters", "Dead letters that are kept", "destination")
        self.circuit_open = self._gauge(
            "circuit_open", "1 while a destination is not served, by reason; 0 without a reason", *_SHUT
        )
        self.delacon_calls = self._gauge(
            "delacon_calls", "Calls of the day that was audited last against Delacon's own list", "is"
        )
        self.delacon_audited = self._gauge("delacon_audited_seconds", "When that day began, in epoch seconds UTC")
        self._destinations: Mapping[str, str] = {}
        self._named: dict[str, str] = {}

    def tell_build(self, config: str) -> None:
        """Set the metric of what runs here; ``config`` is the digest of the configuration file."""
        labels = ("version", "ledger_format", "config")
        info = self._gauge("build_info", "1: what runs, and by which configuration", *labels)
        info.labels(version=code_version(), ledger_format=LEDGER_FORMAT, config=config).set(1)

    def render(self) -> bytes:
        """Return all metrics in the text form; its type is ``content_type``."""
        return generate_latest(self.registry)

    def tell_spool(self, events: int, *, oldest_s: float) -> None:
        """Set the metrics of the spool: how many events wait there, and for how long."""
        self.spooled_events.set(events)
        self.spool_oldest_seconds.set(max(0.0, oldest_s))

    def know(self, destinations: Mapping[str, str], *, counted: bool = True) -> None:
        """Make the series of these destinations (names to vendors), at 0; of many only when they are used.

        ``counted``: with those that count attempts, which are a worker's.
        """
        self._destinations = destinations
        for gauge in (self.due, self.due_oldest_seconds, self.dead_letters):
            self.replace(gauge, self._folded(dict.fromkeys(destinations, 0.0)))
        for gauge in (self.held, self.circuit_open):
            self.replace(gauge, self._folded({(name, ""): 0.0 for name in destinations}))
        for state in ("waiting", "unrouted", "no_start"):
            self.calls.labels(state)
        if counted and len(destinations) <= MOST_NAMED:
            for name, vendor in destinations.items():
                for outcome in OUTCOMES:
                    self.deliveries.labels(name, vendor, outcome)
                self.attempt_seconds.labels(name)
                self.call_to_crm_seconds.labels(name)

    def named(self, destination: str) -> str:
        """Return the name by which a destination is counted."""
        if len(self._destinations) <= MOST_NAMED:
            return destination
        if destination not in self._named:
            self._named[destination] = destination if len(self._named) < MOST_NAMED else OTHERS
        return self._named[destination]

    def show(self, overview: Overview, depths: Mapping[str, int], *, unlisted: Collection[str] = ()) -> None:
        """Set what only the ledger and the broker can tell; ``unlisted`` destinations wait for a do-not-call list."""
        found = overview.destinations
        self.replace(self.due, self._folded({d.name: float(d.due) for d in found}))
        self.replace(self.due_oldest_seconds, self._folded({d.name: d.overdue_s for d in found}, max))
        dead = self._folded({d.name: float(d.dead) for d in found})
        self.replace(self.dead_letters, dead | {"calls": float(overview.no_start)})
        shut = {d.name: d.shut_by or ("" if d.name in self._destinations else "no_destination") for d in found}
        self.replace(self.circuit_open, self._folded({(d.name, d.shut_by): 1.0 if d.shut_by else 0.0 for d in found}))
        shut |= {name: NO_FRESH_LIST for name in unlisted if not shut.get(name)}
        held = {(d.name, shut[d.name]): float(d.queued if shut[d.name] else 0) for d in found}
        self.replace(self.held, self._folded(held))
        self.replace(self.queue_depth, {name: float(depth) for name, depth in depths.items()})
        self.workers.set(overview.workers)
        self.quarantined.set(overview.quarantined)
        for state in ("waiting", "unrouted", "no_start"):
            self.calls.labels(state).set(getattr(overview, state))

    def show_audit(self, found: AuditedDay | None) -> None:
        """Show what the last audit found; nothing where none was made or it could not be."""
        if found is None or found.fault:
            return
        for name, count in asdict(found.total).items():
            self.delacon_calls.labels(name).set(count)
        self.delacon_audited.set(datetime.combine(found.day, time(), UTC).timestamp())

    def _folded(self, values: "Mapping[Any, float]", fold: Callable[[Iterable[float]], float] = sum) -> "Values":
        """Keep the largest values by name where there are too many, and fold the others into one."""
        if len(self._destinations) <= MOST_NAMED:
            return dict(values)
        worst = sorted(values, key=lambda labels: (-values[labels], labels))
        shown = {labels: values[labels] for labels in worst[:MOST_WORST] if values[labels]}
        rest = [values[labels] for labels in worst if labels not in shown]
        if not worst:
            return {}
        others: str | tuple[str, ...] = OTHERS if isinstance(worst[0], str) else (OTHERS, "")
        return {**shown, others: fold(rest) if rest else 0.0}

    def serve(self, host: str, port: int, *, healthy: Callable[[], bool] = lambda: True) -> int:
        """Serve ``/metrics`` and ``/healthz`` from a thread of their own; return the port, or 0 when it is taken.

        Deliveries go on without metrics: a port that another worker holds is logged, not raised.
        """
        metrics = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.partition("?")[0] == "/healthz":
                    well = healthy()
                    self._answer(200 if well else 503, b"ok\n" if well else b"unavailable\n", "text/plain")
                else:
                    self._answer(200, metrics.render(), metrics.content_type)

            def _answer(self, status: int, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
                """Write no line a scrape."""

        try:
            server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            log.error("metrics.not_served", host=host, port=port, error=error.strerror)  # noqa: TRY400  one line
            return 0
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        return int(server.server_port)

    @staticmethod
    def replace(gauge: Gauge, values: Mapping[str | tuple[str, ...], float]) -> None:
        """Set a labelled gauge to exactly ``values``, so that what is no longer there is not shown any more."""
        wanted = {(labels,) if isinstance(labels, str) else labels: value for labels, value in values.items()}
        shown: Sequence[tuple[str, ...]] = [
            tuple(sample.labels[name] for name in gauge._labelnames)  # noqa: SLF001  the order of its labels
            for family in gauge.collect()
            for sample in family.samples
        ]
        for labels in shown:
            if labels not in wanted:
                gauge.remove(*labels)
        for labels, value in wanted.items():
            gauge.labels(*labels).set(value)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"switchboard_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"switchboard_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"switchboard_{name}", text, labels, buckets=buckets, registry=self.registry)


Values = dict[str | tuple[str, ...], float]


async def refresh_gauges(
    metrics: Metrics,
    ledger: Ledger,
    *,
    destinations: Iterable[str],
    queues: Iterable[str],
    list_ages: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Read the ledger's overview and the queues' lengths into the metrics; raises ``redis.RedisError``.

    ``list_ages``: the destinations that ask for a do-not-call list, and how old it may be in seconds.

    What was last read stays while Redis is away, and ``switchboard_redis_up`` says so.
    """
    try:
        overview = await ledger.overview(destinations)
        depths = await ledger.queue_depths(queues)
        audited = await newest_day(ledger)
        listed = await loaded_list(ledger) if list_ages else None
    except (RedisError, OSError):
        metrics.redis_up.set(0)
        raise
    metrics.redis_up.set(1)
    unlisted = {n for n, age_s in list_ages.items() if fault_of(listed, age_s=age_s, now_ms=overview.now_ms)}
    metrics.show(overview, depths, unlisted=unlisted)
    metrics.show_audit(audited)
