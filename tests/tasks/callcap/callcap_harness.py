"""Callcap's operations on a real ledger and the stand-in, in the words of the tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from deploy.local.standins.app import StandIns
from deploy.local.standins.faults import Fault
from schemas.callcap.requests import Kind, NumberOutcome
from tasks.callcap.exchange import search
from tasks.callcap.requests import Callcap, ask
from tests.ledgers import Driver, open_driver
from worker.config.settings import CallcapSettings
from worker.http.client import HttpClient
from worker.ledger.numbers import NumberRecord, Numbers

TODAY = datetime.now(UTC).date()
EXACT = {"account": "L-3", "phoneNumber": "3165550142"}
NOTHING = "The resource did not exist or did not have anything to say"


class CallcapHarness:
    """Callcap, the ledger and the stand-in of one test."""

    def __init__(self, standins: StandIns, driver: Driver, http: HttpClient) -> None:
        self.standins = standins
        self.driver = driver
        self.http = http
        self.numbers = Numbers(driver.ledger)
        self.pauses: list[float] = []
        self.account = self.account_with()

    def account_with(self, **changes: str) -> CallcapSettings:
        """Return the account, changed."""
        values = {"url": f"{self.standins.url}/callcap/v3", "api_key": "standin-callcap-key", "encoding": "form"}
        return CallcapSettings(**values | changes)

    async def write(self, kind: Kind, parameters: dict[str, Any], *, key: str = "k", number: str = "") -> str:
        """Write a request."""
        return await ask(self.numbers, kind, parameters, key=key, today=TODAY, number=number)

    async def carry_out(self, kind: Kind = Kind.PROVISION, *, key: str = "k", http: Any = None) -> NumberRecord:
        """Carry a written request out."""

        async def sleep(pause_s: float) -> None:
            self.pauses.append(pause_s)

        callcap = Callcap(self.account, http=http or self.http, numbers=self.numbers, sleep=sleep)
        return await callcap.carry_out(key, kind)

    async def provision(self, parameters: dict[str, Any] | None = None, *, key: str = "k") -> NumberOutcome:
        """Write a provisioning and carry it out."""
        await self.write(Kind.PROVISION, EXACT if parameters is None else parameters, key=key)
        return outcome_of(await self.carry_out(key=key))

    async def search(self, **parameters: Any) -> NumberOutcome:
        """Search, without the ledger."""
        return await search(self.account, parameters, http=self.http)

    def lay(self, **fault: Any) -> None:
        """Lay a fault on the stand-in."""
        self.standins.store.faults.append(Fault(vendor="callcap", **fault))

    def sent(self, method: str) -> int:
        """Return how many requests of a method the stand-in was sent."""
        return sum(entry.shown()["method"] == method for entry in self.standins.store.requests)

    async def wait_for_number(self) -> None:
        """Wait until the stand-in has provisioned a number."""
        async with asyncio.timeout(10):
            while not self.kept():  # noqa: ASYNC110  the stand-in has no event to wait for
                await asyncio.sleep(0.01)

    def kept(self) -> list[Any]:
        """Return what was provisioned."""
        return self.standins.store.records("callcap")


def outcome_of(record: NumberRecord) -> NumberOutcome:
    """Return the outcome of a record, whose state it has."""
    assert record.outcome is not None
    assert record.state is record.outcome.state
    return record.outcome


@asynccontextmanager
async def open_harness(standins: StandIns, redis_url: str) -> AsyncIterator[CallcapHarness]:
    """Open a harness."""
    async with open_driver(redis_url) as driver, HttpClient.open() as http:
        yield CallcapHarness(standins, driver, http)
