"""Tells the metrics and the dead-letter queues what became of deliveries."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import structlog

from schemas.destination import Destination
from worker.ledger.history import Attempt
from worker.ledger.records import Finish
from worker.metrics import Metrics

log = structlog.get_logger(__name__)


class Observer:
    """Counts attempts, and hands each dead letter to ``publish`` (queue, message) when that is given.

    A message holds the key, the reason and the time: ids only.
    """

    def __init__(self, metrics: Metrics, publish: Callable[[str, dict[str, Any]], None] | None) -> None:
        self._publish = publish
        self._deliveries = cache(metrics.deliveries.labels)
        self._attempt_seconds = cache(metrics.attempt_seconds.labels)
        self._call_to_crm_seconds = cache(metrics.call_to_crm_seconds.labels)

    def attempted(self, destination: Destination, end: Finish, made: Attempt, *, call_to_crm_s: float | None) -> None:
        """Count an attempt whose end was written."""
        del end
        name = destination.name
        self._deliveries(name, destination.vendor, made.outcome).inc()
        if made.status is not None or made.outcome == "retry":
            self._attempt_seconds(name).observe(made.elapsed_ms / 1000)
        if call_to_crm_s is not None:
            self._call_to_crm_seconds(name).observe(call_to_crm_s)

    def dead(self, destination: Destination, end: Finish) -> None:
        """Publish a dead letter of a delivery."""
        self._tell(f"{destination.vendor}.dead", str(end.key), end.reason)

    def no_start(self, call_ids: Iterable[str]) -> None:
        """Publish calls whose start never came."""
        for call_id in call_ids:
            log.warning("call.no_start", call_id=call_id)
            self._tell("calls.dead", f"{call_id}:calls:start", "no_start")  # the key that `dead show` takes

    def _tell(self, queue: str, key: str, reason: str) -> None:
        if self._publish is not None:
            self._publish(queue, {"key": key, "reason": reason, "time": datetime.now(UTC).isoformat()})
