"""The dispatch: merges and routes calls, makes their deliveries, and returns whom to wake."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from schemas.delivery import DeliveryKey
from tasks.dispatch.planner import Planner
from worker.errors import UnreadableError
from worker.ledger.audit import Action
from worker.ledger.ledger import Ledger
from worker.ledger.records import CALL_STATES, Plan, Planned, StoredCall

log = structlog.get_logger(__name__)

BATCH = 256  # calls read and planned in one round trip each
SMALL_BACKLOG = 1_000  # deliveries due; beyond it the clock's one wake-up a destination is enough
KEYS_A_MESSAGE = 64  # as many as a claim takes


@dataclass(frozen=True, slots=True)
class WakeUp:
    """One Celery message to send: look at these deliveries of a destination now."""

    destination: str
    keys: tuple[DeliveryKey, ...]


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What a dispatch did: the messages to send, and the calls whose start never came."""

    wake_ups: tuple[WakeUp, ...]
    no_start: tuple[str, ...]


async def dispatch(
    call_ids: Sequence[str], *, ledger: Ledger, planner: Planner, new_only: bool = False, by: Action | None = None
) -> Dispatched:
    """Plan the calls given, or without any all whose wait is over; raises ``redis.RedisError``.

    Safe to repeat and to run side by side: a plan made from an older version of its call is not applied.
    ``new_only`` passes over the given calls that were planned with all their events already. ``by`` is the operator's
    action whose doing it is.
    """
    created: dict[str, list[DeliveryKey]] = {}
    no_start: list[str] = []
    if call_ids:
        for start in range(0, len(call_ids), BATCH):
            no_start += await _dispatch_some(
                call_ids[start : start + BATCH], ledger, planner, created, new_only=new_only, by=by
            )
    else:
        while due := await ledger.calls_due(limit=BATCH):
            no_start += await _dispatch_some(due, ledger, planner, created)
            if len(due) < BATCH:
                break
    return Dispatched(tuple(messages(created)), tuple(no_start))


async def _dispatch_some(
    call_ids: Iterable[str],
    ledger: Ledger,
    planner: Planner,
    created: dict[str, list[DeliveryKey]],
    *,
    new_only: bool = False,
    by: Action | None = None,
) -> list[str]:
    """Dispatch one batch: add the keys made due to ``created`` and return the calls whose start never came."""
    made = await make_plans(call_ids, ledger=ledger, planner=planner, new_only=new_only)
    answers = await ledger.plan([plan for _, plan in made], by="" if by is None else by.dump())
    return note_plans(made, answers, created)


async def make_plans(
    call_ids: Iterable[str], *, ledger: Ledger, planner: Planner, new_only: bool = False
) -> list[tuple[StoredCall, Plan]]:
    """Read calls and plan them, writing nothing yet; calls that are gone are waited for no more.

    ``new_only`` passes over calls that were planned with all their events already.
    """
    wanted = dict.fromkeys(call_ids)
    now_ms, stored = await ledger.load_now(wanted)
    if len(stored) < len(wanted):
        await ledger.forget_waits(list(wanted.keys() - {call.call_id for call in stored}))
    if new_only:
        stored = [call for call in stored if call.planned_version != call.version]
    if planner.asks_for_first_calls:
        stored = await _with_first_calls(stored, ledger, planner)
    unreadable: dict[str, str] = {}
    made = [(call, plan) for call in stored if (plan := _plan(planner, call, unreadable, now_ms=now_ms))]
    await ledger.set_aside_calls(unreadable)
    return made


def note_plans(
    made: Iterable[tuple[StoredCall, Plan]], answers: Iterable[Planned], created: dict[str, list[DeliveryKey]]
) -> list[str]:
    """Log what was planned, add the keys made due to ``created``, and return the calls whose start never came."""
    no_start: list[str] = []
    for (before, plan), planned in zip(made, answers, strict=True):
        if not planned.applied:
            continue
        if plan.state != "w" and before.state == "waiting":
            state = CALL_STATES[plan.state]
            log.info("call.planned", call_id=plan.call_id, state=state, deliveries=len(plan.deliveries))
        if plan.state == "x" and before.state != "no_start":
            no_start.append(plan.call_id)
        for key, backlog in planned.created:
            if backlog <= SMALL_BACKLOG:
                created.setdefault(key.destination, []).append(key)
    return no_start


async def _with_first_calls(stored: Sequence[StoredCall], ledger: Ledger, planner: Planner) -> list[StoredCall]:
    """Have the ledger note of each call whether it is its caller's first, before it is routed."""
    callers = {}
    for call in stored:
        with suppress(UnreadableError):
            if digits := planner.caller_digits(call):
                callers[call.call_id] = digits
    noted = await ledger.first_calls(callers) if callers else {}
    return [replace(call, first_call=noted.get(call.call_id, call.first_call)) for call in stored]


def _plan(planner: Planner, call: StoredCall, unreadable: dict[str, str], *, now_ms: int) -> Plan | None:
    """Plan one call; where a bug of ours fails it, it stays due and is tried again, and the others go on.

    One that a later version wrote, so that a part of it cannot be read, is noted with that part.
    """
    try:
        return planner.plan(call, now_ms=now_ms)
    except UnreadableError as error:
        unreadable[call.call_id] = str(error)
        return None
    except Exception:
        log.exception("call.plan_failed", call_id=call.call_id)
        return None


def messages(created: dict[str, list[DeliveryKey]]) -> Iterable[WakeUp]:
    """Say whom to wake for keys, by destination: as many a message as a claim takes."""
    for destination, keys in created.items():
        for start in range(0, len(keys), KEYS_A_MESSAGE):
            yield WakeUp(destination, tuple(keys[start : start + KEYS_A_MESSAGE]))
