"""A process's dispatch: plans at the pace of its pumps, and nobody held up by another."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisGone

from tasks.delivery.pump import Pump
from tasks.dispatch import process_dispatcher
from tasks.dispatch.dispatcher import WakeUp
from tasks.dispatch.planner import Planner
from tasks.dispatch.process_dispatcher import ProcessDispatcher
from tasks.vendors.registry import VENDORS
from tests.ledgers import LEASE_MS, Driver, key_of
from tests.tasks.dispatch.planned import END, START, record
from tests.worker.config.configured import CONTRACT, load
from worker.concurrency import IdBatcher
from worker.ledger.records import Claimed, Room

WHOLE = record("c", START | END)
CONFIGURATION = (
    CONTRACT.split("[[routes]]")[0]
    + '[[routes]]\nto = ["smith-law"]\nservice_ids = ["123"]\n'
    + '[[routes]]\nto = ["crm"]\nservice_ids = ["123", "9"]\n'
)


class Process:
    """A process with a dispatcher and pumps; its attempts hang while their destination does, and then end well."""

    def __init__(self, driver: Driver, folder: Path, *, text: str = CONFIGURATION) -> None:
        self.driver = driver
        settings = load(folder, text.replace("[destinations.smith-law]", "[destinations.smith-law]\nconcurrency = 4"))
        self.hung: set[str] = set()
        self.goes_on = asyncio.Event()
        self.under_way: list[Claimed] = []
        self.delivered: list[Claimed] = []
        self.occupied: list[tuple[Pump, Room]] = []
        self.ids = IdBatcher()
        self.serves: set[str] = set(settings.destinations)
        self.pumps: Mapping[str, Pump] = {
            name: Pump(one, ledger=driver.ledger, deliver=self.deliver, lease_ms=LEASE_MS)
            for name, one in settings.destinations.items()
        }
        self.dispatcher = ProcessDispatcher(
            ledger=driver.ledger, planner=Planner(settings=settings, vendors=VENDORS), pumps=self.pumps, ids=self.ids,
            serves=lambda name: name in self.serves,
        )  # fmt: skip
        self.wake_ups: list[WakeUp] = []
        self.runs: list[asyncio.Task[None]] = []
        self.no_start: list[str] = []

    async def deliver(self, claimed: Claimed) -> bool:
        """Make an attempt."""
        self.under_way.append(claimed)
        while claimed.key.destination in self.hung:
            await self.goes_on.wait()
        ended = await self.driver.end(claimed, "delivered")
        self.under_way.remove(claimed)
        self.delivered.append(claimed)
        return ended.more_due

    def let_go(self) -> None:
        """Let what hangs go on."""
        self.hung.clear()
        self.goes_on.set()
        for pump, room in self.occupied:
            pump.adopt(room, (), confirmed=True, beside_older=False)
        self.occupied.clear()

    def occupy(self, destination: str, slots: int) -> None:
        """Keep slots until all is let go."""
        pump = self.pumps[destination]
        room = pump.keep(slots)
        assert room is not None
        self.occupied.append((pump, room))

    async def dispatch(self, *ids: str) -> None:
        """Do what the task does, for these calls or for what is due."""
        if not self.ids.join(ids):
            return
        while (done := await self.dispatcher.step()) is not None:
            self.wake_ups += done.wake_ups
            for wake_up in done.wake_ups:
                if wake_up.destination in self.serves:
                    self.runs.append(asyncio.create_task(self.pumps[wake_up.destination].run(wake_up.keys)))
            self.no_start += done.no_start

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait for something."""
        async with asyncio.timeout(20):
            while not there():  # noqa: ASYNC110  what is waited for is anywhere
                await asyncio.sleep(0.001)

    async def end(self) -> None:
        """Wait for what is under way."""
        self.let_go()
        for pump in self.pumps.values():
            pump.stop()
            await pump.ended()
        await asyncio.gather(*self.runs)

    def of(self, destination: str) -> list[str]:
        """Return the calls that were delivered there."""
        return sorted(one.key.call_id for one in self.delivered if one.key.destination == destination)


@pytest.fixture
async def process(driver: Driver, tmp_path: Path) -> AsyncIterator[Process]:
    """Return a process; nothing of it is under way after a test."""
    made = Process(driver, tmp_path)
    yield made
    try:
        async with asyncio.timeout(30):
            await made.end()
    except TimeoutError:
        raise AssertionError([vars(pump) for pump in made.pumps.values()]) from None


