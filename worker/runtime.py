"""The resources of a worker process: one event loop in a thread, Redis, the HTTP client and the pumps."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import AsyncExitStack
from typing import Any, Protocol, TypeVar

import structlog
import uvloop

from schemas.delivery import DeliveryKey
from worker.broker import open_redis
from worker.concurrency import IdBatcher
from worker.config.environment import Environment
from worker.config.settings import Settings
from worker.http.client import HttpClient
from worker.ledger.ledger import Ledger, Timings
from worker.ledger.records import Claimed, Room, Slots
from worker.ledger.sign_ins import Patience
from worker.metrics import Metrics
from worker.sentinels import following
from worker.traces import Traces, writing

log = structlog.get_logger(__name__)
T = TypeVar("T")

GC_THRESHOLDS = (10_000, 20, 50)
"""The default 700 looks at the hundreds of attempts under way all the time, and they hold no cycles: a tenth of all
instructions of a delivery (cachegrind: 1,615 to 1,462 thousand)."""

TICK_LATE_S = 10.0  # the clock ticks twice a second
ASK_EVERY_S = 5.0
TURN_LATE_S = 60.0  # Celery's loop turns every ten seconds at least; a lost broker is looked for every two
SHUTDOWN_S = 22.0  # attempts under way get this long after SIGTERM; platforms kill at 30 s, we promise 25 s


class DestinationPump(Protocol):
    """What the runtime asks of a pump, which delivers what is due at one destination."""

    async def run(self, keys: Sequence[DeliveryKey] = ()) -> None:
        """Deliver until nothing is left."""
        ...

    def wake(self, keys: Sequence[DeliveryKey] = ()) -> None:
        """Begin such a run beside whoever asks."""
        ...

    def hand(self, keys: Sequence[DeliveryKey], *, start: bool = False) -> bool:
        """Hand keys to a run under way or, with ``start``, to one that begins; ``False``: there is no room."""
        ...

    @property
    def slots(self) -> Slots | None:
        """Return the slots for planning; ``None`` while it may hand nothing over."""
        ...

    def keep(self, want: int) -> Room | None:
        """Keep up to ``want`` slots free for what a plan hands over."""
        ...

    def adopt(self, room: Room, items: Sequence[Claimed], *, confirmed: bool, beside_older: bool) -> None:
        """Begin what a plan handed over, and give the rest of the room back."""
        ...

    async def ended(self) -> None:
        """Wait until what runs here without a message has ended."""
        ...

    def stop(self) -> None:
        """Claim nothing more."""
        ...

    def resume(self) -> None:
        """Claim again, from the next run on."""
        ...

    def cut(self) -> None:
        """Cancel what is under way."""
        ...


class Pulse:
    """When the clock last ticked, and Celery's own loop last turned."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ticked = self._turned = monotonic()
        self._asked = 0.0
        self.stopping = False

    def ticked(self) -> None:
        """Note a tick, which writes to Redis as a claim does."""
        self._ticked = self._monotonic()

    def asks(self) -> bool:
        """Return whether to ask Celery's loop for a turn; while it is stuck, requests must not pile up."""
        now = self._monotonic()
        if now - self._asked < ASK_EVERY_S:
            return False
        self._asked = now
        return True

    def turned(self) -> None:
        """Note a turn of Celery's loop, which does not turn while the broker is away."""
        self._turned = self._monotonic()

    @property
    def is_well(self) -> bool:
        """Return whether this worker takes work: both happened lately, and it is not stopping."""
        now = self._monotonic()
        return not self.stopping and now - self._ticked < TICK_LATE_S and now - self._turned < TURN_LATE_S


