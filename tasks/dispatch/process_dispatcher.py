"""A process's own dispatch: plans calls as this process has room for them, and hands their deliveries over."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from schemas.delivery import DeliveryKey
from tasks.dispatch.dispatcher import Dispatched, WakeUp, make_plans, messages, note_plans
from tasks.dispatch.planner import Planner
from tasks.dispatch.spans import DispatchTraces
from tasks.dispatch.waiting_plans import Made, WaitingPlans
from worker.concurrency import IdBatcher
from worker.ledger.ledger import Ledger
from worker.ledger.records import Claimed, Slots
from worker.runtime import DestinationPump
from worker.traces import Traces

READ = 64  # calls read in one round trip: merging them keeps the loop for some 5 ms
PLANNED = 64  # calls planned in one round trip: some 3 ms of Redis
AHEAD = 256
"""Plans that wait for room where others find it; further calls are ids until then, a tenth of a plan in memory.

And so the merged call is still remembered when it is delivered: by then twice as many others were merged or delivered.
"""

MOVING_S = 0.2  # plans of which none found room for so long hold up the reading of no other call

KEPT = 20_000
"""Plans that wait for room, some 3 KB each. Beyond it the oldest are written without: their deliveries become due, and
whichever process has room claims them, at half as much again of CPU a call."""

PATIENCE_S = 2.0  # the same for plans whose destinations had no room for so long: they hang here, and not elsewhere
LONGEST_S = 30.0  # the same for a plan that waited so long, for what is due at a destination is what operators see
LOOK_S = 0.003  # between two looks at the room, while plans wait for it


class ProcessDispatcher:
    """Plans the calls whose ids are in ``ids``, each once its destinations have room in this process.

    ``WaitingPlans.take`` says how long a plan waits for room. A plan that finds room hands its deliveries over already
    claimed; what finds none becomes due, as do updates and withdrawals. A flood is so planned at the pace of its
    deliveries, while the calls for other destinations go past it.
    ``serves``: whether this process takes messages for a destination, and so may deliver to it.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        planner: Planner,
        pumps: Mapping[str, DestinationPump],
        ids: IdBatcher,
        serves: Callable[[str], bool] = lambda _: True,
        traces: Traces | None = None,
    ) -> None:
        self._ledger = ledger
        self._planner = planner
        self._pumps = pumps
        self._ids = ids
        self._serves = serves
        self._traces = traces
        self._waiting = WaitingPlans(self._slots)
        self._all = False

    async def step(self) -> Dispatched | None:
        """Plan until there is somebody to tell, or until nothing is left: ``None``.

        Raises ``redis.RedisError``; then what waits is dropped, and the clock finds it again.
        """
        try:
            while True:
                read = self._waiting.moving(within_s=MOVING_S) < AHEAD and await self._read()
                made = self._waiting.take(PLANNED, patience_s=PATIENCE_S, longest_s=LONGEST_S, kept=KEPT)
                if made:
                    done = await self._write(made)
                    if done.wake_ups or done.no_start:
                        return done
                elif self._waiting and not read:
                    await asyncio.sleep(LOOK_S)
                elif not read and not self._ids.stay():
                    return None
        except BaseException:
            self._waiting.clear()
            self._all = False
            self._ids.leave()
            raise

    async def _read(self) -> bool:
        """Read and plan the next calls; ``False``: there are none now."""
        if self._all:
            await self._read_due()
            return True
        batch = self._ids.take(READ)
        if batch is None:
            return False
        if not batch:
            await self._read_due()
            return True
        self._waiting.add(await make_plans(batch, ledger=self._ledger, planner=self._planner, new_only=True))
        return True

    async def _read_due(self) -> None:
        """Take calls whose wait is over; those that wait here already do so still.

        A process that has enough to do leaves them to another one: the next tick sends the message again.
        """
        if len(self._waiting) > READ:
            self._all = False
            await self._ledger.leave_calls()
            return
        due = await self._ledger.calls_due(limit=READ)
        self._all = len(due) == READ
        wanted = [call_id for call_id in due if call_id not in self._waiting]
        self._waiting.add(await make_plans(wanted, ledger=self._ledger, planner=self._planner))

    def _slots(self, destination: str) -> Slots | None:
        pump = self._pumps.get(destination)
        return pump.slots if pump is not None and self._serves(destination) else None

    async def _write(self, made: Sequence[Made]) -> Dispatched:
        """Write plans, and let the pumps begin what they are handed; say whom to wake for what is due besides."""
        traced = None if self._traces is None else DispatchTraces(self._traces)
        if traced is not None:
            await traced.about_to_plan(made)
        wanted: dict[str, int] = {}
        for _, plan in made:
            for one in plan.deliveries:
                wanted[one.destination] = wanted.get(one.destination, 0) + (one.action == "create")
        rooms = {
            name: room
            for name, count in wanted.items()
            if self._slots(name) is not None and (room := self._pumps[name].keep(count)) is not None
        }
        taken: dict[str, list[Claimed]] = {}
        confirmed, older = True, frozenset[str]()
        try:
            answer = await self._ledger.plan_and_take([plan for _, plan in made], rooms=rooms)
            confirmed, older = answer.confirmed, answer.older
            for planned in answer.plans:
                for claimed in planned.taken:
                    taken.setdefault(claimed.key.destination, []).append(claimed)
        finally:
            for name, room in rooms.items():
                self._pumps[name].adopt(
                    room, taken.get(name, ()), confirmed=confirmed or not room.confirms, beside_older=name in older
                )
        created: dict[str, list[DeliveryKey]] = {}
        no_start = note_plans(made, answer.plans, created)
        if traced is not None:
            traced.planned(made, answer.plans)
        return Dispatched(tuple(wake_up for wake_up in messages(created) if not self._hand(wake_up)), tuple(no_start))

    def _hand(self, wake_up: WakeUp) -> bool:
        pump = self._pumps.get(wake_up.destination)
        return pump is not None and pump.hand(wake_up.keys, start=self._serves(wake_up.destination))
