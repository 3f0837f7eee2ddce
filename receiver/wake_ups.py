"""Sends wake-ups to the workers, but none behind a long queue: what waits then goes together, in fewer messages."""

from celery import Celery

TASK = "tasks.calls.dispatch"
QUEUE = "calls"
LONGEST = 8  # messages waiting; a worker that is well has none
LOOK_EVERY = 8  # messages between two looks at the queue, for each look is a round trip


class WakeUps:
    """Publishes call ids, as ``Waker`` wants it: blocking, and raising when the broker is away.

    So messages are bounded, as they are everywhere else, however long no worker takes them. Where workers take them
    slower than they come, each holds more ids, and costs a worker hardly more.
    """

    def __init__(self, app: Celery) -> None:
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
