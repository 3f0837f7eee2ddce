"""The observer of deliveries: it tells the log, the metrics and the dead-letter queues how they ended."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import structlog

from schemas.destination import Destination
from worker.ledger.history import Attempt
from worker.ledger.records import Finish, Finished, Verdict
from worker.metrics import Metrics

log = structlog.get_logger(__name__)


class Observer:
    """Logs and counts attempts, and hands each dead letter to ``publish`` (queue, message) when that is given.

    A message holds the key, the reason and the time: ids only.
    """

    def __init__(self, metrics: Metrics, publish: Callable[[str, dict[str, Any]], None] | None) -> None:
        self._publish = publish
        # Bound once a destination: binding anew takes as long as writing the line.
        self._log_of = cache(_log_of)
        self._named = cache(metrics.named)
        self._deliveries = cache(metrics.deliveries.labels)
        self._attempt_seconds = cache(metrics.attempt_seconds.labels)
        self._call_to_crm_seconds = cache(metrics.call_to_crm_seconds.labels)

    def ended(
        self, destination: Destination, end: Finish, made: Attempt, *, finished: Finished, ready_at_ms: int
    ) -> None:
        """Log and count an attempt and its finish as applied; ``ready_at_ms``: when its call was ready."""
        told, key = self._log_of(destination.name, destination.vendor), str(end.key)
        if not finished.applied:
            told.warning("delivery.late_finish_ignored", delivery_id=key, attempt=made.number)
            return
        told.info(
            "delivery.attempted", delivery_id=key, call_id=end.key.call_id, attempt=made.number,
            outcome=made.outcome, reason=made.reason, status=made.status, elapsed_ms=made.elapsed_ms,
            retry_in_s=end.delay_ms / 1000 if end.delay_ms else None,
        )  # fmt: skip
        call_to_crm_s = None
        if made.outcome == "delivered" and ready_at_ms:
            call_to_crm_s = max(0.0, (made.at_ms + made.elapsed_ms - ready_at_ms) / 1000)
        self.count(destination, made, call_to_crm_s=call_to_crm_s)
        if finished.verdict is Verdict.DEAD:
            told.error("delivery.dead_lettered", delivery_id=key, reason=end.reason)
            self._tell(f"{destination.vendor}.dead", key, end.reason)
        if finished.gate_event:
            told.warning("destination.changed", change=finished.gate_event, reason=end.reason)

    def count(self, destination: Destination, made: Attempt, *, call_to_crm_s: float | None) -> None:
        """Count an attempt whose end was written."""
        name = self._named(destination.name)
        vendor = destination.vendor if name == destination.name else ""  # the others are of all vendors
        self._deliveries(name, vendor, made.outcome).inc()
        if made.status is not None or made.outcome == "retry":
            self._attempt_seconds(name).observe(made.elapsed_ms / 1000)
        if call_to_crm_s is not None:
            self._call_to_crm_seconds(name).observe(call_to_crm_s)

    def no_start(self, call_ids: Iterable[str]) -> None:
        """Publish calls whose start never came."""
        for call_id in call_ids:
            log.warning("call.no_start", call_id=call_id)
            self._tell("calls.dead", f"{call_id}:calls:start", "no_start")  # the key that `dead show` takes

    def _tell(self, queue: str, key: str, reason: str) -> None:
        if self._publish is not None:
            self._publish(queue, {"key": key, "reason": reason, "time": datetime.now(UTC).isoformat()})


def _log_of(destination: str, vendor: str) -> Any:
    return log.bind(destination=destination, vendor=vendor)
