"""A thousand destinations, two hundred of which fail at once: what the others notice, and what a worker is made of."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiohttp

from tests.acceptance.stack import CONFIG, ROOT, TOKEN
from tests.bench.driver import percentile
from tests.bench.figures import Figure, Limit, alternate, column, middle
from tests.bench.scale import Scale
from tests.bench.system import System, running, wait_until

DESTINATIONS, FAILING = 1000, 200
RATE = 20.0
SETTLED_S = 60.0
DESTINATION = """
[destinations.firm-{number}]
vendor = "captorra"
url = "{url}/{place}/api/captorracalltracking/create"
captorra_id = "111111"
timezone = "Australia/Sydney"
max_age = "off"

[[routes]]
to = ["firm-{number}"]
service_ids = ["{number}"]
"""


def config() -> str:
    """Return the file: the first destinations are those that may fail."""
    tables = (
        DESTINATION.format(number=number, url="{url}", place="down" if number < FAILING else "captorra")
        for number in range(DESTINATIONS)
    )
    return CONFIG[: CONFIG.index("[destinations.")] + "".join(tables)


async def push(system: System, services: Iterable[int], *, first: int, rate: float) -> dict[int, float]:
    """Push one complete call a service; return when each was acknowledged, by its number."""
    url = f"http://127.0.0.1:{system.stack.port}/services/calldata?token={TOKEN}"
    answered: dict[int, float] = {}

    async def one(session: aiohttp.ClientSession, number: int, service: int) -> None:
        body = {
            "PLA_Call_Id": f"crowd-{number}", "PLA_CID": str(service), "PLA_Caller_Phone_Number": f"+614{number:08}",
            "PLA_Dealer_Name": "Smith & Sons", "PLA_CallResult": "Answered", "PLA_Duration": "50s",
            "PLA_CallStartTime": "0000001772452800000",
        }  # fmt: skip
        async with session.post(url, json=body) as reply:
            assert reply.status == 200
        answered[number] = time.monotonic()

    began = time.monotonic()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as pushing:
        for place, service in enumerate(services):
            await asyncio.sleep(max(0.0, began + place / rate - time.monotonic()))
            pushing.create_task(one(session, first + place, service))
    return answered


def _latencies(system: System, *, calls: int, number: int) -> dict[str, Any]:
    """Push calls to healthy destinations; return the times from the answer to the receipt at the vendor."""
    healthy = [FAILING + (7 * (number + place)) % (DESTINATIONS - FAILING) for place in range(calls)]
    answered = asyncio.run(push(system, healthy, first=number, rate=RATE))

    def receipts() -> dict[int, float]:
        return dict(system.vendor.report()["seen"]["captorra"])

    wait_until(lambda: answered.keys() <= receipts().keys(), SETTLED_S, "the deliveries")
    took_ms = [(at - answered[call]) * 1000 for call, at in receipts().items() if call in answered]
    return {"p50_ms": percentile(took_ms, 0.5), "p95_ms": percentile(took_ms, 0.95), "most_ms": max(took_ms)}


def _check_s(system: System) -> float:
    """Return how long ``switchboard check`` takes."""
    began = time.monotonic()
    command = [sys.executable, "-m", "deploy.cli", "check"]
    subprocess.run(command, cwd=ROOT, env=system.stack.environ, check=True, capture_output=True)
    return time.monotonic() - began


def _threads(system: System) -> int:
    return len(list(Path(f"/proc/{system.stack.processes['worker0'].pid}/task").iterdir()))


def crowd(scale: Scale) -> list[Figure]:
    """Measure the 800 healthy ones, each time from the start: while 200 fail, and while nobody does."""
    calls = scale.of(600)

    def measure(refuse: list[str]) -> dict[str, Any]:
        with running(config=config(), common="") as system:
            system.start_receiver()
            system.start_workers(1)
            system.vendor.reset(trace=True, refuse=refuse)
            _latencies(system, calls=40, number=10_000)
            if refuse:
                asyncio.run(push(system, [*range(FAILING)] * 2, first=1_000_000, rate=200))
                wait_until(lambda: system.vendor.report()["refused"] >= FAILING * 2, SETTLED_S, "the first refusals")
            found = _latencies(system, calls=calls, number=20_000)
            return found | {"threads": _threads(system), "check_s": _check_s(system)}

    runs, floors = alternate(scale.pairs, lambda _: measure(["down"]), lambda _: measure([]))
    figures = []
    for share, must in (("p50_ms", 1.5), ("p95_ms", 2.0)):
        times = middle(runs, share) / middle(floors, share)
        limits = [Limit(name="times", value=times, must=must, aim=1.2, at_most=True)]
        if share == "p95_ms":
            limits += [
                Limit(name="threads", value=max(column(runs, "threads")), must=64, aim=None, at_most=True),
                Limit(name="check s", value=middle(runs, "check_s"), must=1.0, aim=None, at_most=True),
                Limit(name="longest ms", value=max(column(runs, "most_ms")), must=None, aim=None, at_most=True),
            ]
        figures.append(
            Figure(
                row=f"crowd, 200 of 1,000 failing, {share[:3]}", unit="ms", subject=column(runs, share),
                floor=column(floors, share), limits=limits,
            )
        )  # fmt: skip
    return figures
