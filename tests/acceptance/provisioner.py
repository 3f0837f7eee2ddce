"""A process of its own that provisions one number, and is killed at a point that a test has chosen."""

import asyncio
import os
import signal
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import uvloop

from schemas.callcap.requests import Kind, NumberOutcome, NumberRequest, RequestState
from schemas.delivery import Request, Response
from tasks.callcap.requests import Callcap, ask
from worker.broker import open_redis
from worker.config.settings import CallcapSettings
from worker.http.client import HttpClient
from worker.ledger.ledger import Ledger
from worker.ledger.numbers import NumberClaim, NumberRecord, Numbers

T = TypeVar("T")
POLL_S = 0.02
STAGES = ("write", "claim", "POST", "settle", "GET")


@dataclass(frozen=True)
class Job:
    """One number to provision; killed ``after_s`` from the beginning or the end of a stage."""

    redis_url: str
    callcap_url: str
    lease_ms: int
    key: str
    number: str
    stage: str = ""
    at_end: bool = False
    after_s: float = 0

    async def through(self, stage: str, work: Awaitable[T]) -> T:
        """Do the work of a stage."""
        if stage == self.stage and not self.at_end:
            self._doom()
        try:
            return await work
        finally:
            if stage == self.stage and self.at_end:
                self._doom()

    def _doom(self) -> None:
        asyncio.get_running_loop().call_later(self.after_s, os.kill, os.getpid(), signal.SIGKILL)


class WatchedNumbers(Numbers):
    """The ledger, its operations being stages."""

    job: Job

    async def write(self, key: str, request: NumberRequest) -> Any:
        """Write."""
        return await self.job.through("write", super().write(key, request))

    async def claim(self, key: str, token: str) -> NumberClaim:
        """Claim."""
        return await self.job.through("claim", super().claim(key, token))

    async def settle(self, key: str, token: str, outcome: NumberOutcome) -> bool:
        """Settle."""
        return await self.job.through("settle", super().settle(key, token, outcome))


@dataclass(frozen=True)
class WatchedHttp:
    """The real client, its requests being stages."""

    client: HttpClient
    job: Job

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send."""
        return await self.job.through(request.method, self.client.send(request, timeout_s=timeout_s))


def provision(job: Job) -> None:
    """Write the request of a key and carry it out, as the command line and the worker do."""
    uvloop.run(settle(job))


async def settle(job: Job) -> NumberRecord:
    """Carry a request out, and wait while another process has it."""
    account = CallcapSettings(url=job.callcap_url, api_key="standin-callcap-key", encoding="form")
    parameters: dict[str, Any] = {"account": "L-3", "phoneNumber": job.number, "memo1": "123"}
    async with open_redis(job.redis_url) as redis, HttpClient.open() as client:
        numbers = WatchedNumbers(Ledger(redis), lease_ms=job.lease_ms)
        numbers.job = job
        http = WatchedHttp(client, job)
        await ask(numbers, Kind.PROVISION, parameters, key=job.key, today=datetime.now(UTC).date())
        while True:
            record = await Callcap(account, http=http, numbers=numbers).carry_out(job.key, Kind.PROVISION)
            if record.state is not RequestState.IN_FLIGHT:
                return record
            await asyncio.sleep(POLL_S)


async def write(redis_url: str, key: str, request: NumberRequest) -> None:
    """Write a request, as another program does."""
    async with open_redis(redis_url) as redis:
        await Numbers(Ledger(redis)).write(key, request)


async def read(redis_url: str, key: str) -> NumberRecord | None:
    """Read a request, as another program does."""
    async with open_redis(redis_url) as redis:
        return await Numbers(Ledger(redis)).read(key)
