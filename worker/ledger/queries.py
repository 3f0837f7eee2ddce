"""Queries of the ledger for operators and imports; they change nothing."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.delivery import DeliveryKey
from worker.errors import UnreadableError
from worker.ledger.keys import (
    BODIES_KEY,
    CALL_KEY,
    CALLS_KEY,
    DEAD_KEY,
    DESTINATIONS_KEY,
    DUE_KEY,
    HOLDERS_KEY,
    LEASES_KEY,
    NO_START_KEY,
    PARKED_KEY,
    QUARANTINE_KEY,
    REMEMBERED_KEY,
    SUPPRESSED_KEY,
    UNROUTED_KEY,
    WAITS_KEY,
)
from worker.ledger.ledger import Ledger
from worker.ledger.records import DeliveryRecord, StoredCall
from worker.ledger.scripts import is_of_a_key

PAGE = 200  # items a round trip: Redis stays responsive, and the memory small

CALLS = "calls"
START = "start"
NO_START = "no_start"
"""The dead letters of ``calls``: ends whose start never came, keyed ``{call_id}:calls:start``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A delivery given up on, or a call whose start never came."""

    key: DeliveryKey
    died_ms: int
    record: DeliveryRecord | None = None
    """``None`` for a call without a start."""

    @property
    def reason(self) -> str:
        """Return the reason of the dead letter."""
        return self.record.reason if self.record else NO_START

    @property
    def words(self) -> str:
        """Return the vendor's last words; empty when it said nothing."""
        attempts = self.record.history.attempts if self.record else ()
        return attempts[-1].reply if attempts else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedBody:
    """A pushed body that held no event."""

    body_id: str
    received_us: int
    reason: str
    path_kind: str
    body: bytes = field(repr=False)


async def call_ids(
    ledger: Ledger, *, since_ms: int | None = None, until_ms: int | None = None, oldest_first: bool = False
) -> AsyncIterator[list[str]]:
    """Return the ids of all calls in pages, by their first receipt, the newest first."""
    async for page in _by_time(ledger, CALLS_KEY, since_ms, until_ms, oldest_first=oldest_first):
        yield [call_id for call_id, _ in page]


async def calls_by_receipt(
    ledger: Ledger, *, since_ms: int | None = None, until_ms: int | None = None
) -> AsyncIterator[list[tuple[str, int]]]:
    """Return the ids of all calls and their first receipts in epoch milliseconds, in pages, the newest first."""
    async for page in _by_time(ledger, CALLS_KEY, since_ms, until_ms):
        yield page


async def in_state(
    ledger: Ledger, state: str, *, since_ms: int | None = None, until_ms: int | None = None
) -> list[str]:
    """Return the ids of the calls that may be ``waiting``, ``unrouted`` or ``no_start``, by their receipt."""
    source = {"waiting": WAITS_KEY, "unrouted": UNROUTED_KEY, "no_start": NO_START_KEY}[state]
    ids = _texts(await ledger.redis.zrange(source, 0, -1))
    received: Any = await ledger.redis.zmscore(CALLS_KEY, ids) if ids else []
    least, most = since_ms or 0, until_ms
    found = [
        (ms, call_id)
        for call_id, ms in zip(ids, received, strict=True)
        if ms is not None and ms >= least and (most is None or ms <= most)
    ]
    return [call_id for _, call_id in sorted(found)]


async def unrouted(ledger: Ledger, *, since_ms: int | None = None, until_ms: int | None = None) -> list[str]:
    """Return the ids of the ready calls that matched no route, the oldest first; the times are when that was found."""
    least = "-inf" if since_ms is None else since_ms
    most = "+inf" if until_ms is None else until_ms
    return _texts(await ledger.redis.zrangebyscore(UNROUTED_KEY, least, most))


async def calls_with_open_work(
    ledger: Ledger, destinations: Iterable[str], *, since_ms: int | None = None, until_ms: int | None = None
) -> AsyncIterator[list[str]]:
    """Return, in pages, the ids of the calls first received in a span that have work left at these destinations.

    That is what is due, under way, or behind either: in the line of its group, or waiting for its create.
    """
    seen: set[str] = set()
    for name in destinations:
        async for ids in _open_at(ledger, name):
            fresh = [call_id for call_id in dict.fromkeys(ids) if call_id not in seen]
            seen.update(fresh)
            received: Any = await ledger.redis.zmscore(CALLS_KEY, fresh) if fresh else []
            page = [
                call_id
                for call_id, ms in zip(fresh, received, strict=True)
                if ms is not None and (since_ms is None or ms >= since_ms) and (until_ms is None or ms <= until_ms)
            ]
            if page:
                yield page