class Runtime:
    """The process's resources; made once, in ``start``, and closed once, in ``stop``."""

    def __init__(self, *, settings: Settings, environment: Environment, metrics: Metrics) -> None:
        self.settings = settings
        self.environment = environment
        self.metrics = metrics
        self.loop = uvloop.new_event_loop()
        self.ledger: Ledger
        self.http: HttpClient
        self.pumps: Mapping[str, DestinationPump] = {}
        self.publish_dead: Callable[[str, dict[str, Any]], None] | None = None
        self.calls = IdBatcher()
        """Calls that wait for the process's one dispatch."""
        self.leaves_planning = False
        """Another worker has a newer configuration, and plans the calls."""
        self.chores: dict[str, str] = {}
        """The chores that the clock wakes now and then: a name, and the task that does it."""
        self.traces: Traces | None = None
        self.list_ages: Mapping[str, float] = {}
        """The destinations that ask for a do-not-call list, and how old it may be in seconds."""
        self.patience: Patience | None = None
        """How long its planner lets calls wait."""
        self.pulse = Pulse()
        self.stopping = False
        self.may_work = threading.Event()
        """Not set while the ledger has a format that this version does not know, or a backup is being put back."""
        self.may_work.set()
        self._stack = AsyncExitStack()
        self._thread = threading.Thread(target=self._serve, name="switchboard-loop", daemon=True)

    def open(self, *, timings: Timings | None = None) -> None:
        """Start the loop's thread and open what lives on it."""
        self._thread.start()
        self.run(self._open(timings))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop from another thread and wait for it."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self.loop).result()
        except CancelledError:
            raise RuntimeError("the worker is stopping") from None

    def shut_down(self, *, within_s: float = SHUTDOWN_S) -> None:
        """Claim nothing more and cut, after ``within_s``, what is still under way; returns at once."""
        self.stopping = self.pulse.stopping = True
        self.loop.call_soon_threadsafe(self._stop_pumps, within_s)

    def bar(self, barred: bool) -> None:  # noqa: FBT001  the one thing to say
        """Claim, plan and send nothing from now on, or go on; on the loop. What is under way ends as it ends."""
        if barred:
            self.may_work.clear()
            for pump in self.pumps.values():
                pump.stop()
        else:
            self.may_work.set()
            for pump in self.pumps.values() if not self.stopping else ():
                pump.resume()

    def close(self) -> None:
        """Close what ``open`` opened and end the thread, once what planning handed over has ended or was cut."""
        self.run(self._ended())
        self.run(self._stack.aclose())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _open(self, timings: Timings | None) -> None:
        await self._stack.enter_async_context(following(self.environment.redis_url))
        redis = open_redis(self.environment.redis_url)
        self._stack.push_async_callback(redis.aclose)
        # A caller is remembered as long as the id of a call.
        timings = timings or Timings(memory=round(self.settings.calls.remember_s * 1000))
        self.ledger = Ledger(redis, timings=timings, min_replicas=self.environment.redis_min_replicas)
        if self.environment.otlp_endpoint:
            self.traces = Traces.open(redis, service="worker")
            await self._stack.enter_async_context(writing(self.traces))
        self.http = await self._stack.enter_async_context(HttpClient.open())

    async def _ended(self) -> None:
        await asyncio.gather(*(pump.ended() for pump in self.pumps.values()))

    def _stop_pumps(self, within_s: float) -> None:
        for pump in self.pumps.values():
            pump.stop()
        self.loop.call_later(within_s, self._cut_pumps)

    def _cut_pumps(self) -> None:
        for pump in self.pumps.values():
            pump.cut()


_current: Runtime | None = None


def start(
    made: Runtime, *, pumps: Callable[[Runtime], Mapping[str, DestinationPump]], timings: Timings | None = None
) -> None:
    """Start ``made`` as this process's runtime."""
    global _current  # noqa: PLW0603  the one thing a worker process has one of
    made.open(timings=timings)
    made.pumps = pumps(made)
    _current = made
    gc.collect()
    gc.freeze()  # what is there by now stays
    gc.set_threshold(*GC_THRESHOLDS)


def runtime() -> Runtime:
    """Return the process's runtime; raises ``RuntimeError`` outside a worker."""
    if _current is None:
        raise RuntimeError("no worker runtime in this process")
    return _current
