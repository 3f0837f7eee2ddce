"""A worker's consumer, which Celery loads by its setting; a receiver, which only publishes, imports nothing of it."""

from time import monotonic

from celery.worker.consumer import Consumer

EVENTS_S = 2.0
"""How long Flower waits for what a task did. Celery's own consumer sends each event in the same pass of its loop: at 20
calls a second, four tenths of what its thread did."""


class CalmConsumer(Consumer):  # type: ignore[misc]
    """Celery's own consumer, that gathers task events and sends them together."""

    _flush_by = 0.0

    def on_send_event_buffered(self) -> None:
        """Have what is gathered sent soon; Celery sends it at once when there are 24. Tasks' threads call this too."""
        now = monotonic()
        if self.hub and now >= self._flush_by:  # no flag: a lost connection clears what the loop has to do
            self._flush_by = now + EVENTS_S
            self.hub.call_soon(self.hub.call_later, EVENTS_S, self._flush_events)
