"""Counts webhooks by event and outcome, and times answers, at the cost of a dictionary look-up each."""

from collections.abc import Mapping

from prometheus_client import Counter, Histogram

EVENTS: Mapping[str, str] = {"s": "start", "e": "end", "p": "end", "c": "complete", "q": "complete"}
UNREAD = "unread"
"""The event of a request that was refused before its body was read as one."""


class Tally:
    """The receiver's use of ``switchboard_webhooks_total`` and ``switchboard_ack_seconds``."""

    def __init__(self, *, webhooks: Counter, ack_seconds: Histogram) -> None:
        self._webhooks = webhooks
        self._ack_seconds = ack_seconds
        self._bound: dict[tuple[str, str], Counter] = {}

    def count(self, outcome: str, *, kind: str = "") -> None:
        """Count a webhook; ``kind`` is the letter of its event."""
        child = self._bound.get((kind, outcome))
        if child is None:
            child = self._webhooks.labels(event=EVENTS.get(kind, UNREAD), outcome=outcome)
            self._bound[kind, outcome] = child
        child.inc()

    def acknowledged(self, seconds: float) -> None:
        """Note how long an acknowledgement took, from the request's headers to the answer."""
        self._ack_seconds.observe(seconds)