async def accept(driver: Driver, *names: str, service: str = "123") -> None:
    """Let whole calls come, each of a caller of its own."""
    for number, name in enumerate(names):
        values = START | END | {"PLA_CID": service, "PLA_Caller_Phone_Number": f"+6149157{number:04}"}
        await driver.accept(name, record("c", values))


async def test_a_call_is_delivered_by_the_process_that_plans_it(driver: Driver, process: Process):
    """Without a message and without a claim."""
    await accept(driver, "c1", "c2")
    await process.dispatch("c1", "c2")
    await process.until(lambda: len(process.delivered) == 4)

    assert (["c1", "c2"], ["c1", "c2"], []) == (process.of("smith-law"), process.of("crm"), process.wake_ups)
    assert not await driver.redis.exists("sb:due:crm")
    assert all(claimed.events for claimed in process.delivered)


async def test_a_flood_is_planned_at_the_pace_of_its_deliveries(
    driver: Driver, process: Process, monkeypatch: pytest.MonkeyPatch
):
    """What has no room anywhere is not planned, and so neither due nor claimed."""
    monkeypatch.setattr(process_dispatcher, "PATIENCE_S", 60.0)  # a busy machine takes its time for the looks below
    names = [f"c{number:03}" for number in range(100)]
    await accept(driver, *names)
    process.hung |= {"smith-law", "crm"}
    process.occupy("crm", 46)
    dispatching = asyncio.create_task(process.dispatch(*names))
    await process.until(lambda: len(process.under_way) == 8)
    states = [(await driver.call(name)).state for name in names]
    assert ["ready"] * 4 + ["waiting"] * 96 == states
    process.let_go()
    await dispatching
    await process.until(lambda: len(process.delivered) == 200)

    assert names == process.of("smith-law") == process.of("crm")


async def test_a_hung_destination_holds_up_the_planning_of_no_other(driver: Driver, process: Process):
    """Calls that go there too are planned for the others, and calls that go elsewhere go past those that wait."""
    process.hung.add("smith-law")
    flood = [f"c{number:03}" for number in range(60)]
    await accept(driver, *flood)
    await accept(driver, "other", service="9")
    await process.dispatch(*flood, "other")
    await process.until(lambda: len(process.of("crm")) == 61)

    assert [] == process.of("smith-law")
    assert 4 == len(process.under_way)


