"""docs/architecture.md tells the way of a webhook and of a delivery as the code goes it."""

import asyncio
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import dropwhile
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
from tasks.dispatch.planner import Planner
from tasks.dispatch.process_dispatcher import ProcessDispatcher
from tasks.vendors.registry import VENDORS
from tests.ledgers import LEASE_MS, NOON, open_driver
from tests.receiver.scripted import TOKEN, running_receiver
from tests.worker.config.configured import load
from worker.concurrency import IdBatcher
from worker.http.client import HttpClient
from worker.ledger.ledger import Ledger
from worker.metrics import Metrics

ROOT = Path(__file__).parents[1]
ROOMS = ("schemas", "worker", "tasks", "receiver")
RUNNER = "tasks/delivery/runner.py"
WEBHOOK_FILES, DELIVERY_FILES, RUNNER_RETURNS = 11, 16, 4
"""How many files the ways cross; fewer is better, more needs a reason: the 16th writes the lines of many attempts at
once, at a tenth of the usual way's price. Values (``schemas/``) are printed and do not count; a room behind one door
(``DOORS``) is one; a delivery counts from its claim on."""
DOORS = ("worker/http/",)
DISPATCH = ("tasks/dispatch/", "worker/concurrency.py")
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


@dataclass
class Way:
    """The calls of the product's functions in one thread, in their order; a coroutine that goes on is no new call."""

    steps: list[Step] = field(default_factory=list)
    calls_of_runner: int = 0
    """How often the runner's own code called another file, so that the way came back to it."""
    _frames: list[FrameType] = field(default_factory=list)
    """Kept, so that a frame that is resumed is known by its identity."""
    _seen: set[int] = field(default_factory=set)

    def note(self, frame: FrameType, event: str, _arg: object) -> None:
        """Take what ``sys.setprofile`` tells."""
        if event != "call" or id(frame) in self._seen or not (name := product_file(frame)):
            return
        self._frames.append(frame)
        self._seen.add(id(frame))
        self.steps.append((name, frame.f_code.co_qualname))
        if name != RUNNER and frame.f_back is not None and product_file(frame.f_back) == RUNNER:
            self.calls_of_runner += 1


def product_file(frame: FrameType) -> str:
    """Return the product's file that a frame runs, from the root on; empty for code of others."""
    path = frame.f_code.co_filename
    name = str(Path(path).relative_to(ROOT)) if path.startswith(str(ROOT)) else ""
    return name if name.split("/", 1)[0] in ROOMS else ""


@contextmanager
def walked() -> Iterator[Way]:
    """Note each call of a function of the product, in this thread."""
    way = Way()
    sys.setprofile(way.note)
    try:
        yield way
    finally:
        sys.setprofile(None)


def documented(heading: str) -> list[Step]:
    """Return the functions of a numbered list of the page."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\d+\. `([\w/]+\.py): ([\w.]+)`", section, re.MULTILINE)


def files(steps: Iterable[Step]) -> set[str]:
    """Return the files that were crossed, those behind a door as one."""
    return {next((door for door in DOORS if file.startswith(door)), file) for file, _ in steps}


def doing(crossed: set[str]) -> set[str]:
    """Return the files that do something: all but values."""
    return {file for file in crossed if not file.startswith("schemas/")}


def told_of(crossed: set[str]) -> str:
    """Return how many files were crossed, in words."""
    return f"{len(doing(crossed))} files, and {len(crossed) - len(doing(crossed))} of values"


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

    print(f"a webhook crosses {told_of(files(way.steps))}")
    assert told
    assert told == in_order(way.steps, told)
    assert [["c1"], ["c1"]] == [receiver.woken, [call.call_id for call in stored]]
    assert WEBHOOK_FILES >= len(doing(files(way.steps)))


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
        ids = IdBatcher()
        dispatcher = ProcessDispatcher(
            ledger=driver.ledger, planner=Planner(settings=settings, vendors=VENDORS), pumps={"firm": pump}, ids=ids
        )
        with walked() as way:
            ids.join(["c1"])
            assert await dispatcher.step() is None
            await pump.ended()
        record = await driver.delivery("c1", destination="firm")
    claimed = files(dropwhile(lambda step: step != ("tasks/delivery/pump.py", "Pump.adopt"), way.steps))
    claimed = {file for file in claimed if not file.startswith(DISPATCH)}  # it ends while the delivery goes its way
    returns = way.calls_of_runner - 1

    print(f"a delivery crosses {told_of(claimed)} from its claim on, and returns to the runner {returns} times")
    assert told
    assert told == in_order(way.steps, told)
    assert "delivered" == record.state
    assert DELIVERY_FILES >= len(doing(claimed))
    assert RUNNER_RETURNS >= returns > 0
