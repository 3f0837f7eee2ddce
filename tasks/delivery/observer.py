"""The observer of deliveries: it tells the log, the metrics and the dead-letter queues how they ended."""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import structlog

from schemas.destination import Destination
from worker.ledger.history import Attempt
from worker.ledger.records import Finish, Finished, Verdict
from worker.log import write_quick
from worker.metrics import Metrics

log = structlog.get_logger(__name__)


class Observer:
    """Logs and counts attempts, and hands each dead letter to ``publish`` (queue, message) when that is given.

    A message holds the key, the reason and the time: ids only.
    """

    def __init__(self, metrics: Metrics, publish: Callable[[str, dict[str, Any]], None] | None) -> None:
        self._publish = publish
        self._lines: list[tuple[float, dict[str, Any]]] = []
        self._named = cache(metrics.named)
        self._deliveries = cache(metrics.deliveries.labels)
        self._attempt_seconds = cache(metrics.attempt_seconds.labels)
        self._call_to_crm_seconds = cache(metrics.call_to_crm_seconds.labels)

    def ended(
        self, destination: Destination, end: Finish, made: Attempt, *, finished: Finished, ready_at_ms: int
    ) -> None:
        """Log and count an attempt and its finish as applied; ``ready_at_ms``: when its call was ready."""
        key = str(end.key)
        if not finished.applied:
            log.warning("delivery.late_finish_ignored", **_of(destination), delivery_id=key, attempt=made.number)
            return
        self._log_attempt(destination, end, made, key=key)
        call_to_crm_s = None
        if made.outcome == "delivered" and ready_at_ms:
            call_to_crm_s = max(0.0, (made.at_ms + made.elapsed_ms - ready_at_ms) / 1000)
        self.count(destination, made, call_to_crm_s=call_to_crm_s)
        if finished.verdict is Verdict.DEAD:
            self._write_lines()  # what led to it comes first
            log.error("delivery.dead_lettered", **_of(destination), delivery_id=key, reason=end.reason)
            self._tell(f"{destination.vendor}.dead", key, end.reason)
        if finished.gate_event:
            self._write_lines()
            log.warning("destination.changed", **_of(destination), change=finished.gate_event, reason=end.reason)

    def _log_attempt(self, destination: Destination, end: Finish, made: Attempt, *, key: str) -> None:
        """Log an attempt, in one write with those that end in the same pass of the loop."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._write_lines)
        line = {
            **_of(destination), "delivery_id": key, "call_id": end.key.call_id, "attempt": made.number,
            "outcome": made.outcome, "reason": made.reason, "status": made.status, "elapsed_ms": made.elapsed_ms,
            "retry_in_s": end.delay_ms / 1000 if end.delay_ms else None,
        }  # fmt: skip
        self._lines.append((time.time(), line))

    def _write_lines(self) -> None:
        lines, self._lines = self._lines, []
        write_quick("delivery.attempted", lines)

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


def _of(destination: Destination) -> dict[str, str]:
    return {"destination": destination.name, "vendor": destination.vendor}