async def test_calls_for_a_hung_destination_alone_wait_and_the_others_do_not(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """And after their time they are due for any process."""
    text = CONFIGURATION.replace('to = ["crm"]\nservice_ids = ["123", "9"]', 'to = ["crm"]\nservice_ids = ["9"]')
    process = Process(driver, tmp_path, text=text)
    process.hung.add("smith-law")
    flood = [f"c{number:03}" for number in range(60)]
    await accept(driver, *flood)
    await accept(driver, "other", service="9")
    dispatching = asyncio.create_task(process.dispatch(*flood, "other"))
    await process.until(lambda: process.of("crm") == ["other"] and len(process.under_way) == 4)
    assert ["waiting"] == [(await driver.call("c059")).state]
    monkeypatch.setattr(process_dispatcher, "PATIENCE_S", 0.0)
    await dispatching

    assert ["in_flight"] * 4 + ["queued"] * 56 == await driver.states(*flood, destination="smith-law")
    assert 56 == sum(len(wake_up.keys) for wake_up in process.wake_ups)
    await process.end()


async def test_a_flood_beyond_what_may_wait_becomes_due(
    driver: Driver, process: Process, monkeypatch: pytest.MonkeyPatch
):
    """The memory is bounded."""
    monkeypatch.setattr(process_dispatcher, "KEPT", 10)
    process.hung |= {"smith-law", "crm"}
    process.occupy("crm", 46)
    names = [f"c{number:03}" for number in range(100)]
    await accept(driver, *names)
    dispatching = asyncio.create_task(process.dispatch(*names))
    await process.until(lambda: sum(len(wake_up.keys) for wake_up in process.wake_ups) >= 2 * 86)
    assert len(process.dispatcher._waiting) <= 10
    process.let_go()
    await dispatching


async def test_no_more_calls_are_read_while_those_that_wait_find_room(
    driver: Driver, process: Process, monkeypatch: pytest.MonkeyPatch
):
    """What waits unread is an id. Nothing is handed over here, so that every plan finds room."""
    for name, value in {"READ": 16, "PLANNED": 4, "AHEAD": 32}.items():
        monkeypatch.setattr(process_dispatcher, name, value)
    process.serves.clear()
    names = [f"c{number:03}" for number in range(200)]
    await accept(driver, *names)
    waiting = []
    take = process.dispatcher._waiting.take

    def taken(*args: Any, **options: Any) -> Any:
        waiting.append(len(process.dispatcher._waiting))
        return take(*args, **options)

    monkeypatch.setattr(process.dispatcher._waiting, "take", taken)
    await process.dispatch(*names)

    assert ["queued"] * 200 == await driver.states(*names, destination="crm")
    assert 32 < max(waiting) < 32 + 16


async def test_what_another_worker_is_to_deliver_is_not_handed_over(driver: Driver, process: Process):
    """It consumes no messages of that vendor (``-Q``), or stopped to; somebody is woken instead."""
    process.serves.remove("crm")
    await accept(driver, "c1")
    await process.dispatch("c1")
    await process.until(lambda: process.of("smith-law") == ["c1"])

    assert [WakeUp("crm", (key_of("c1"),))] == process.wake_ups
    assert ["queued"] == await driver.states("c1")


async def test_an_update_begins_here_too(driver: Driver, process: Process):
    """It is due, and this process claims it: after what it has to know."""
    await accept(driver, "c1")
    await process.dispatch("c1")
    await process.until(lambda: process.of("crm") == ["c1"])
    await driver.accept("c1", record("e", {"PLA_SurveyOutcome": "Sale"} | END))
    await process.dispatch("c1")
    await process.until(lambda: process.of("crm") == ["c1", "c1"])

    assert ["create", "update-2"] == [one.key.action for one in process.delivered if one.key.destination == "crm"]
    assert [] == process.wake_ups


async def test_calls_whose_wait_is_over_are_planned_once_though_they_wait_here(driver: Driver, process: Process):
    """The clock finds what was handed in and is not planned yet."""
    process.hung |= {"smith-law", "crm"}
    process.occupy("crm", 46)
    names = [f"c{number:03}" for number in range(100)]
    await accept(driver, *names)
    driver.time.pass_s(2)
    dispatching = asyncio.create_task(process.dispatch(*names))
    await process.until(lambda: len(process.under_way) == 8)
    await process.dispatch()
    process.let_go()
    await dispatching
    await process.until(lambda: len(process.delivered) == 200)

    assert [] == await driver.ledger.calls_due(limit=10)


async def test_an_event_that_comes_while_its_call_waits_is_planned_with_it(driver: Driver, process: Process):
    """The plan that was made without it is not written."""
    process.hung |= {"smith-law", "crm"}
    process.occupy("crm", 46)
    names = [f"c{number:03}" for number in range(30)]
    await accept(driver, *names)
    dispatching = asyncio.create_task(process.dispatch(*names))
    await process.until(lambda: len(process.under_way) == 8)
    await driver.accept("c029", record("e", {"PLA_SurveyOutcome": "Sale"} | END))
    await process.dispatch("c029")
    process.let_go()
    await dispatching
    await process.until(lambda: len(process.delivered) == 60)

    assert {2} == {len(one.events) for one in process.delivered if one.key.call_id == "c029"}


async def test_redis_that_goes_away_loses_nothing(driver: Driver, tmp_path: Path):
    """What waited is dropped, slots are free again, and the clock finds the calls."""
    gone: list[int] = []

    class Failing(type(driver.ledger)):  # type: ignore[misc]
        async def plan_and_take(self, *args: Any, **options: Any) -> Any:
            gone.append(1)
            raise RedisGone

    process = Process(Driver(Failing(driver.redis, clock_ms=driver.time), driver.time, driver.redis), tmp_path)
    await accept(driver, "c1", "c2")
    with pytest.raises(RedisGone):
        await process.dispatch("c1", "c2")
    assert (1, 0) == (len(gone), len(process.dispatcher._waiting))
    assert all(pump.slots is None or pump.slots.free == pump.slots.all for pump in process.pumps.values())
    after = Process(driver, tmp_path)
    driver.time.pass_s(2)
    await after.dispatch()
    await after.until(lambda: len(after.delivered) == 4)
    await after.end()

    assert process.ids.join(["c3"])


async def test_a_pump_that_stops_leaves_what_is_planned_to_others(driver: Driver, process: Process):
    """A worker that ends plans what it was given, and begins none of it."""
    for pump in process.pumps.values():
        pump.stop()
    await accept(driver, "c1")
    await process.dispatch("c1")

    assert {"smith-law", "crm"} == {wake_up.destination for wake_up in process.wake_ups}
    assert ["queued"] == await driver.states("c1")


async def test_a_call_without_its_start_is_told(driver: Driver, process: Process):
    """Its wait is over."""
    await driver.accept("c1", record("e", END))
    driver.time.pass_s(121)
    await process.dispatch("c1")

    assert ["c1"] == process.no_start
