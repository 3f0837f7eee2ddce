"""A ledger on a fake or a real Redis, with its time handed in, and a driver that says what tests mean."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha1
from time import monotonic
from typing import Any

from fakeredis import FakeAsyncRedis, FakeServer
from redis.asyncio import Redis

from schemas.delivery import DeliveryKey
from worker.ledger.keys import BITS_KEY, DIGITS_KEY
from worker.ledger.keys import key_of as key_of_name
from worker.ledger.ledger import Bounds, Ledger, Timings
from worker.ledger.records import (
    About,
    Accepted,
    Claim,
    Claimed,
    DeliveryRecord,
    Finish,
    Finished,
    FollowUp,
    Incoming,
    NewDelivery,
    Plan,
    Planned,
    Room,
    StoredCall,
    Verdict,
)

NOON = 1_772_452_800_000
"""2026-03-02 12:00 UTC in epoch milliseconds: where every test's time begins."""

LEASE_MS = 50_000

ENDS: dict[str, tuple[Verdict, str]] = {
    "delivered": (Verdict.DELIVERED, "ok"),
    "dead": (Verdict.DEAD, "none"),
    "skipped": (Verdict.SKIPPED, "skip"),
    "failed": (Verdict.RETRY, "fail"),
    "refused": (Verdict.RETRY, "refuse"),
    "blocked": (Verdict.HOLD, "block:soon:unauthorized"),
    "unknown_type": (Verdict.DEAD, "block:never:unknown_type"),
    "unclaimed": (Verdict.UNCLAIM, "skip"),
    "interrupted": (Verdict.INTERRUPTED, "skip"),
}
"""What attempts come to, by a short name: the verdict and the effect on the destination."""


@dataclass
class HandedTime:
    """The time, which passes only when a test says so."""

    ms: int = NOON

    def __call__(self) -> int:
        """Return it as the ledger asks for it."""
        return self.ms

    def pass_s(self, seconds: float) -> None:
        """Let seconds pass."""
        self.ms += round(seconds * 1000)


@dataclass
class Driver:
    """A ledger and its time, driven in the words of the tests."""

    ledger: Ledger
    time: HandedTime
    redis: Redis
    server: FakeServer | None = None
    """The fake Redis, which goes away when ``connected`` is set to false; ``None`` on a real one."""

    async def accept(self, call_id: str, record: str = 's{"a":"1"}', *, received_us: int | None = None) -> Accepted:
        """Accept one event."""
        received_us = self.time.ms * 1000 if received_us is None else received_us
        [answer] = await self.ledger.accept([Incoming(call_id, received_us, record)])
        return answer

    async def plan(self, call_id: str, *deliveries: NewDelivery, version: int | None = None, **changes: Any) -> Planned:
        """Apply a plan for a call: ready, unless ``changes`` say otherwise."""
        if version is None:
            version = (await self.call(call_id)).version
        values: dict[str, Any] = {"state": "r", "revision": 1, "wait_until_ms": 0, "deliveries": deliveries} | changes
        [planned] = await self.ledger.plan([Plan(call_id=call_id, version=version, **values)])
        return planned

    async def plan_and_take(
        self, call_id: str, *deliveries: NewDelivery, rooms: Mapping[str, Room], **changes: Any
    ) -> Planned:
        """Apply a plan for a call, and claim in the same step what there is room for."""
        stored = await self.ledger.load([call_id])
        values: dict[str, Any] = {
            "version": stored[0].version if stored else 1, "state": "r", "revision": 1, "wait_until_ms": 0,
            "deliveries": deliveries, "events": stored[0].texts if stored else (),
        }  # fmt: skip
        answer = await self.ledger.plan_and_take([Plan(call_id=call_id, **(values | changes))], rooms=rooms)
        return answer.plans[0]

    async def make(self, *call_ids: str, destination: str = "crm", action: str = "create", **changes: str) -> None:
        """Make a delivery of each call, due now, in the order given; the time passes a millisecond between them."""
        for call_id in call_ids:
            if not await self.ledger.load([call_id]):
                await self.accept(call_id)
            await self.plan(call_id, NewDelivery(destination=destination, action=action, **changes))
            self.time.pass_s(0.001)

    async def follow(
        self, call_id: str, *, answered: bool, started_s: float = 0, caller: str = "+61491570156", window_s: float = 60,
        marks: str = "", asks: str = "",
    ) -> None:  # fmt: skip
        """Plan a call of the missed-call follow-up: a missed one gets its lead, an answered one withdraws."""
        await self.accept(call_id)
        deliveries = () if answered else (NewDelivery(destination="crm", action="create"),)
        part = FollowUp(
            destination="crm", caller=caller, started_ms=NOON + round(started_s * 1000),
            window_ms=round(window_s * 1000), answered=answered, marks=tuple(marks.split()), asks=tuple(asks.split()),
        )  # fmt: skip
        await self.plan(call_id, *deliveries, follow_ups=(part,))

    async def ready(
        self, call_id: str, *destinations: str, service: str = "101", result: str = "a", digits: str = "61491570156"
    ) -> None:
        """Make a call ready that is found and counted by these values, with a delivery to each destination."""
        if not await self.ledger.load([call_id]):
            await self.accept(call_id)
        about = About(service_id=service, result=result, caller_digits=digits)
        made = [NewDelivery(destination=name, action="create") for name in destinations]
        await self.plan(call_id, *made, about=about)
        self.time.pass_s(0.001)

    async def claim(self, destination: str = "crm", *, want: int = 50, **changes: Any) -> Claim:
        """Claim what is due."""
        return await self.ledger.claim(destination, want=want, **{"lease_ms": LEASE_MS, **changes})

    async def take(self, destination: str = "crm", *, want: int = 50, **changes: Any) -> list[Claimed]:
        """Claim what is due; return the deliveries alone."""
        return list((await self.claim(destination, want=want, **changes)).items)

    async def take_one(self, destination: str = "crm") -> Claimed:
        """Claim the one delivery that a claim for one gives."""
        [claimed] = await self.take(destination, want=1)
        return claimed

    async def end(self, claimed: Claimed, how: str, **changes: Any) -> Finished:
        """End a claim as ``ENDS`` names it."""
        verdict, effect = ENDS[how]
        values: dict[str, Any] = {
            "verdict": verdict, "effect": effect, "history": claimed.history, "reason": how,
            "lease_end_ms": claimed.lease_end_ms,
        }  # fmt: skip
        [finished] = await self.ledger.finish([Finish(key=claimed.key, fence=claimed.fence, **(values | changes))])
        return finished

    async def call(self, call_id: str) -> StoredCall:
        """Read a call."""
        [stored] = await self.ledger.load([call_id])
        return stored

    async def delivery(self, call_id: str, action: str = "create", *, destination: str = "crm") -> DeliveryRecord:
        """Read a delivery."""
        return (await self.call(call_id)).deliveries[destination, action]

    async def states(self, *call_ids: str, destination: str = "crm") -> list[str]:
        """Return the states of the calls' creates."""
        return [str((await self.delivery(call_id, destination=destination)).state) for call_id in call_ids]

    async def tick(self, *destinations: str) -> tuple[str, ...]:
        """Tick; return the destinations to wake."""
        return (await self.ledger.tick(destinations or ("crm",))).wake