async def _open_at(ledger: Ledger, name: str) -> AsyncIterator[list[str]]:
    """Return the ids of the calls with work left at one destination, some of them more than once."""
    groups: set[str] = set(_texts(await ledger.redis.hkeys(f"{HOLDERS_KEY}{name}")))
    flying = [record.key for record in await in_flight(ledger)]
    yield [key.call_id for key in flying if key.destination == name]
    offset = 0
    while True:
        members = _texts(await ledger.redis.zrange(f"{DUE_KEY}{name}", offset, offset + PAGE - 1))
        keys = [_key(member, name) for member in members]
        groups.update(record.group for record in await find(ledger, keys) if record is not None)
        yield [key.call_id for key in keys]
        if len(members) < PAGE:
            break
        offset += PAGE
    for group in groups - {""}:
        parked = _texts(await ledger.redis.lrange(f"{PARKED_KEY}{name}:{group}", 0, -1))
        for start in range(0, len(parked), PAGE):
            yield [_key(member, name).call_id for member in parked[start : start + PAGE]]


async def is_remembered(ledger: Ledger, call_id: str) -> bool:
    """Return whether the id alone is left of a call: its retention is over, or it was erased."""
    return bool(await ledger.redis.exists(f"{REMEMBERED_KEY}{call_id}"))


async def known_destinations(ledger: Ledger) -> set[str]:
    """Return the names of all destinations that ever had a delivery."""
    return set(_texts(await ledger.redis.smembers(DESTINATIONS_KEY)))


async def find(ledger: Ledger, keys: Sequence[DeliveryKey]) -> list[DeliveryRecord | None]:
    """Read deliveries by their keys; ``None`` for those that are not there."""
    async with ledger.redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hget(f"{CALL_KEY}{key.call_id}", f"d:{key.destination}:{key.action}")
        texts = await pipe.execute()
    return [_delivery(key, text) if text else None for key, text in zip(keys, texts, strict=True)]


def _delivery(key: DeliveryKey, text: str) -> DeliveryRecord | None:
    """Return a delivery; ``None`` for one of a later version, which ``ledger check`` shows."""
    try:
        return DeliveryRecord.parse(key, text)
    except UnreadableError:
        return None


async def in_flight(ledger: Ledger) -> list[DeliveryRecord]:
    """Return the deliveries that are in a worker's hands."""
    keys = [DeliveryKey.parse(key) for key in _texts(await ledger.redis.zrange(LEASES_KEY, 0, -1))]
    return [record for record in await find(ledger, keys) if record is not None]


async def dead_letters(
    ledger: Ledger, destinations: Iterable[str], *, since_ms: int | None = None, until_ms: int | None = None
) -> AsyncIterator[DeadLetter]:
    """Return the dead letters of destinations (``calls`` among them), of each the newest first."""
    for name in destinations:
        source = NO_START_KEY if name == CALLS else f"{DEAD_KEY}{name}"
        async for page in _by_time(ledger, source, since_ms, until_ms):
            if name == CALLS:
                for call_id, died_ms in page:
                    yield DeadLetter(key=DeliveryKey(call_id, CALLS, START), died_ms=died_ms)
                continue
            keys = [_key(member, name) for member, _ in page]
            for record, (_, died_ms) in zip(await find(ledger, keys), page, strict=True):
                if record is not None:
                    yield DeadLetter(key=record.key, died_ms=died_ms, record=record)


async def last_words(ledger: Ledger, destination: str) -> tuple[str, str, str] | None:
    """Return the reason, the vendor's words and the key of what a destination refused last.

    That is its newest dead letter, else the delivery that has been due for longest; ``None``: there is neither.
    """
    async for letter in dead_letters(ledger, [destination]):
        return letter.reason, letter.words, str(letter.key)
    members = _texts(await ledger.redis.zrange(f"{DUE_KEY}{destination}", 0, 0))
    for record in await find(ledger, [_key(member, destination) for member in members]):
        if record is not None and record.history.attempts:
            return record.reason, record.history.attempts[-1].reply, str(record.key)
    return None


