"""Work of several threads: gathered into one batch, or run by a bounded number of them."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

SWITCH_S = 0.0005
"""How long a thread keeps the interpreter from others that want it, instead of Python's 5 ms.

In a worker, Celery's thread speaks to the broker in many short steps and waits so long at each while the loop is busy:
a tenth made its messages a third quicker, and cost the deliveries nothing that could be measured. In a receiver the
notifier's thread keeps the loop waiting: a tenth took a sixth of the CPU off an acknowledgement at 500 a second."""


class IdBatcher:
    """Ids that wait for the thread that works on them.

    ``join`` says whether the caller is to do the work; if so, it must take batches until ``stay`` says that there is
    none, and ``leave`` when it fails. Who is not to do it may return at once: the running caller will process them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[str, None] = {}
        self._all = False
        self._at_work = False

    def join(self, ids: Sequence[str]) -> bool:
        """Hand ids over, or none to ask for all that is due; ``True``: no thread is at work, so the caller must be."""
        with self._lock:
            self._ids.update(dict.fromkeys(ids))
            self._all = self._all or not ids
            free, self._at_work = not self._at_work, True
            return free

    def take(self, most: int) -> list[str] | None:
        """Return the next ids, or an empty list for all that is due; ``None``: there is nothing now."""
        with self._lock:
            if self._ids:
                batch = list(islice(self._ids, most))
                for one in batch:
                    del self._ids[one]
                return batch
            wanted, self._all = self._all, False
            return [] if wanted else None

    def stay(self) -> bool:
        """Say whether there is more to do; with nothing left the work ends, and the next who joins does it."""
        with self._lock:
            self._at_work = bool(self._ids) or self._all
            return self._at_work

    def leave(self) -> None:
        """Drop what waits and end work; the ledger still knows what is due."""
        with self._lock:
            self._ids.clear()
            self._all = self._at_work = False


T = TypeVar("T")


class BoundedExecutor(Generic[T]):
    """A bounded executor: at most ``most`` items are under work in this process; the others queue in their order."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy = 0
        self._line: deque[T] = deque()
        self._lock = threading.Lock()

    def take(self, item: T, work: Callable[[T], None]) -> None:
        """Work on the item, then on those in line; when enough threads are at work, put it in line and return.

        ``work`` must not raise: the items behind it would wait for the next one that comes.
        """
        with self._lock:
            self._line.append(item)
            if self._busy >= self._most:
                return
            self._busy += 1
        try:
            while (following := self._next()) is not None:
                work(following)
        except BaseException:
            with self._lock:
                self._busy -= 1
            raise

    def _next(self) -> T | None:
        """Return the first in line; with none, this thread is done, and the next item starts another."""
        with self._lock:
            if self._line:
                return self._line.popleft()
            self._busy -= 1
            return None
