"""The floor of delivering: a plain asyncio loop with aiohttp's client, 200 requests in flight, nothing else.

``python -m tests.bench.floors.delivery PORT COUNT`` posts the bodies that the product would send, and prints JSON.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import uvloop
from aiohttp import ClientSession, TCPConnector

from schemas.delacon.events import merge
from schemas.delivery import DeliveryKey, Order, Request
from tasks.vendors.registry import VENDORS
from tests.acceptance.stack import CONFIG, TOKEN
from tests.bench import bodies
from worker.config.settings import Settings, load_settings
from worker.ledger.records import read_stored

IN_FLIGHT = 200


def settings_for(url: str) -> Settings:
    """Read the configuration that the product runs with."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "switchboard.toml")
        path.write_text(CONFIG.format(token=TOKEN, url=url, end_wait="4h", start_wait="2m", common=""))
        return load_settings(path, {}, specs=[vendor.spec for vendor in VENDORS.values()])


def requests_for(url: str, *, first: int, calls: int) -> list[Request]:
    """Build the requests of ``calls`` calls at all three vendors."""
    settings = settings_for(url)
    made = []
    for number in range(first, first + calls):
        call_id = bodies.id_of(number).decode()
        events = [read_stored(f"{place} {record}") for place, record in enumerate(bodies.records_of(number), 1)]
        call = merge(call_id, events, default_region="AU").call
        for name, destination in settings.destinations.items():
            order = Order(key=DeliveryKey(call_id, name, "create"), call=call, destination=destination, number=1)
            made.append(VENDORS[destination.vendor].prepare(order).request)
    return made


async def deliver(url: str, count: int) -> dict[str, float]:
    """Post everything and time it; the bodies are written before, so that only their sending counts."""
    wire = [
        (request.url, orjson.dumps(request.json), {"Content-Type": "application/json", **request.headers})
        for request in requests_for(url, first=0, calls=count // 3)
    ]
    waiting: Iterator[tuple[str, bytes, dict[str, str]]] = iter(wire)
    async with ClientSession(connector=TCPConnector(limit=0)) as session:

        async def work() -> None:
            for target, body, headers in waiting:
                async with session.post(target, data=body, headers=headers) as reply:
                    assert orjson.loads(await reply.read())

        cpu, began = time.process_time(), time.monotonic()
        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
        took_s = time.monotonic() - began
    return {"count": len(wire), "took_s": took_s, "per_s": len(wire) / took_s, "cpu_s": time.process_time() - cpu}


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(orjson.dumps(runner.run(deliver(f"http://127.0.0.1:{sys.argv[1]}", int(sys.argv[2])))).decode())
