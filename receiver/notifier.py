"""The notifier: sends wake-ups from a thread of its own; while the queue is long, holds ids back and batches them."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from celery import Celery  # at run time the publisher's thread imports it: it takes long

log = structlog.get_logger(__name__)


TASK = "tasks.calls.dispatch"
QUEUE = "calls"
LONGEST = 8  # messages waiting; a worker that is well has none
LOOK_EVERY = 8  # messages between two looks at the queue, for each look is a round trip


class WakeUpPublisher:
    """Publishes call ids, as ``Notifier`` wants it: blocking, and raising when the broker is away.

    So messages are bounded, as they are everywhere else, however long no worker takes them. Where workers take them
    slower than they come, each holds more ids, and costs a worker hardly more.
    """

    def __init__(self, app: "Celery") -> None:
        self._app = app
        self._sent = 0
        self._long = False

    def __call__(self, call_ids: list[str]) -> bool:
        """Send one message; ``False``: none, for the queue is long."""
        with self._app.producer_pool.acquire(block=True) as producer:
            if self._long or self._sent % LOOK_EVERY == 0:
                self._long = producer.channel.client.llen(QUEUE) >= LONGEST
            if self._long:
                return False
            # No retry: a wake-up is a hint, and the clock of any worker sends the next one.
            self._app.send_task(TASK, args=[call_ids], queue=QUEUE, retry=False, producer=producer)
            self._sent += 1
            return True


# The clock looks at as many calls a tick; a message stays small.
MAX_MESSAGE = 500
# Kombu's bookkeeping takes 1-2 ms of CPU a message, in the same interpreter as the answers: back to back it costs a
# quarter of the acknowledgements. So the thread pauses at least as long as it worked, and the longer, the more ids
# come: 2 ms at 100 a second, up to 50 ms at 2,500. A lone call is never kept waiting.
PAUSE_S_A_RATE = 2e-5
MAX_PAUSE_S = 0.05
# What is dropped beyond this the clock finds by itself: a wake-up is a hint.
MAX_WAITING = 20_000


def pause_s(*, worked_s: float, ids: int, within_s: float) -> float:
    """Return the pause, in seconds, after a message that took ``worked_s`` of CPU for ids that came ``within_s``."""
    rate = ids / within_s if within_s > 0 else float("inf")
    return min(MAX_PAUSE_S, max(worked_s, rate * PAUSE_S_A_RATE))


class Notifier:
    """Publishes call ids without ever holding up an answer.

    ``connect`` gives the function that publishes; it is called in the thread too, for importing Celery takes long.
    It says whether it did; unpublished ids join the next batch.

    A Celery publish blocks, for seconds when the broker is away, so at most one is under way; ids that come
    meanwhile go together in the next. A failure is logged and harmless, for the ledger knows what is due.
    """

    def __init__(self, connect: Callable[[], Callable[[list[str]], bool]]) -> None:
        self._connect = connect
        self._ids: dict[str, None] = {}
        self._changed = threading.Condition()
        self._closed = False
        # A daemon: a publish that hangs must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
        self._thread.start()

    def wake(self, call_ids: Sequence[str]) -> None:
        """Have these calls dispatched soon; returns at once."""
        with self._changed:
            if len(self._ids) < MAX_WAITING:
                self._ids.update(dict.fromkeys(call_ids))
            self._changed.notify()

    def close(self, *, timeout_s: float) -> None:
        """Send what waits, for at most ``timeout_s``, and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        publish = self._connect()
        before = not_before = time.monotonic()
        while batch := self._next(not_before):
            now, begun = time.monotonic(), time.thread_time()
            try:
                sent = publish(batch)
            except Exception as error:  # noqa: BLE001  the clock wakes these calls instead
                log.warning("wake.failed", error=type(error).__name__, calls=len(batch))
                sent = True
            rest = MAX_PAUSE_S
            if sent:
                rest = pause_s(worked_s=time.thread_time() - begun, ids=len(batch), within_s=now - before)
                before = now
            else:
                self._put_back(batch)
            not_before = time.monotonic() + rest

    def _put_back(self, call_ids: list[str]) -> None:
        """Put ids back before those that came meanwhile; while the notifier ends, drop them."""
        with self._changed:
            if not self._closed:
                self._ids = dict.fromkeys(call_ids) | self._ids

    def _next(self, not_before: float) -> list[str]:
        """Wait for ids and, where they come sooner, until that time; a pause that nobody notices wakes no thread."""
        with self._changed:
            while not self._ids and not self._closed:
                self._changed.wait()
            if (pause := not_before - time.monotonic()) > 0:
                self._changed.wait_for(lambda: self._closed, pause)
            batch = list(self._ids)[:MAX_MESSAGE]
            for call_id in batch:
                del self._ids[call_id]
            return batch
