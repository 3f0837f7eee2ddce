"""Traces of attempts."""

import time

from schemas.destination import Destination
from worker.ledger.history import Attempt
from worker.ledger.records import Finish
from worker.traces import Span, span_of

FAILED = frozenset({"retry", "dead", "blocked", "unknown"})


def attempt_span(destination: Destination, end: Finish, made: Attempt, *, begun_ns: int) -> Span:
    """Return the span of an attempt that is over; the dispatch that made the delivery is its parent.

    No reply stands in it, and nothing of what was sent: ids, names of the configuration, and codes.
    """
    key = end.key
    attributes: dict[str, str | int] = {
        "call_id": key.call_id, "delivery_id": str(key), "destination": destination.name, "vendor": destination.vendor,
        "action": key.action, "attempt": made.number, "outcome": made.outcome,
    }  # fmt: skip
    if made.reason:
        attributes["reason"] = made.reason
    if made.status is not None:
        attributes["status"] = made.status
    return Span(
        name="attempt", call_id=key.call_id, span=span_of("attempt", key, end.fence), begun_ns=begun_ns,
        ended_ns=time.time_ns(), attributes=attributes, failed=made.outcome in FAILED,
        delivery=f"{key.destination}:{key.action}",
    )  # fmt: skip
