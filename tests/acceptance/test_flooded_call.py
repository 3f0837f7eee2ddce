"""One call id flooded: Redis stays responsive, other webhooks are as fast as ever, and nothing acknowledged is gone."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from tests.acceptance.flood import KINDS, flood, flooder
from tests.acceptance.receiver_process import TOKEN, ReceiverProcess, event, until
from worker.ledger import queries
from worker.ledger.ledger import Ledger

POSTS = 600
RATE = 100.0  # other webhooks a second
SLOW_S = 0.05


async def _until_done(done: asyncio.Future[Any], work: Callable[[], Awaitable[float]]) -> list[float]:
    """Begin one piece of work after the other at the rate, until the future is done; return what they give, sorted."""
    began = time.monotonic()
    tasks: list[asyncio.Task[float]] = []
    while not done.done():
        await asyncio.sleep(max(0.0, began + len(tasks) / RATE - time.monotonic()))
        tasks.append(asyncio.ensure_future(work()))
    return sorted(await asyncio.gather(*tasks))


def _p99(waits: list[float]) -> float:
    return waits[len(waits) * 99 // 100]


@pytest.mark.load
@pytest.mark.parametrize("kind", KINDS)
async def test_a_flood_for_one_call_slows_no_other_webhook(tmp_path, redis_url, kind):
    """600 posts, most of them of 60 KB: all are answered 200, and of the other webhooks 99 % within 50 ms more."""
    receiver = ReceiverProcess(tmp_path, redis_url)
    receiver.start()
    numbers = iter(range(1_000_000))
    try:
        with flooder() as pool:
            async with aiohttp.ClientSession() as session, Redis.from_url(redis_url, decode_responses=True) as redis:

                async def other() -> float:
                    status, waited_s = await receiver.post(session, event(next(numbers)))
                    assert status == 200
                    return waited_s

                calm = await _until_done(asyncio.ensure_future(asyncio.sleep(2)), other)
                url = f"{receiver.url}/services/calldata?token={TOKEN}"
                posting = asyncio.get_running_loop().run_in_executor(pool, flood, url, "one", kind, POSTS)
                waits = await _until_done(posting, other)
                statuses = await posting
                await until(lambda: _is_drained(receiver, session))
                [call] = await Ledger(redis).load(["one"])
                kept = [body async for body in queries.quarantined(Ledger(redis))]
    finally:
        receiver.stop()
    size = sum(len(text) for text in (*call.texts, *call.folded))
    print(
        f"{len(waits)} others: p99 {_p99(waits) * 1000:.1f} ms, calm {_p99(calm) * 1000:.1f} ms; "
        f"{call.version} events held, {size} bytes; {len(kept)} in quarantine"
    )

    assert [200] * POSTS == statuses
    assert POSTS == call.version + len(kept)
    assert len(call.listed) <= 200
    assert size <= 256 * 1024
    assert _p99(waits) < SLOW_S + _p99(calm)
    assert "BUSY" not in receiver.log()


async def _is_drained(receiver: ReceiverProcess, session: aiohttp.ClientSession) -> bool:
    _, parts = await receiver.readyz(session)
    return bool(parts["spool"]["events"] == 0)
