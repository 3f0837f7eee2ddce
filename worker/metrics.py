"""The Prometheus metrics of contract section 9, and the gauges that only the ledger and the broker can tell."""

from collections.abc import Iterable, Mapping, Sequence

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    start_http_server,
)

from worker.build import LEDGER_FORMAT, code_version
from worker.ledger.ledger import Ledger

log = structlog.get_logger(__name__)


ACK_BUCKETS_S = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, 1.0, 2.0)
"""Seconds; the receiver answers within 2 s whatever Redis does."""

ATTEMPT_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
"""Seconds; an attempt takes at most 60."""

CALL_TO_CRM_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 14400.0, 86400.0)
"""Seconds; from at once to the end of the retry schedule."""


class Metrics:
    """One process's collectors, on a registry of their own; labels hold names from the configuration only."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        ProcessCollector(registry=self.registry)
        self.webhooks = self._counter("webhooks", "Webhooks by event and outcome", "event", "outcome")
        self.ack_seconds = self._histogram("ack_seconds", "From a webhook's arrival to its answer", ACK_BUCKETS_S)
        self.refused = self._counter("refused", "What was refused, by sender and reason", "sender", "reason")
        self.spooled_events = self._gauge("spooled_events", "Events that wait in this receiver's spool")
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
        self.dead_letters = self._gauge("dead_letters", "Dead letters that are kept", "destination")
        self.circuit_open = self._gauge(
            "circuit_open", "1 while a destination is not served, by reason", "destination", "reason"
        )

    def tell_build(self, config: str) -> None:
        """Say what runs here; ``config`` is the digest of the configuration file."""
        labels = ("version", "ledger_format", "config")
        info = self._gauge("build_info", "1: what runs, and by which configuration", *labels)
        info.labels(version=code_version(), ledger_format=LEDGER_FORMAT, config=config).set(1)

    def render(self) -> bytes:
        """Return all metrics in the text form; its type is ``content_type``."""
        return generate_latest(self.registry)

    def serve(self, host: str, port: int) -> int:
        """Serve the metrics from a thread of their own; return the port, or 0 when it cannot be had.

        Deliveries go on without metrics: a port that another worker holds is logged, not raised.
        """
        try:
            server, _ = start_http_server(port, host, registry=self.registry)
        except OSError as error:
            log.error("metrics.not_served", host=host, port=port, error=error.strerror)  # noqa: TRY400  one line
            return 0
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
    metrics: Metrics, ledger: Ledger, *, destinations: Iterable[str], queues: Iterable[str]
) -> None:
    """Read the ledger's overview and the queues' lengths into the metrics; raises ``redis.RedisError``."""
    overview = await ledger.overview(destinations)
    overdue: Values = {d.name: d.overdue_s for d in overview.destinations}
    dead: Values = {d.name: d.dead for d in overview.destinations}
    shut: Values = {(d.name, d.shut_by): 1 for d in overview.destinations if d.shut_by}
    depths: Values = dict((await ledger.queue_depths(queues)).items())
    metrics.replace(metrics.due_oldest_seconds, overdue)
    metrics.replace(metrics.dead_letters, dead | {"calls": overview.no_start})
    metrics.replace(metrics.circuit_open, shut)
    metrics.replace(metrics.queue_depth, depths)