async def verdict(driver: Driver) -> str:
    """Say how the destination answers a claim; what it hands out for a probe is given back unsent."""
    claim = await driver.claim(want=1)
    for claimed in claim.items:
        await driver.end(claimed, "unclaimed", reason=claimed.reason)
    return claim.verdict


def room(slots: int = 50, *, beside_older: int | None = None, confirms: bool = False) -> Room:
    """Make a worker's room at a destination."""
    return Room(slots, slots if beside_older is None else beside_older, LEASE_MS, confirms, until=monotonic() + 3600)


def ids(claimed: Iterable[Claimed]) -> list[str]:
    """Return the call ids of what was claimed."""
    return [one.key.call_id for one in claimed]


def key_of(call_id: str, action: str = "create", *, destination: str = "crm") -> DeliveryKey:
    """Make a key."""
    return DeliveryKey(call_id, destination, action)


async def _add_sha1hex(redis: Redis, server: FakeServer) -> None:
    """Add to the scripts of a fake Redis what every real one has and fakeredis 2.40 lacks."""
    await redis.eval("return 1", 0)  # makes the runtime
    server._lua_runtime.globals().redis.sha1hex = lambda text: sha1(text).hexdigest().encode()  # type: ignore[attr-defined]


async def unnamed(redis: Any) -> list[str]:
    """Return what Redis holds under the ledger's names and the table of keys does not name so."""
    faults: list[str] = []
    names: list[str] = [name async for name in redis.scan_iter("sb:*")]
    for name in names:
        key = key_of_name(name)
        if key is None:
            faults.append(f"{name}: no row of the table")
            continue
        kind, left_ms = await redis.type(name), await redis.pttl(name)
        if kind == "string" and not name.startswith((BITS_KEY, DIGITS_KEY)) and await redis.get(name) == "foreign":
            continue  # laid there by a test of foreign keys
        if kind == "none":
            continue  # it has expired since it was found
        if kind != key.type:
            faults.append(f"{name}: a {kind}")
        elif kind == "hash":
            faults += [f"{name}: no field {one}" for one in await redis.hkeys(name) if not key.has_field(one)]
        if left_ms != -2 and key.expires is not None and key.expires is not (left_ms >= 0):
            faults.append(f"{name}: {'expires' if left_ms >= 0 else 'does not expire'}")
    return sorted(faults)


@asynccontextmanager
async def open_driver(
    url: str | None, timings: Timings | None = None, bounds: Bounds | None = None
) -> AsyncIterator[Driver]:
    """Open a driver on the Redis at ``url``, or on a fake one."""
    server = FakeServer() if url is None else None
    redis: Redis = (
        Redis.from_url(url, decode_responses=True) if url else FakeAsyncRedis(server=server, decode_responses=True)
    )
    time = HandedTime()
    async with redis:
        if server is not None:
            await _add_sha1hex(redis, server)
        yield Driver(Ledger(redis, clock_ms=time, timings=timings, bounds=bounds), time, redis, server)
