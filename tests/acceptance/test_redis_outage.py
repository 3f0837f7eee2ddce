"""Redis killed under 200 webhooks a second: every one is acknowledged in time and delivered afterwards, once."""

import asyncio
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import pytest

from tests.acceptance.stack import CONFIG, TOKEN, end_of, start_of

OUTAGE_S = float(os.environ.get("SWITCHBOARD_OUTAGE_S", "4"))
"""How long Redis is away; the figure of the promise is 30."""

BEFORE_S, AFTER_S = 1.0, 1.0
CALLS_A_SECOND = 100
LIMIT_S = 2.0
LAW_ALONE = CONFIG.replace('to = ["law", "dialler", "crm"]', 'to = ["law"]')


@dataclass
class Sent:
    """What became of the webhooks."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0


async def push(url: str, calls: int) -> Sent:
    """Push both events of each call at a steady rate, whatever becomes of those before."""
    sent = Sent()
    began = time.monotonic()

    async def post(session: aiohttp.ClientSession, path: str, body: bytes) -> None:
        begun = time.monotonic()
        async with session.post(f"{url}/services/calldata/{path}?token={TOKEN}", data=body) as reply:
            await reply.read()
        sent.statuses[reply.status] += 1
        sent.slowest_s = max(sent.slowest_s, time.monotonic() - begun)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as tasks:
        for number in range(calls):
            await asyncio.sleep(began + number / CALLS_A_SECOND - time.monotonic())
            caller = f"+6149157{number:04d}"
            tasks.create_task(post(session, "create", start_of(f"outage-{number}", caller)))
            tasks.create_task(post(session, "update", end_of(f"outage-{number}")))
    return sent


@pytest.mark.load
def test_a_killed_redis_costs_no_webhook(make_redis_server, make_stack):
    """Nobody waits more than 2 s, and afterwards there is one record of each call, posted once."""
    server = make_redis_server()
    stack = make_stack(redis_url=server.url, config=LAW_ALONE)
    stack.start()
    stack.wait_for(lambda: "ready" in stack.log("worker0"), 20, "the worker")
    calls = round((BEFORE_S + OUTAGE_S + AFTER_S) * CALLS_A_SECOND)
    results: list[Sent] = []
    pusher = threading.Thread(target=lambda: results.append(asyncio.run(push(f"http://127.0.0.1:{stack.port}", calls))))

    pusher.start()
    stack.wait_for(lambda: stack.requests("captorra") > BEFORE_S * CALLS_A_SECOND / 2, 20, "deliveries under way")
    server.kill()
    pusher.join(OUTAGE_S)
    server.start()
    back = time.monotonic()
    pusher.join()
    stack.wait_for(lambda: stack.requests("captorra") >= calls, 120, "every call")

    [sent] = results
    print(f"{sent}, {calls} calls; all delivered {time.monotonic() - back:.1f} s after Redis was back")
    records = stack.records("captorra")
    assert {200: 2 * calls} == dict(sent.statuses)
    assert sent.slowest_s < LIMIT_S
    assert {f"outage-{number}" for number in range(calls)} == {record["id"] for record in records}
    assert {1} == {record["posts"] for record in records}
