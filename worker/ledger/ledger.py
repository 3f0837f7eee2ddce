"""The ledger's work: accept, plan, claim, finish and the clock's tick; each takes lists and is one round trip."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis

from schemas.delivery import DeliveryKey
from worker.errors import UnreadableError
from worker.ledger.history import History
from worker.ledger.keys import CALL_KEY, PROBE_KEY, WAKE_CALLS_KEY
from worker.ledger.overview import Overview
from worker.ledger.records import (
    FIRST_CALL,
    Accepted,
    Claim,
    Claimed,
    DeliveryRecord,
    Finish,
    Finished,
    Incoming,
    Plan,
    PlanAnswer,
    Planned,
    Room,
    StoredCall,
    Tick,
    Verdict,
    as_body,
    digest_of,
    path_of,
    shape_of,
)
from worker.ledger.scripts import NotConfirmedError, Scripts
from worker.ledger.sender_mark import foreign
from worker.ledger.sign_ins import Patience, SignIn
from worker.ledger.suppressed import Standing, Suppressed

log = structlog.get_logger(__name__)

LARGE = 4096  # characters of an event: what is larger has its digest made here, and costs Redis the less
MAX_QUARANTINED = 10_000  # bodies (contract, section 4)
MAX_QUARANTINED_BYTES = 64 * 1024 * 1024
WORKER_ALIVE_MS = 10_000  # a worker signs in each 4 s
WORKER_FORGOTTEN_MS = 3_600_000
CONFIRM_MS = 800
"""How long a write waits for its replicas: within the second of the contract (section 3) and the socket timeout of a
receiver."""
LAGGING_MS = 50  # the same, once a write was not confirmed, until one is: those behind it would wait in line
NO_HISTORY = History()
CLAIM_CONFIRM_MS = 4000  # a claim can wait longer; within a worker's socket timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """The ledger's own waits, in milliseconds; tests and the short chaos run hand in shorter ones."""

    accept_grace: int = 1500  # an accepted call's wake-up has this long before the clock sends another
    wake: int = 10_000  # how long one wake-up message stands for its destination
    tick_every: int = 400  # shorter than the clock's half second, so that the clock that looked last looks again
    memory: int = 400 * 86_400_000  # how long a caller is remembered after the last delivery
    probe: int = 30_000  # first probe of an open circuit, doubling to:
    probe_max: int = 300_000
    blocked_probe: int = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much one call may hold; tests hand in less."""

    events: int = 200
    """As they came; of what comes beyond, the latest received one of each set of keys is kept."""
    size: int = 256 * 1024  # bytes, folded values included
    taken: int = 2000
    """Different events, folded ones included."""


class Ledger:
    """The truth: events, calls and deliveries in one Redis (6.2 or newer, one primary).

    Every operation raises ``redis.RedisError`` when Redis does not do it.
    ``redis`` must decode its replies to text. ``min_replicas``: so many must have what is accepted, claimed for
    good or finished; where they do not in time, ``NotConfirmedError`` has the answer.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        clock_ms: Callable[[], int] | None = None,
        timings: Timings | None = None,
        bounds: Bounds | None = None,
        min_replicas: int = 0,
    ) -> None:
        self.redis = redis
        self.bounds = bounds or Bounds()
        self.scripts = Scripts(redis, clock_ms=clock_ms, min_replicas=min_replicas)
        self._in_step = True
        self.timings = timings or Timings()
        self._suppressed = Suppressed(self.scripts)

    async def ping(self) -> None:
        """Ask Redis to take a write: one that is full, or a replica, answers PING all the same."""
        await self.redis.set(PROBE_KEY, "1", px=1000)

    async def now_ms(self) -> int:
        """Return the time that the ledger goes by, in epoch milliseconds."""
        return await self.scripts.now_ms()

    async def accept(self, items: Sequence[Incoming]) -> list[Accepted]:
        """Store events, one answer an item in the order given; an event already stored changes nothing.

        One that its call has no room for, or that its sender may not say of the call, goes to quarantine.
        """
        rows: Sequence[tuple[str | int, ...]] = [(item.call_id, item.received_us, item.record) for item in items]
        if any(len(item.record) > LARGE for item in items):
            rows = [
                (*row, digest_of(item.record) if len(item.record) > LARGE else "")
                for row, item in zip(rows, items, strict=True)
            ]
        letters, confirmed = await self._accept(rows)
        if not _ODD.isdisjoint(letters):
            confirmed &= await self._fold(items, letters)
            confirmed &= await self._quarantine(
                [
                    (as_body(item), _NO_ROOM.get(letter) or foreign(item.record), path_of(item), item.received_us)
                    for item, letter in zip(items, letters, strict=True)
                    if letter in _KEPT_APART
                ]
            )
        accepted = [_ACCEPTED[letter] for letter in letters]
        if not confirmed:
            raise NotConfirmedError(accepted)
        return accepted

    async def _accept(self, items: Sequence[tuple[str | int, ...]]) -> tuple[list[str], bool]:
        b = self.bounds
        args: list[str | int] = [self.timings.accept_grace, b.events, b.size, b.taken, len(items[0]) if items else 3]
        for item in items:
            args += item
        letters, confirmed = await self._confirmed("accept", *args)
        return list(letters), confirmed

    async def _confirmed(self, script: str, *args: str | float) -> tuple[Any, bool]:
        """Run a script; return its answer and whether enough replicas have what it wrote."""
        answer, confirmed = await self.scripts.run_confirmed(
            script, *args, within_ms=CONFIRM_MS if self._in_step else LAGGING_MS
        )
        self._in_step = confirmed
        return answer, confirmed

    async def _fold(self, items: Sequence[Incoming], letters: list[str]) -> bool:
        """Hand in again, to be folded, events that their calls have no room for; return whether that is confirmed."""
        places = [place for place, letter in enumerate(letters) if letter == _FOLD]
        if not places:
            return True
        again = [items[place] for place in places]
        answers, confirmed = await self._accept(
            [(i.call_id, i.received_us, i.record, digest_of(i.record), shape_of(i.record)) for i in again]
        )
        for place, answer in zip(places, answers, strict=True):
            letters[place] = answer
        return confirmed

    async def quarantine(self, body: bytes, *, reason: str, path_kind: str, received_us: int) -> str:
        """Keep a body that holds no event, for a human to look at; returns its id, the same for the same push."""
        await self._quarantine([(body, reason, path_kind, received_us)])
        return _body_id(body, received_us)

    async def _quarantine(self, bodies: Sequence[tuple[bytes, str, str, int]]) -> bool:
        """Keep bodies; return whether that is confirmed."""
        if not bodies:
            return True
        args: list[str | int] = [MAX_QUARANTINED, MAX_QUARANTINED_BYTES]
        for body, reason, path_kind, received_us in bodies:
            record = orjson.dumps(
                {"reason": reason, "path": path_kind, "received_us": received_us, "body": body.decode("latin-1")}
            ).decode()
            args += (_body_id(body, received_us), received_us // 1000, record)
        _, confirmed = await self._confirmed("quarantine", *args)
        return confirmed

    async def sign_in(self, worker: SignIn, patience: Patience | None = None) -> SignIn:
        """Note that a worker process lives and ticks; return the planning one whose configuration is the newest.

        ``patience`` is how this worker plans: of those with the newest configuration, ``accept`` goes by it.
        """
        text = await self.scripts.run(
            "sign_in", worker.name, worker.dump(), WORKER_ALIVE_MS, WORKER_FORGOTTEN_MS,
            "" if patience is None else patience.dump(),
        )  # fmt: skip
        return SignIn.parse("", text)

    async def leave_calls(self) -> None:
        """Let the next clock tick send another wake-up for the calls that wait: this process plans none of them."""
        await self.redis.delete(WAKE_CALLS_KEY)

    async def overview(self, destinations: Iterable[str] = ()) -> Overview:
        """Return what is due, held and dead, and how many workers tick."""
        return Overview.parse(await self.scripts.run("overview", WORKER_ALIVE_MS, *destinations))

    async def queue_depths(self, queues: Iterable[str]) -> dict[str, int]:
        """Return how many wake-ups wait in each of the broker's queues, whose lists stand beside the ledger's keys."""
        names = list(queues)
        async with self.redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.llen(name)
            return dict(zip(names, await pipe.execute(), strict=True))

    async def forget_waits(self, call_ids: Sequence[str]) -> None:
        """Stop waiting for those of these calls that are not there; whoever asks may have looked at a replica."""
        if call_ids:
            await self.scripts.run("forget_waits", *call_ids)

    async def calls_due(self, *, limit: int) -> list[str]:
        """Take ids of calls whose wait is over, the longest overdue first; what is not planned is due again soon."""
        return list(await self.scripts.run("due", self.timings.wake, limit))

    async def load(self, call_ids: Iterable[str]) -> list[StoredCall]:
        """Read calls whole; unknown ids are left out."""
        return (await self._read(call_ids, timed=False))[1]

    async def _read(self, call_ids: Iterable[str], *, timed: bool) -> tuple[int, list[StoredCall]]:
        ids = list(call_ids)
        async with self.redis.pipeline(transaction=False) as pipe:
            for call_id in ids:
                pipe.hgetall(f"{CALL_KEY}{call_id}")
            if timed:
                pipe.time()
            hashes = await pipe.execute()
        now_ms = self.scripts.read_time(hashes.pop()) if timed else 0
        found = (StoredCall.parse(call_id, fields) for call_id, fields in zip(ids, hashes, strict=True))
        return now_ms, [call for call in found if call is not None]

    async def load_now(self, call_ids: Iterable[str]) -> tuple[int, list[StoredCall]]:
        """Return the ledger's time and, as ``load`` does, calls; one round trip."""
        return await self._read(call_ids, timed=True)

    async def plan(self, plans: Sequence[Plan], *, by: str = "") -> list[Planned]:
        """Apply what dispatch decided; a plan made from an older version of its call changes nothing.

        ``by`` is the operator's action for the audit, dumped.
        """
        return list((await self.plan_and_take(plans, rooms={}, by=by)).plans)

    async def plan_and_take(self, plans: Sequence[Plan], *, rooms: Mapping[str, Room], by: str = "") -> PlanAnswer:
        """Apply plans, and claim in the same step what the destinations' rooms have slots for.

        While the replicas lag, a room that asks for their confirmation is left out: a claim of its own can wait longer.
        """
        offered = {
            name: (room.slots, room.slots_beside_older, room.lease_ms)
            for name, room in rooms.items()
            if room.slots > 0 and (self._in_step or not room.confirms)
        }
        wire = orjson.dumps([plan.wire() for plan in plans]).decode()
        args = (wire, by, self.timings.memory, orjson.dumps(offered).decode() if offered else "")
        if any(rooms[name].confirms for name in offered):
            answer, confirmed = await self._confirmed("plan", *args)
        else:
            answer, confirmed = await self.scripts.run("plan", *args), True
        suppressing, now_ms, older, answers = answer
        ends_ms = {name: now_ms + lease_ms for name, (_, _, lease_ms) in offered.items()}
        return PlanAnswer(
            plans=tuple(
                _planned(plan, one, suppressing=suppressing == 1, ends_ms=ends_ms)
                for plan, one in zip(plans, answers, strict=True)
            ),
            confirmed=confirmed,
            older=frozenset(older),
        )

    async def first_calls(self, callers: Mapping[str, str]) -> dict[str, str | None]:
        """Say of calls, by their callers' digits, whether no earlier call of the caller is remembered: yes or no.

        What is said of a call stays so; ``None`` for one that is not there or has no caller.
        """
        pairs = [text for pair in callers.items() for text in pair]
        answers = await self.scripts.run("first_calls", self.timings.memory, *pairs)
        return {call_id: FIRST_CALL[answer] for call_id, answer in zip(callers, answers, strict=True)}

    async def is_suppressed(self, number: str) -> bool:
        """Return whether no lead is to be made for a number (E.164)."""
        return (await self._suppressed.look_up(number)).suppressed

    async def standing_of(self, number: str) -> Standing:
        """Return how a number (E.164) stands on the lists of those that no lead is made for."""
        return await self._suppressed.look_up(number)

    async def claim(
        self,
        destination: str,
        *,
        want: int,
        lease_ms: int,
        rate_per_s: float | None = None,
        keys: Sequence[DeliveryKey] = (),
        clear_wakeup: bool = False,
        confirm_ms: int = 0,
    ) -> Claim:
        """Take up to ``want`` due deliveries of a destination, those of ``keys`` first.

        ``clear_wakeup``: the run that asks answers an outstanding wake-up, so the next one may be sent.
        ``confirm_ms``: as long the claim waits for its replicas. A claim that is lost with its primary is made again:
        no harm where the vendor knows what it has.
        """
        members = [f"{key.call_id}:{key.action}" for key in keys]
        args = (destination, want, lease_ms, int(clear_wakeup), "" if rate_per_s is None else rate_per_s, *members)
        answer, confirmed = (
            await self.scripts.run_confirmed("claim", *args, within_ms=confirm_ms)
            if confirm_ms
            else (await self.scripts.run("claim", *args), True)
        )
        verdict, wait_ms, left, behind_ms, suppressing, end_ms, *items = answer
        taken: list[Claimed] = []
        for item in items:
            try:
                taken.append(_claimed(destination, item, suppressing=suppressing == 1, lease_end_ms=end_ms))
            except UnreadableError as error:  # the others of the claim go on, and there may be more
                key = DeliveryKey(item[0], destination, item[1])
                await self.set_aside(key, fence=int(item[2]), reason=item[5], why=str(error))
                verdict = "limited"
        claim = Claim(verdict, wait_ms, left, behind_ms, tuple(taken))
        if taken and not confirmed:
            raise NotConfirmedError(claim)
        return claim

    async def set_aside(self, key: DeliveryKey, *, fence: int, reason: str, why: str) -> None:
        """Set aside a claimed delivery, unsent, because this version cannot read a part of it; a later one may.

        ``reason`` is the claim's: why it was tried before.
        """
        log.error("ledger.unreadable", delivery_id=str(key), part=why)
        await self.scripts.run("shelve", str(key), fence, why, reason)

    async def set_aside_calls(self, calls: Mapping[str, str]) -> None:
        """Let calls wait that this version cannot plan, by their ids; the texts say which part cannot be read."""
        if calls:
            log.error("ledger.unreadable", call_ids=list(calls), part=sorted(set(calls.values())))
            await self.scripts.run("shelve_calls", *(text for pair in calls.items() for text in pair))

    async def finish(self, ends: Sequence[Finish]) -> list[Finished]:
        """End claims; one that is no longer the delivery's changes nothing."""
        t = self.timings
        args: list[str | int] = [t.memory, t.probe, t.probe_max, t.blocked_probe]
        for end in ends:
            args += (str(end.key), end.fence, end.lease_end_ms, end.verdict.value, end.reason, end.delay_ms)
            args += (end.effect, end.memory, int(end.unsure), end.history.dump())
        answers, confirmed = await self._confirmed("finish", *args)
        finished = [
            Finished(applied == 1, event, Verdict(verdict), more == 1) for applied, event, verdict, more in answers
        ]
        if not confirmed:
            raise NotConfirmedError(finished)
        return finished

    async def tick(self, destinations: Iterable[str], *, config: str = "", limit: int = 500) -> Tick:
        """Put deliveries with expired leases back to due; return what to wake. Any number of clocks may call it.

        Of the clocks with one ``config``, the digest of their configuration, one looks each ``tick_every`` ms.
        """
        t = self.timings
        looked, expired, calls, *wake = await self.scripts.run(
            "tick", limit, t.wake, t.memory, config, t.tick_every, *destinations
        )
        return Tick(looked == 1, expired, calls == 1, tuple(wake))


def _body_id(body: bytes, received_us: int) -> str:
    return f"{received_us}-{blake2b(body, digest_size=4).hexdigest()}"


_FOLD = "O"
_NO_ROOM = {"M": "too_many_events", "L": "call_too_large"}
# A look-up in a dictionary: the enumeration's own takes 0.4 us.
_ACCEPTED = {one.value: one for one in Accepted} | dict.fromkeys(_NO_ROOM, Accepted.QUARANTINED)
_KEPT_APART = frozenset({Accepted.FOREIGN.value, *_NO_ROOM})
_ODD = frozenset({_FOLD, *_KEPT_APART})


def _planned(plan: Plan, answer: list[Any], *, suppressing: bool, ends_ms: Mapping[str, int]) -> Planned:
    applied, ready_at, handed, first, *created = answer
    return Planned(
        applied == 1,
        tuple((DeliveryKey.parse(key), backlog) for key, backlog in zip(created[::2], created[1::2], strict=True)),
        tuple(
            Claimed(
                key=DeliveryKey(plan.call_id, destination, "create"), fence=1, number=1, step=0, reason="",
                ready_at_ms=int(ready_at or 0), memory=memory, history=NO_HISTORY, siblings={}, version=plan.version,
                events=plan.events, suppressing=suppressing, first_call=FIRST_CALL[first],
                lease_end_ms=ends_ms[destination],
            )
            for destination, memory in zip(handed[::2], handed[1::2], strict=True)
        ),
    )  # fmt: skip


def _claimed(destination: str, item: list[Any], *, suppressing: bool, lease_end_ms: int) -> Claimed:
    call_id, action, fence, number, step, reason, ready_at, memory, log, siblings, version, first, *events = item
    return Claimed(
        key=DeliveryKey(call_id, destination, action), fence=int(fence), number=int(number), step=int(step),
        reason=reason, ready_at_ms=int(ready_at or 0), memory=memory, history=History.load(log),
        siblings={
            other: DeliveryRecord.parse(DeliveryKey(call_id, destination, other), text)
            for other, text in zip(siblings[::2], siblings[1::2], strict=True)
        },
        version=version, first_call=FIRST_CALL[first], events=tuple(events), suppressing=suppressing,
        lease_end_ms=lease_end_ms,
    )  # fmt: skip
