"""What the receiver counts of each webhook, and the line that it writes of one, at less than a microsecond each."""

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from worker.log import write_quick

EVENTS: Mapping[str, str] = {"s": "start", "e": "end", "p": "end", "c": "complete", "q": "complete"}
UNREAD = "unread"
"""The event of a request that was refused before its body was read as one."""

ACK_BUCKETS_S = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, 1.0, 2.0)
"""Seconds; the receiver answers within 2 s whatever Redis does."""


class Tally(Collector):
    """``switchboard_webhooks_total``, ``switchboard_ack_seconds``, and the line ``webhook.taken``.

    It counts in plain numbers and makes metrics of them when asked: two counters of the library, with a lock each,
    cost a twentieth of an acknowledgement.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._acks = [0] * (len(ACK_BUCKETS_S) + 1)
        self._acks_s = 0.0
        self._taken: list[tuple[float, str, str, str, str]] = []
        self.heard_s = 0.0
        """When a webhook was last taken, in epoch seconds; 0: none yet."""
        registry.register(self)

    def count(self, outcome: str, *, kind: str = "") -> None:
        """Count a webhook; ``kind`` is the letter of its event."""
        key = kind, outcome
        self._counts[key] = self._counts.get(key, 0) + 1

    def acknowledged(self, call_id: str, *, kind: str, sender: str, outcome: str, took_s: float) -> None:
        """Count a webhook that was taken ``took_s`` seconds after its headers came; ``tell`` writes its line."""
        self.count(outcome, kind=kind)
        self._acks[bisect_left(ACK_BUCKETS_S, took_s)] += 1
        self._acks_s += took_s
        self.heard_s = now = time.time()
        self._taken.append((now, call_id, kind, sender, outcome))

    def tell(self) -> None:
        """Log what was taken since the last time, ``webhook.taken`` a line; call it now and then."""
        if self._taken:
            taken, self._taken = self._taken, []
            write_quick("webhook.taken", ((at, _fields(*row)) for at, *row in taken))

    def collect(self) -> Iterator[Metric]:
        """Return both metrics as they are now; may be called from any thread."""
        webhooks = CounterMetricFamily(
            "switchboard_webhooks", "Webhooks by event and outcome", labels=("event", "outcome")
        )
        for (event, outcome), count in self._by_event().items():
            webhooks.add_metric((event, outcome), count)
        yield webhooks
        acks_s, counts = self._acks_s, list(accumulate(self._acks))
        bounds = [*map(str, ACK_BUCKETS_S), "+Inf"]
        yield HistogramMetricFamily(
            "switchboard_ack_seconds", "From a webhook's arrival to its answer",
            buckets=list(zip(bounds, counts, strict=True)), sum_value=acks_s,
        )  # fmt: skip

    def _by_event(self) -> dict[tuple[str, str], int]:
        """Return the counts by the names of the events, which some letters share."""
        found: dict[tuple[str, str], int] = {}
        for (kind, outcome), count in list(self._counts.items()):
            key = EVENTS.get(kind, UNREAD), outcome
            found[key] = found.get(key, 0) + count
        return found


def _fields(call_id: str, kind: str, sender: str, outcome: str) -> dict[str, str]:
    fields = {"call_id": call_id, "kind": EVENTS[kind], "outcome": outcome}
    return {**fields, "sender": sender} if sender else fields
