"""Stand-ins at the receiver's own seams, and a receiver on a real socket."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry

from receiver.health import Ready
from receiver.inbox import Inbox
from receiver.measures import Measures
from receiver.quarantine import Quarantine
from receiver.redis_breaker import RedisBreaker
from receiver.refusals import Refusals
from receiver.spool.spool import Spool
from receiver.tally import Tally
from receiver.views import create_app
from worker.config.receiver import ReceiverSettings
from worker.ledger.records import Accepted, Incoming
from worker.ledger.sign_ins import SignIn
from worker.metrics import Metrics

TOKEN = "delacon-token-0123456789"
OPS_TOKEN = "ops-token-0123456789"


@dataclass
class Look:
    """What the fake ledger tells of the work."""

    workers: int = 2
    sign_ins: tuple[SignIn, ...] = ()
    oldest_due_seconds: float = 0.5


@dataclass
class FakeLedger:
    """Keeps events like the ledger; ``fault`` is raised instead, ``held`` keeps writes waiting while it is clear."""

    events: dict[str, list[str]] = field(default_factory=dict)
    groups: list[list[Incoming]] = field(default_factory=list)
    bodies: list[tuple[bytes, str, str]] = field(default_factory=list)
    fault: Exception | None = None
    poison: str = ""
    failing: str = ""
    foreign: str = ""
    full: str = ""
    waiting: str = ""
    remembered: frozenset[str] = frozenset()
    look: Look = field(default_factory=Look)
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.free.set()

    async def accept(self, items: Sequence[Incoming]) -> list[Accepted]:
        """Store, or do what the test asked for."""
        self.groups.append(list(items))
        await self._check()
        if self.poison in [item.call_id for item in items]:
            raise ValueError("this group cannot be stored")
        return [self._accept(item) for item in items]

    def _accept(self, item: Incoming) -> Accepted:
        if item.call_id in self.remembered:
            return Accepted.REMEMBERED
        if item.call_id == self.foreign:
            return Accepted.FOREIGN
        if item.call_id == self.full:
            return Accepted.QUARANTINED
        if item.call_id == self.failing:
            return Accepted.FAILED
        records = self.events.setdefault(item.call_id, [])
        if item.record in records:
            return Accepted.SAME
        records.append(item.record)
        return Accepted.WAITS if item.call_id == self.waiting else Accepted.NEW

    async def quarantine(self, body: bytes, *, reason: str, path_kind: str, received_us: int) -> str:
        """Keep a body."""
        await self._check()
        self.bodies.append((body, reason, path_kind))
        return str(received_us)

    async def ping(self) -> None:
        """Live or fail."""
        await self._check()

    async def overview(self, destinations: Iterable[str]) -> Look:
        """Tell of the work."""
        await self._check()
        return self.look

    async def _check(self) -> None:
        await self.free.wait()
        if self.fault is not None:
            raise self.fault


@dataclass
class FakeRedis:
    """Answers the two commands that tell how durable Redis is."""

    aof: int = 1
    fsync: str = "always"
    refusal: Exception | None = None

    async def info(self, section: str) -> Mapping[str, Any]:
        """Return the section."""
        return {"aof_enabled": self.aof}

    async def config_get(self, pattern: str) -> Mapping[str, str]:
        """Return the setting."""
        if self.refusal is not None:
            raise self.refusal
        return {pattern: self.fsync}


async def until(fact: Callable[[], Any], *, timeout_s: float = 5.0) -> None:
    """Wait for a fact; raises ``TimeoutError`` when it does not come true."""
    async with asyncio.timeout(timeout_s):
        while not fact():  # noqa: ASYNC110  what it looks at tells nobody
            await asyncio.sleep(0.002)


def receiver_settings(**changes: Any) -> ReceiverSettings:
    """Return settings with a token, with the changes asked for."""
    values: dict[str, Any] = {
        "tokens": (TOKEN,), "ops_tokens": (), "allow_networks": (), "trusted_proxies": 0, "max_body": 65536,
    }  # fmt: skip
    return ReceiverSettings(**values | changes)


@dataclass
class Receiver:
    """A receiver that listens: its address, and the parts that a test looks into."""

    url: str
    port: int
    ledger: FakeLedger
    breaker: RedisBreaker
    spool: Spool | None
    inbox: Inbox
    registry: CollectorRegistry
    woken: list[str]

    def refused(self, sender: str, reason: str) -> float:
        """Return how often a sender was refused for a reason."""
        labels = {"sender": sender, "reason": reason}
        return self.registry.get_sample_value("switchboard_refused_total", labels) or 0.0

    def counted(self, event: str, outcome: str) -> float:
        """Return a counter's value."""
        labels = {"event": event, "outcome": outcome}
        return self.registry.get_sample_value("switchboard_webhooks_total", labels) or 0.0


@asynccontextmanager
async def running_receiver(
    *, ledger: FakeLedger, spool_path: Path | None = None, clock: Callable[[], float] | None = None, **changes: Any
) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port of loopback."""
    metrics = Metrics()
    breaker = RedisBreaker()
    spool = None if spool_path is None else Spool.at(spool_path)
    woken: list[str] = []
    inbox = Inbox(ledger=ledger, spool=spool, breaker=breaker, wake=woken.extend, now_us=lambda: 1_000_000)
    settings = receiver_settings(**changes)
    refusals = Refusals(metrics.refused, senders=[sender.name for sender in settings.senders])
    ready = Ready(
        ledger=ledger, redis=FakeRedis(), spool=spool, breaker=breaker, destinations=(), now_us=lambda: 1_000_000,
        config="abc", refused=refusals.totals, monotonic=time.monotonic if clock is None else clock,
    )  # fmt: skip
    quarantine = Quarantine(ledger=ledger, spool=spool, breaker=breaker, receipt_us=inbox.receipt_us)
    app = create_app(
        settings=settings, inbox=inbox, quarantine=quarantine, ready=ready, refusals=refusals,
        measures=Measures(metrics),
        tally=Tally(metrics.registry),
    )  # fmt: skip
    storing = asyncio.create_task(inbox.run())
    runner = web.ServerRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield Receiver(
            url=f"http://127.0.0.1:{site.port}", port=site.port, ledger=ledger, breaker=breaker, spool=spool,
            inbox=inbox, registry=metrics.registry, woken=woken,
        )  # fmt: skip
    finally:
        ledger.free.set()
        await runner.cleanup()
        inbox.close()
        await storing
        if spool is not None:
            await spool.close()
