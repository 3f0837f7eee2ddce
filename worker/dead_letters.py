"""Publishes dead letters as broker messages for other tools: ids, reason and time; the newest 10,000 a queue."""

import queue
import threading
from collections import Counter
from typing import Any

import structlog
from celery import Celery

from worker.broker import direct_queue

log = structlog.get_logger(__name__)

KEPT = 10_000  # messages a queue (contract, section 4)
TRIM_EVERY = 100  # messages between two trims, so that a queue never holds more than a few over


class DeadLetterQueue:
    """Sends from a thread of its own: a publish blocks, and a dead letter is safe in the ledger already."""

    def __init__(self, app: Celery, *, kept: int = KEPT, trim_every: int = TRIM_EVERY) -> None:
        self._app = app
        self._kept = kept
        self._trim_every = trim_every
        self._waiting: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue(maxsize=kept)
        self._sent: Counter[str] = Counter()
        threading.Thread(target=self._run, name="dead-letters", daemon=True).start()

    def publish(self, name: str, message: dict[str, Any]) -> None:
        """Send a message to the queue ``name`` soon; while the broker is away for long, the newest are dropped."""
        try:
            self._waiting.put_nowait((name, message))
        except queue.Full:
            log.warning("dead_queue.full", queue=name)

    def _run(self) -> None:
        while True:
            name, message = self._waiting.get()
            try:
                self._send(name, message)
            except Exception as error:  # noqa: BLE001  the ledger holds the dead letter; the message is a courtesy
                log.warning("dead_queue.publish_failed", queue=name, error=type(error).__name__)

    def _send(self, name: str, message: dict[str, Any]) -> None:
        with self._app.producer_pool.acquire(block=True) as producer:
            # Direct queue on exchange "", declared so that a consumer can bind to it by name.
            producer.publish(message, exchange="", routing_key=name, declare=[direct_queue(name)], serializer="json")
            if self._sent[name] % self._trim_every == 0:
                producer.channel.client.ltrim(name, 0, self._kept - 1)  # the newest stand at the head
            self._sent[name] += 1
