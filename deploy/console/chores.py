"""The chores of a page, which take long: done step by step, at a rate if there is one, until done or stopped."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final
from uuid import uuid4

import structlog
from redis import RedisError

from schemas.delivery import DeliveryKey

log = structlog.get_logger(__name__)

Act = Callable[[Sequence[DeliveryKey]], Awaitable[list[bool]]]

STEP: Final = 200  # keys a round trip, each of which is whole
PAUSE_S: Final = 0.2  # between the steps of a rate
AT_ONCE: Final = 4
KEPT: Final = 50  # chores that are over and can still be looked at
PATIENCE_S: Final = 600.0  # how long Redis may be away


@dataclass(slots=True, kw_only=True)
class Chore:
    """One piece of long work."""

    title: str
    by: str
    """The user who started it."""
    destinations: frozenset[str]
    total: int
    chore_id: str = field(default_factory=lambda: uuid4().hex[:16])
    seen: int = 0
    """How many had their turn."""
    done: int = 0
    """How many of them could be acted on."""
    state: str = "running"
    """``running``, ``waiting`` for Redis, ``done``, ``stopped`` or ``failed``."""
    began: float = field(default_factory=monotonic)
    wants_stop: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def is_over(self) -> bool:
        """Return whether nothing more will happen."""
        return self.state in {"done", "stopped", "failed"}

    def shape(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "id": self.chore_id, "title": self.title, "by": self.by, "state": self.state, "total": self.total,
            "seen": self.seen, "done": self.done,
        }  # fmt: skip


class TooManyChores(Exception):
    """Raised when as many chores run as may run at once."""


class Chores:
    """The chores of one console; they end with it, and leave the keys that remain as they were."""

    def __init__(self) -> None:
        self._chores: dict[str, Chore] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, chore: Chore, keys: Sequence[DeliveryKey], act: Act, *, rate: float | None) -> Chore:
        """Begin a chore; raises ``TooManyChores``."""
        if sum(not one.is_over for one in self._chores.values()) >= AT_ONCE:
            raise TooManyChores
        over = [one.chore_id for one in self._chores.values() if one.is_over]
        for chore_id in over[: max(0, len(over) - KEPT + 1)]:
            del self._chores[chore_id]
        self._chores[chore.chore_id] = chore
        task = asyncio.get_running_loop().create_task(self._run(chore, keys, act, rate))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return chore

    def find(self, chore_id: str) -> Chore | None:
        """Return a chore; ``None`` when there is none, or no more."""
        return self._chores.get(chore_id)

    def all(self) -> list[Chore]:
        """Return the chores, the newest first."""
        return list(reversed(self._chores.values()))

    async def close(self) -> None:
        """Stop every chore between two steps."""
        for chore in self._chores.values():
            chore.wants_stop.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=3)

    async def _run(self, chore: Chore, keys: Sequence[DeliveryKey], act: Act, rate: float | None) -> None:
        step = STEP if rate is None else min(STEP, max(1, round(rate * PAUSE_S)))
        began = monotonic()
        try:
            while chore.seen < len(keys):
                if chore.wants_stop.is_set():
                    chore.state = "stopped"
                    return
                part = keys[chore.seen : chore.seen + step]
                if not await self._step(chore, part, act):
                    return
                if rate is not None and chore.seen < len(keys):
                    await _wait(chore.wants_stop, began + chore.seen / rate - monotonic())
            chore.state = "done"
        except Exception as error:
            chore.state = "failed"
            log.exception("chore.failed", error=type(error).__name__)

    async def _step(self, chore: Chore, part: Sequence[DeliveryKey], act: Act) -> bool:
        """Act on some keys; wait for a Redis that is away, since a step that was done is not done again."""
        until = monotonic() + PATIENCE_S
        while True:
            try:
                chore.done += sum(await act(part))
            except (RedisError, OSError) as error:
                chore.state = "waiting"
                log.warning("chore.waits", error=type(error).__name__)
                if chore.wants_stop.is_set() or monotonic() > until:
                    chore.state = "stopped" if chore.wants_stop.is_set() else "failed"
                    return False
                await _wait(chore.wants_stop, 1.0)
            else:
                chore.state = "running"
                chore.seen += len(part)
                return True


async def _wait(stopped: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopped.wait(), max(0.0, seconds))
    except TimeoutError:
        return