async def find_dead(ledger: Ledger, key: DeliveryKey) -> DeadLetter | None:
    """Read one dead letter; ``None`` when there is none of that key."""
    is_call = key.destination == CALLS
    if is_call and key.action != START:
        return None
    member = key.call_id if is_call else f"{key.call_id}:{key.action}"
    died_ms = await ledger.redis.zscore(NO_START_KEY if is_call else f"{DEAD_KEY}{key.destination}", member)
    if died_ms is None:
        return None
    record = None if is_call else (await find(ledger, [key]))[0]
    return DeadLetter(key=key, died_ms=int(died_ms), record=record) if is_call or record else None


async def quarantined(
    ledger: Ledger, *, since_ms: int | None = None, until_ms: int | None = None
) -> AsyncIterator[QuarantinedBody]:
    """Return the bodies in quarantine, the newest first."""
    async for page in _by_time(ledger, QUARANTINE_KEY, since_ms, until_ms):
        for body in await find_bodies(ledger, [body_id for body_id, _ in page]):
            if body is not None:
                yield body


async def find_bodies(ledger: Ledger, body_ids: Sequence[str]) -> list[QuarantinedBody | None]:
    """Read bodies in quarantine by their ids; ``None`` for those that are not there."""
    texts: Any = await ledger.redis.hmget(BODIES_KEY, list(body_ids)) if body_ids else []
    return [_body(body_id, text) if text else None for body_id, text in zip(body_ids, texts, strict=True)]


async def suppressed(ledger: Ledger) -> list[str]:
    """Return the numbers (E.164) that no lead is made for."""
    return sorted(_texts(await ledger.redis.smembers(SUPPRESSED_KEY)))


async def load_one(ledger: Ledger, call_id: str) -> StoredCall | None:
    """Read one call whole; ``None`` when there is none."""
    found = await ledger.load([call_id])
    return found[0] if found else None


async def _by_time(
    ledger: Ledger, source: str, since_ms: int | None, until_ms: int | None, *, oldest_first: bool = False
) -> AsyncIterator[list[tuple[str, int]]]:
    """Page through a sorted set from its newest member, or its oldest; what comes in meanwhile is left out."""
    newest = await ledger.now_ms() if until_ms is None else until_ms
    oldest: Any = "-inf" if since_ms is None else since_ms
    first, last = (oldest, newest) if oldest_first else (newest, oldest)
    offset = 0
    while True:
        page: Any = await ledger.redis.zrange(
            source, first, last, desc=not oldest_first, byscore=True, offset=offset, num=PAGE, withscores=True
        )
        if page:
            yield [(member, int(score)) for member, score in page]
        if len(page) < PAGE:
            return
        offset += PAGE


def _texts(members: Iterable[Any]) -> list[str]:
    """Name the type that a client which decodes its replies gives."""
    return list(members)


def _key(member: str, destination: str) -> DeliveryKey:
    call_id, action = member.rsplit(":", 1)
    return DeliveryKey(call_id, destination, action)


def _body(body_id: str, text: str) -> QuarantinedBody:
    value = orjson.loads(text)
    return QuarantinedBody(
        body_id=body_id, received_us=value["received_us"], reason=value["reason"], path_kind=value["path"],
        body=value["body"].encode("latin-1"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The calls that were asked for, as far as the ledger knows them."""

    calls: Mapping[str, StoredCall]
    remembered: frozenset[str]
    """Calls of which the id alone is left: their events are not taken again."""


async def look_up(ledger: Ledger, call_ids: Sequence[str]) -> Known:
    """Look calls up by their ids, whole; raises ``redis.RedisError``.

    A key of another type in the place of a call is no call; ``accept`` reports it.
    """
    ids = list(dict.fromkeys(call_ids))
    async with ledger.redis.pipeline(transaction=False) as pipe:
        for call_id in ids:
            pipe.exists(f"{REMEMBERED_KEY}{call_id}")
            pipe.hgetall(f"{CALL_KEY}{call_id}")
        answers = await pipe.execute(raise_on_error=False)
    calls: dict[str, StoredCall] = {}
    remembered = set()
    for call_id, is_remembered, fields in zip(ids, answers[::2], answers[1::2], strict=True):
        for answer in (is_remembered, fields):
            if isinstance(answer, Exception) and not is_of_a_key(answer):
                raise answer
        if is_remembered == 1:
            remembered.add(call_id)
        if isinstance(fields, dict) and (call := StoredCall.parse(call_id, fields)):
            calls[call_id] = call
    return Known(calls=calls, remembered=frozenset(remembered))
