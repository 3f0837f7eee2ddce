"""A fake deliverer for a pump: it takes claimed deliveries through attempts that hang as long as a test wants."""

import asyncio
from typing import Any

from schemas.captorra import SPEC
from tasks.delivery.backlog_throttle import BacklogThrottle
from tasks.delivery.pump import Pump
from tests.destinations import make_destination
from tests.ledgers import LEASE_MS, Driver
from worker.ledger.ledger import Ledger
from worker.ledger.records import Claimed


class FakeDeliverer:
    """Takes claimed deliveries through their attempts: each hangs while its name is held, then ends well."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.held: dict[str, asyncio.Event] = {}
        self.under_way: set[str] = set()
        self.delivered: list[str] = []
        self.cut: list[str] = []
        self.most = 0
        self.changed = asyncio.Condition()

    def hold(self, *names: str) -> None:
        """Let the attempts of these calls hang."""
        for name in names:
            self.held[name] = asyncio.Event()

    def let_go(self, *names: str) -> None:
        """Let attempts that hang end; without names all."""
        for name in names or tuple(self.held):
            self.held.pop(name).set()

    async def deliver(self, claimed: Claimed) -> bool:
        """Make the attempt; say whether its end made another delivery due."""
        name = claimed.key.call_id
        assert name not in self.under_way
        self.under_way.add(name)
        self.most = max(self.most, len(self.under_way))
        await self._tell()
        try:
            if name in self.held:
                await self.held[name].wait()
        except asyncio.CancelledError:
            self.cut.append(name)
            ended = await self.driver.end(claimed, "interrupted")
        else:
            ended = await self.driver.end(claimed, "delivered")
            self.delivered.append(name)
        self.under_way.discard(name)
        await self._tell()
        return ended.more_due

    async def until(self, *, under_way: int | None = None, delivered: int | None = None) -> None:
        """Wait until so many are under way or delivered."""

        def there() -> bool:
            return under_way in {None, len(self.under_way)} and delivered in {None, len(self.delivered)}

        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(there)

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


def make_pump(
    fake: FakeDeliverer,
    ledger: Ledger | None = None,
    *,
    confirms: bool = False,
    linger_s: float = 0.0,
    throttle: BacklogThrottle | None = None,
    **changes: object,
) -> Pump:
    """Make a pump for the destination ``crm``."""
    values: dict[str, Any] = {"concurrency": 3, **changes}
    destination = make_destination(SPEC, **values)
    used = ledger or fake.driver.ledger
    return Pump(
        destination,
        ledger=used,
        deliver=fake.deliver,
        lease_ms=LEASE_MS,
        confirms=confirms,
        linger_s=linger_s,
        throttle=throttle,
    )


async def finished(run: "asyncio.Task[None]") -> None:
    """Wait until a run has ended."""
    async with asyncio.timeout(10):
        await run
