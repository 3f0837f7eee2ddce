"""The module for other programs, and the only one to import: hand in an event, look at a call, provision a number.

Each function opens Redis (``REDIS_URL``, or the address given), does its work and closes it; from asyncio:
``await asyncio.to_thread(call_state, "1122334")``. Everything else of this project may change from version to version.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

import orjson
from celery import Celery
from kombu.exceptions import OperationalError
from marshmallow import ValidationError
from redis import RedisError

from schemas.callcap.requests import Kind, Lookup, RequestState
from schemas.delacon.events import UnusableBody, read_event
from schemas.delivery import State
from tasks.callcap.requests import DifferentRequest, ask, new_key
from worker.broker import broker_settings, direct_queue, open_redis
from worker.config.environment import Environment
from worker.errors import SettingsError
from worker.ledger.do_not_call import is_held
from worker.ledger.ledger import Ledger
from worker.ledger.numbers import Numbers
from worker.ledger.queries import is_remembered, load_one
from worker.ledger.records import Accepted, DeliveryRecord, Incoming
from worker.ledger.schema import require_known_format
from worker.redis_address import RedisAddress

__all__ = [
    "CallState",
    "DeliveryState",
    "EventFate",
    "NumberState",
    "Refused",
    "Unavailable",
    "call_state",
    "deliver_event",
    "provision_number",
]

T = TypeVar("T")
CALLCAP_QUEUE = "callcap"


class Refused(Exception):
    """Raised for a request that cannot be done, today or later; ``faults`` says why, without numbers or secrets."""

    def __init__(self, *faults: str) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


class Unavailable(Exception):
    """Raised when Redis did not do its part; the same call may be made again."""


class EventFate(StrEnum):
    """What the ledger did with an event."""

    STORED = "stored"
    KNOWN = "known"
    """The ledger has it already, or delivered its call before and has removed it since."""
    QUARANTINED = "quarantined"
    """Its call has no room for it: ``switchboard quarantine list`` shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryState:
    """Where a delivery stands."""

    destination: str
    action: str
    """``create``, ``update-N`` or ``cancel``."""
    state: str
    """``queued``, ``in_flight``, ``retrying``, ``held``, ``delivered``, ``dead``, ``skipped`` or ``cancelled``."""
    reason: str
    """A stable code; often empty."""
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """Where a call stands."""

    call_id: str
    state: str
    """``waiting``, ``ready``, ``unrouted``, ``no_start``; ``removed`` when the id alone is left of it."""
    deliveries: tuple[DeliveryState, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberState:
    """Where the provisioning of a number stands."""

    key: str
    state: str
    """``waiting``, ``in_flight``, ``done``, ``failed`` or ``unknown``: docs/vendors/callcap.md."""
    number: str = field(default="", repr=False)
    """The number, 10 digits, once it is known."""
    reason: str = ""
    words: str = field(default="", repr=False)
    """Callcap's words."""
    lookup: str = ""
    """What the look-up of an unknown one told: ``offered``, ``not_offered`` or ``failed``."""


def deliver_event(body: bytes | Mapping[str, Any], *, redis_url: str = "") -> EventFate:
    """Store an event as Delacon's webhook brings it, the id being ``PLA_Call_Id``; a worker takes it within 2 s.

    The same event again changes nothing. Raises ``Refused`` for a body that holds no event, ``Unavailable``.
    """
    try:
        event = read_event(body if isinstance(body, bytes) else orjson.dumps(body), path_kind="either")
    except UnusableBody as error:
        raise Refused(str(error)) from None
    except TypeError:
        raise Refused("the body is not JSON") from None
    incoming = Incoming(event.call_id, time.time_ns() // 1000, event.record())

    async def work(ledger: Ledger) -> Accepted:
        return (await ledger.accept([incoming]))[0]

    match _with_ledger(work, redis_url):
        case Accepted.NEW | Accepted.WAITS:
            return EventFate.STORED
        case Accepted.SAME | Accepted.REMEMBERED:
            return EventFate.KNOWN
        case Accepted.QUARANTINED | Accepted.FOREIGN:
            return EventFate.QUARANTINED
        case Accepted.FAILED:
            raise Unavailable("Redis did not store this event")


def call_state(call_id: str, *, redis_url: str = "") -> CallState | None:
    """Return where a call and its deliveries stand; ``None`` for a call that was never here. Raises ``Unavailable``."""

    async def work(ledger: Ledger) -> CallState | None:
        stored = await load_one(ledger, call_id)
        if stored is None:
            return CallState(call_id=call_id, state="removed") if await is_remembered(ledger, call_id) else None
        records = list(stored.deliveries.values())
        overview = await ledger.overview({record.key.destination for record in records})
        shut = {status.name: status.shut_by for status in overview.destinations}
        return CallState(
            call_id=call_id,
            state=stored.state,
            deliveries=tuple(_delivery_state(record, shut.get(record.key.destination, "")) for record in records),
        )

    return _with_ledger(work, redis_url)


def _delivery_state(record: DeliveryRecord, shut_by: str) -> DeliveryState:
    held = (bool(shut_by) and record.state in {State.QUEUED, State.RETRYING}) or is_held(record)
    return DeliveryState(
        destination=record.key.destination,
        action=record.key.action,
        state=State.HELD.value if held else record.state.value,
        reason=(held and shut_by) or record.reason,
        attempts=record.number,
    )


def provision_number(parameters: Mapping[str, Any], *, key: str = "", redis_url: str = "") -> NumberState:
    """Have a worker provision a number at Callcap, once for each key, and return where that stands.

    ``parameters`` go by Callcap's names (``account``, ``phoneNumber``, ...). Ask again with the same key for the
    outcome: nothing is sent twice. Without a key one is made; it costs money each time.
    Raises ``Refused``, ``Unavailable``.
    """
    asked_key = key or new_key()

    async def work(ledger: Ledger) -> NumberState:
        numbers = Numbers(ledger)
        await ask(numbers, Kind.PROVISION, parameters, key=asked_key, today=datetime.now(UTC).date())
        record = await numbers.read(asked_key)
        if record is None:
            raise Unavailable("the request that was written is gone")
        outcome = record.outcome
        if outcome is None:
            return NumberState(key=asked_key, state=record.state.value)
        return NumberState(
            key=asked_key, state=record.state.value, number=outcome.number, reason=outcome.reason, words=outcome.words,
            lookup=outcome.lookup.value,
        )  # fmt: skip

    try:
        stands = _with_ledger(work, redis_url)
    except ValidationError as error:
        raise Refused(*(f"{name}: {_first(why)}" for name, why in error.messages_dict.items())) from None
    except ValueError as error:
        raise Refused(f"key: {error}") from None
    except DifferentRequest:
        raise Refused(f"key: {asked_key} stands for a different request") from None
    # The worker sends what waits, and looks up what is unknown.
    if stands.state in {RequestState.WAITING, RequestState.UNKNOWN} and stands.lookup in {Lookup.NONE, Lookup.FAILED}:
        _send_task("tasks.callcap.provision", asked_key, redis_url)
    return stands


def _first(why: Any) -> str:
    return str(why[0] if isinstance(why, list) else why)


def _send_task(name: str, key: str, redis_url: str) -> None:
    """Wake a worker; raises ``Unavailable`` when the broker is away: the request is written, so ask again."""
    with Celery("switchboard-client", set_as_current=False) as app:
        app.conf.update(broker_settings(RedisAddress.parse(_address(redis_url))))
        app.conf.task_queues = [direct_queue(CALLCAP_QUEUE)]
        try:
            app.send_task(name, args=[key], queue=CALLCAP_QUEUE)
        except OperationalError as error:
            raise Unavailable(f"the broker does not answer: {type(error).__name__}") from None


def _with_ledger(work: Callable[[Ledger], Awaitable[T]], redis_url: str) -> T:
    """Open the ledger, do the work on a loop of its own, and close it."""

    async def run() -> T:
        async with open_redis(_address(redis_url)) as redis:
            await require_known_format(redis)
            return await work(Ledger(redis))

    try:
        return asyncio.run(run())
    except SettingsError as error:
        raise Refused(*error.faults) from None
    except RedisError as error:
        raise Unavailable(f"Redis does not answer as it should: {type(error).__name__}") from None


def _address(redis_url: str) -> str:
    """Return the address of Redis: the one given, or the environment's."""
    given = {"REDIS_URL": redis_url} if redis_url else {"REDIS_URL": os.environ.get("REDIS_URL", "")}
    return Environment.read(given, terminal=False).redis_url
