"""The clock in every worker: wakes what is due, returns what was left behind, removes what is old."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import structlog
from celery import bootsteps
from kombu.exceptions import OperationalError
from redis import RedisError

from worker.config.settings import Settings
from worker.ledger.ledger import Ledger
from worker.ledger.retention import Retention, rescue, sweep
from worker.ledger.schema import fault_of
from worker.ledger.search import fill
from worker.ledger.sign_ins import Patience, SignIn
from worker.metrics import Metrics, refresh_gauges
from worker.runtime import runtime

log = structlog.get_logger(__name__)

TICK_S = 0.5
SPARE_TICK_S = 1.0
"""Seconds that a clock waits after another one has looked: one of many looks twice a second, the others stand by."""

SIGN_IN_EVERY_S = 4.0  # a worker is taken for dead after 10
GAUGES_EVERY_S = 5.0
SWEEP_EVERY_LOOKS = 20  # retention looks at a bounded slice each 10 s
RESCUE_EVERY_LOOKS = 4
CHORES_EVERY_LOOKS = 2
CHORE_WAKE_MS = (
    30_000  # how long one message stands for its chore; a worker that was killed with it keeps nobody longer
)


class Clock:
    """Ticks until it is cancelled; ``wake`` sends one Celery message: task, arguments, queue.

    ``chores`` are what one worker, whichever, is to do now and then: a name, and the task that does it.
    ``shows_gauges``: somebody reads this process's metrics. ``list_ages``: the destinations that ask for a do-not-call
    list, and how old it may be in seconds.
    ``bar`` is told ``True`` when this version may not work with the ledger any more, and ``False`` when it may again.
    ``patience``: how long its planner lets calls wait.
    """

    def __init__(  # noqa: PLR0913  it looks after every part
        self,
        *,
        ledger: Ledger,
        settings: Settings,
        metrics: Metrics,
        queues: Collection[str],
        sign_in: SignIn,
        wake: Callable[[str, list[Any], str], Awaitable[None]],
        plan: Callable[[bool], None] = lambda _: None,
        chores: Mapping[str, str] | None = None,
        ticked: Callable[[], None] = lambda: None,
        shows_gauges: bool = True,
        list_ages: Mapping[str, float] | None = None,
        bar: Callable[[bool], None] = lambda _: None,
        patience: Patience | None = None,
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._metrics = metrics
        self._queues = queues
        self._sign_in = sign_in
        self._plan = plan
        self._plans = True
        self._chores = chores or {}
        self._ticked = ticked
        self._shows_gauges = shows_gauges
        self._list_ages = list_ages or {}
        self._bar = bar
        self._fault = ""
        self._patience = patience
        calls = settings.calls
        self._retention = Retention(
            calls_s=calls.retention_s, dead_s=calls.dead_retention_s, remember_s=calls.remember_s
        )
        self._wake = wake

    async def run(self) -> None:
        """Tick every half second; a tick that fails is logged, and the next one comes."""
        clock = asyncio.get_running_loop().time
        looks = 0
        signs_in_at = sets_gauges_at = clock()
        while True:
            looked = True
            try:
                if clock() >= signs_in_at or self._fault:
                    if await self.may_work():
                        await self.sign_in()
                    signs_in_at = clock() + SIGN_IN_EVERY_S
                looked = not self._fault and await self.tick()
                if not self._fault:
                    self._ticked()
                if looked:
                    await self._look_after(looks)
                    looks += 1
                if self._shows_gauges and clock() >= sets_gauges_at:
                    sets_gauges_at = clock() + GAUGES_EVERY_S
                    await refresh_gauges(
                        self._metrics,
                        self._ledger,
                        destinations=self._settings.destinations,
                        queues=self._queues,
                        list_ages=self._list_ages,
                    )
            except (RedisError, OperationalError, OSError) as error:
                self._metrics.redis_up.set(0)
                log.warning("clock.tick_failed", error=type(error).__name__)
            except Exception:
                log.exception("clock.tick_failed")
            await asyncio.sleep(TICK_S if looked else SPARE_TICK_S)

    async def _look_after(self, looks: int) -> None:
        """Do what only one of all clocks has to do now and then."""
        if looks % RESCUE_EVERY_LOOKS == 0:
            await self._rescue()
            await fill(self._ledger, default_region=self._settings.calls.default_region)
        if looks % CHORES_EVERY_LOOKS == 0:
            await self._wake_chores()
        if looks % SWEEP_EVERY_LOOKS == 0:
            await sweep(self._ledger, self._retention)

    async def _rescue(self) -> None:
        """Put calls that nobody would look at back among those that wait, and say how many there were."""
        if rescued := await rescue(self._ledger):
            log.warning("calls.rescued", count=rescued)
            self._metrics.calls_rescued.inc(rescued)

    async def _wake_chores(self) -> None:
        """Send a message for each chore that is due."""
        for name, task in self._chores.items():
            if await is_turn(self._ledger, name):
                await self._wake(task, [], "chores")

    async def tick(self) -> bool:
        """Tick once: return expired leases, send the wake-ups that are missing; ``False``: another clock just did."""
        destinations = self._settings.destinations
        tick = await self._ledger.tick(destinations, config=self._sign_in.config)
        if tick.expired:
            log.warning("delivery.leases_expired", count=tick.expired)
        if tick.wake_calls:
            await self._wake("tasks.calls.dispatch", [[]], "calls")
        for name in tick.wake:
            vendor = destinations[name].vendor
            await self._wake(f"tasks.{vendor}.deliver", [name, []], vendor)
        return tick.looked

    async def may_work(self) -> bool:
        """Say whether this version knows the ledger's format, and no backup is being put back; bar the process if not.

        Nobody starts on such a ledger; this is for processes that run while it changes.
        """
        fault = await fault_of(self._ledger.redis)
        if bool(fault) != bool(self._fault):
            if fault:
                log.error("ledger.barred", fault=fault)
            else:
                log.warning("ledger.unbarred")
            self._bar(bool(fault))
        self._fault = fault
        return not fault

    async def sign_in(self) -> None:
        """Report that this worker lives; leave the planning to a worker with a newer configuration, if there is one."""
        newest = await self._ledger.sign_in(self._sign_in, self._patience)
        plans = not self._sign_in.yields_to(newest)
        if plans != self._plans:
            self._plans = plans
            event = "planning.taken" if plans else "planning.left"
            log.warning(event, config=self._sign_in.config, newest=newest.config)
            self._plan(plans)


async def is_turn(ledger: Ledger, name: str) -> bool:
    """Return whether to send the message of this chore now; only one of all clocks that ask gets yes."""
    return bool(await ledger.scripts.run("chore_turn", name, CHORE_WAKE_MS) == 1)


async def begin_chore(ledger: Ledger, name: str, *, every_ms: int) -> None:
    """Note that a chore is done now; it is due again in ``every_ms``."""
    await ledger.scripts.run("chore_begin", name, every_ms)


def _consume(consumer: Any, plans: bool) -> None:  # noqa: FBT001  Celery hands it on by its place
    """Take calls from the queue, or leave them there; to be called in Celery's own thread."""
    change = consumer.add_task_queue if plans else consumer.cancel_task_queue
    with suppress(AttributeError):  # it has no connection now: with the next one it consumes what is selected
        change("calls")


class ClockStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Runs the clock while the worker runs."""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._running: Future[None] | None = None

    def start(self, parent: Any) -> None:
        """Start ticking on the process's loop."""
        owned = runtime()

        async def wake(task: str, args: list[Any], queue: str) -> None:
            await asyncio.to_thread(parent.app.send_task, task, args=args, queue=queue)

        consumed = tuple(parent.app.amqp.queues.consume_from)

        def plan(plans: bool) -> None:  # noqa: FBT001  the one thing to say
            """Consume the queue ``calls``, or leave it to other workers."""
            owned.leaves_planning = not plans
            if "calls" not in consumed:
                return
            consumer = getattr(parent, "consumer", None)
            if consumer is None:  # it is about to start, with the queues that are selected then
                parent.app.amqp.queues.deselect("calls")
            else:
                consumer.call_soon(_consume, consumer, plans)

        def ticked() -> None:
            owned.pulse.ticked()
            consumer = getattr(parent, "consumer", None)
            if consumer is not None and owned.pulse.asks():
                consumer.call_soon(owned.pulse.turned)

        clock = Clock(
            ledger=owned.ledger,
            settings=owned.settings,
            metrics=owned.metrics,
            queues=[queue.name for queue in parent.app.conf.task_queues],
            sign_in=SignIn(
                name=str(parent.hostname), config=owned.settings.digest, changed_ms=owned.settings.changed_ms,
                queues=consumed,
            ),
            wake=wake,
            plan=plan,
            chores=owned.chores,
            ticked=ticked,
            shows_gauges=owned.environment.metrics_port is not None,
            list_ages=owned.list_ages,
            bar=owned.bar,
            patience=owned.patience,
        )  # fmt: skip
        with suppress(RedisError, OSError):  # the first tick says so
            owned.run(clock.sign_in())  # before anything is consumed
        self._running = asyncio.run_coroutine_threadsafe(clock.run(), owned.loop)

    def stop(self, parent: Any) -> None:  # noqa: ARG002  Celery's signature
        """Stop ticking."""
        if self._running is not None:
            self._running.cancel()

    terminate = stop
