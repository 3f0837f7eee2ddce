"""Work that only a few threads may do at once; the rest waits in line and holds no thread of the pool."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Does work on items, at most ``most`` at a time in this process, in the order in which they came."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy = 0
        self._line: deque[T] = deque()
        self._lock = threading.Lock()

    def take(self, item: T, work: Callable[[T], None]) -> None:
        """Work on the item, then on whatever stands in line; or, when enough are at work, put it in line and return.

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
        """Give the first in line; with none, this thread is done, and the next item starts another."""
        with self._lock:
            if self._line:
                return self._line.popleft()
            self._busy -= 1
            return None
