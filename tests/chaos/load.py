"""Pushes calls as Delacon does: two webhooks a call, no retry, in any order, and notes what was acknowledged."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from random import Random

import aiohttp

from tests.acceptance.stack import TOKEN, end_of, start_of

SERVICE = b'"PLA_CID":"123"'
CONTACT_EVERY = 100  # every n-th call also becomes a contact at Kapture, where nothing but care prevents doubles


@dataclass(slots=True)
class Pushed:
    """What became of one load."""

    sent: int = 0
    acknowledged: int = 0
    waits_s: list[float] = field(default_factory=list)
    """How long each answer took."""
    owed: dict[str, str] = field(default_factory=dict)
    """Call id to caller, for each call whose start was acknowledged."""
    contacts: set[str] = field(default_factory=set)
    """Callers of those that are owed as contacts too."""
    callers: dict[str, str] = field(default_factory=dict)
    """Every call pushed, acknowledged or not."""
    complete_ms: dict[str, float] = field(default_factory=dict)
    """Caller to the epoch milliseconds at which the second of two webhooks was acknowledged."""

    def wait_s(self, share: float) -> float:
        """Return how long so large a share of the answers took at most."""
        waits = sorted(self.waits_s)
        return waits[min(len(waits) - 1, int(len(waits) * share))] if waits else 0.0

    def so_far(self) -> "Pushed":
        """Return what is owed at this moment; the load goes on."""
        return Pushed(owed=self.owed.copy(), contacts=self.contacts.copy(), callers=self.callers.copy())


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """``calls`` calls at ``rate`` calls/s; ids begin with ``name``, callers are numbered from ``first``."""

    name: str
    port: int
    calls: int
    rate: float
    first: int
    rng: Random

    async def run(self, pushed: Pushed) -> None:
        """Push everything, at its time whatever became of what went before; notes it in ``pushed``."""
        began = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=256)) as session:
            tasks = []
            for number in range(self.calls):
                await asyncio.sleep(max(0.0, began + number / self.rate - time.monotonic()))
                tasks.append(asyncio.create_task(self._call(session, number, pushed)))
            await asyncio.gather(*tasks)

    async def _call(self, session: aiohttp.ClientSession, number: int, pushed: Pushed) -> None:
        call_id, caller = f"{self.name}-{number}", f"+614{self.first + number:08d}"
        pushed.callers[call_id] = caller
        contact = number % CONTACT_EVERY == 0
        start, end = start_of(call_id, caller), end_of(call_id)
        if contact:
            start = start.replace(SERVICE, b'"PLA_CID":"contact"')
            end = end.replace(SERVICE, b'"PLA_CID":"contact"')
        webhooks = [("create", start), ("update", end)]
        self.rng.shuffle(webhooks)
        acknowledged = 0
        for path, body in webhooks:
            if not await self._post(session, path, body, pushed):
                continue
            acknowledged += 1
            if path == "create":
                pushed.owed[call_id] = caller
                if contact:
                    pushed.contacts.add(caller)
        if acknowledged == len(webhooks):
            pushed.complete_ms[caller] = time.time() * 1000

    async def _post(self, session: aiohttp.ClientSession, path: str, body: bytes, pushed: Pushed) -> bool:
        pushed.sent += 1
        began = time.monotonic()
        url = f"http://127.0.0.1:{self.port}/services/calldata/{path}?token={TOKEN}"
        try:
            async with session.post(url, data=body) as reply:
                answer = json.loads(await reply.read())
                ok = reply.status == 200 and answer["success"] == "true"
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False
        pushed.waits_s.append(time.monotonic() - began)
        pushed.acknowledged += ok
        return ok
