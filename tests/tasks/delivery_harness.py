"""A runner on a real ledger, with real vendors and a fake HTTP, driven in the words of the tests."""

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson

from schemas.destination import Destination
from tasks.delivery.finish_writer import FinishWriter
from tasks.delivery.observer import Observer
from tasks.delivery.runner import Runner
from tasks.vendors.registry import VENDORS
from tests.destinations import make_destination
from tests.fakes import FakeHttp, reply
from tests.ledgers import LEASE_MS, NOON, Driver
from worker.ledger.history import Attempt
from worker.ledger.ledger import Ledger
from worker.metrics import Metrics

CALLER = "+61491570156"
EVENT = {
    "PLA_CID": "123", "PLA_Caller_Phone_Number": "0491570156", "PLA_CallStartTime": str(NOON),
    "PLA_CallResult": "Unanswered", "PLA_Duration": "7s",
}  # fmt: skip
SAVED = reply(b'{"saved": true, "processed": true}')


class Watched(Observer):
    """The observer, which keeps what it counts and publishes."""

    def __init__(self) -> None:
        super().__init__(Metrics(), self._keep)
        self.attempts: list[tuple[str, float | None]] = []
        self.dead_letters: list[str] = []

    def count(self, destination: Destination, made: Attempt, *, call_to_crm_s: float | None) -> None:
        """Keep the outcome."""
        super().count(destination, made, call_to_crm_s=call_to_crm_s)
        self.attempts.append((made.outcome, call_to_crm_s))

    def _keep(self, queue: str, message: dict[str, Any]) -> None:
        self.dead_letters.append(message["reason"])


@dataclass
class DeliveryHarness:
    """A runner for one destination, and what is around it."""

    driver: Driver
    http: FakeHttp
    destination: Destination
    watched: Watched
    runner: Runner

    async def make(self, call_id: str = "c1", *, group: str = "", caller: str = "0491570156") -> None:
        """Accept a call and make its delivery."""
        event = EVENT | {"PLA_Caller_Phone_Number": caller}
        await self.driver.accept(call_id, "c" + orjson.dumps(event, option=orjson.OPT_SORT_KEYS).decode())
        await self.driver.make(call_id, group=group)

    async def deliver(self, call_id: str = "c1") -> str:
        """Make, claim and deliver a call; return the state that its delivery comes to."""
        await self.make(call_id)
        return await self.again(call_id)

    async def again(self, call_id: str = "c1") -> str:
        """Claim and deliver what is due."""
        await self.runner.deliver(await self.driver.take_one())
        return str((await self.driver.delivery(call_id)).state)

    async def last(self) -> tuple[str, str, int | None, str]:
        """Return outcome, reason, status and words of the last attempt."""
        attempt = (await self.driver.delivery("c1")).history.attempts[-1]
        return attempt.outcome, attempt.reason, attempt.status, attempt.reply


def make_harness(
    driver: Driver, vendor: str = "comunik8", *, ledger: Ledger | None = None, **changes: Any
) -> DeliveryHarness:
    """Make a harness."""
    destination = make_destination(VENDORS[vendor].spec, **changes)
    http, watched = FakeHttp(always=SAVED), Watched()
    runner = Runner(
        destination, vendor=VENDORS[vendor], ledger=ledger or driver.ledger, http=http,
        finish_writer=FinishWriter(driver.ledger), observer=watched,
        now=lambda: datetime.fromtimestamp(driver.time.ms / 1000, UTC), rng=Random(1), default_region="AU",
        lease_ms=LEASE_MS,
    )  # fmt: skip
    return DeliveryHarness(driver, http, destination, watched, runner)
