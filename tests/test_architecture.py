"""docs/architecture.md tells the way of a webhook and of a delivery as the code goes it."""

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import aiohttp
import orjson

from deploy.local.standins.app import StandIns
from schemas.delacon.events import read_event
from tasks.delivery.finish_writer import FinishWriter
from tasks.delivery.observer import Observer
from tasks.delivery.pump import Pump
from tasks.delivery.runner import Runner
from tasks.dispatch.dispatcher import dispatch
from tasks.dispatch.planner import Planner
from tasks.vendors.registry import VENDORS
from tests.ledgers import LEASE_MS, NOON, open_driver
from tests.receiver.scripted import TOKEN, running_receiver
from tests.worker.config.configured import load
from worker.http.client import HttpClient
from worker.ledger.ledger import Ledger
from worker.metrics import Metrics

ROOT = Path(__file__).parents[1]
ROOMS = ("schemas", "worker", "tasks", "receiver")
RUNNER = "tasks/delivery/runner.py"
WEBHOOK_FILES, DELIVERY_FILES, RUNNER_RETURNS = 14, 33, 7
"""What the ways cross today; fewer is better, more needs a reason."""
PAGE = ROOT / "docs/architecture.md"
CONFIGURATION = """
[receiver]
tokens = ["of-this-test-alone-0123"]

[destinations.firm]
vendor = "captorra"
url = "{url}/captorra/api/captorracalltracking/create"
captorra_id = "111111"
timezone = "America/New_York"

[[routes]]
to = ["firm"]
"""
CALL = {
    "PLA_Call_Id": "c1", "PLA_CID": "123", "PLA_Dealer_Name": "Smith Law", "PLA_Caller_Phone_Number": "0491570156",
    "PLA_CallStartTime": str(NOON), "PLA_CallResult": "Answered", "PLA_Duration": "50s",
}  # fmt: skip

Step = tuple[str, str]
"""A file and the qualified name of a function in it."""


class SharedLedger:
    """The real ledger, with the switch that the scripted receiver expects of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.free = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        """Return the real ledger's."""
        return getattr(self._ledger, name)


@contextmanager
def walked() -> Iterator[list[Step]]:
    """Note each call of a function of the product, in this thread."""
    steps: list[Step] = []

    def note(frame: FrameType, event: str, _arg: object) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(str(ROOT)):
            name = str(Path(path).relative_to(ROOT))
            if name.split("/", 1)[0] in ROOMS:
                steps.append((name, frame.f_code.co_qualname))

    sys.setprofile(note)
    try:
        yield steps
    finally:
        sys.setprofile(None)


def documented(heading: str) -> list[Step]:
    """Return the functions of a numbered list of the page."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\d+\. `([\w/]+\.py): ([\w.]+)`", section, re.MULTILINE)


def files(steps: list[Step]) -> set[str]:
    """Return the files that were crossed."""
    return {file for file, _ in steps}


def in_order(steps: list[Step], told: list[Step]) -> list[Step]:
    """Return those of the functions told that were called, by their first call."""
    return [step for step in dict.fromkeys(steps) if step in set(told)]


async def test_the_way_of_a_webhook():
    """Each function that the page names is called, in its order, from the request to the answer."""
    told = documented("The way of a webhook")
    async with open_driver(None) as driver:
        ledger: Any = SharedLedger(driver.ledger)
        async with running_receiver(ledger=ledger) as receiver, aiohttp.ClientSession() as session:
            url = f"{receiver.url}/services/calldata?token={TOKEN}"
            with walked() as way:
                async with session.post(url, json=CALL) as response:
                    assert HTTPStatus.OK == response.status
        stored = await driver.ledger.load(["c1"])

    print(f"a webhook crosses {len(files(way))} files")
    assert told
    assert told == in_order(way, told)
    assert [["c1"], ["c1"]] == [receiver.woken, [call.call_id for call in stored]]
    assert WEBHOOK_FILES >= len(files(way))


async def test_the_way_of_a_delivery(tmp_path: Path, standins: StandIns):
    """Each function that the page names is called, in its order, from the stored call to the written end."""
    told = documented("The way of a delivery")
    settings = load(tmp_path, CONFIGURATION.format(url=standins.url))
    destination, vendor = settings.destinations["firm"], VENDORS["captorra"]
    async with open_driver(None) as driver, HttpClient.open() as http:
        await driver.accept("c1", read_event(orjson.dumps(CALL), path_kind="either").record())
        runner = Runner(
            destination, vendor=vendor, ledger=driver.ledger, http=http, finish_writer=FinishWriter(driver.ledger),
            observer=Observer(Metrics(), None), now=lambda: datetime.fromtimestamp(driver.time.ms / 1000, UTC),
            rng=Random(1), default_region="AU", lease_ms=LEASE_MS,
        )  # fmt: skip
        pump = Pump(destination, ledger=driver.ledger, deliver=runner.deliver, lease_ms=LEASE_MS)
        with walked() as way:
            done = await dispatch(["c1"], ledger=driver.ledger, planner=Planner(settings=settings, vendors=VENDORS))
            await pump.run([key for wake_up in done.wake_ups for key in wake_up.keys])
        record = await driver.delivery("c1", destination="firm")
    places = [file for file, _ in way]
    returns = sum(RUNNER == after != before for before, after in pairwise(places)) - 1

    print(f"a delivery crosses {len(files(way))} files and returns to the runner {returns} times")
    assert told
    assert told == in_order(way, told)
    assert "delivered" == record.state
    assert DELIVERY_FILES >= len(files(way))
    assert RUNNER_RETURNS >= returns
