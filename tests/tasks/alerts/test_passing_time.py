"""Looks, one after the other, at a ledger in which things go wrong: what a real HTTP sink is told, and when."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from tasks.alerts.watch import watch
from tests.alert_sink import AlertSink
from tests.ledgers import Driver, open_driver
from tests.worker.config.configured import CONTRACT, load
from worker.config.settings import Settings
from worker.http.client import HttpClient
from worker.ledger.records import NewDelivery

ALERTS = """
[[alerts]]
when = ["dead_letter", "blocked", "quarantined"]
for = "1s"
to = ["{url}/hook"]
"""
LOOK_S = 2  # between two looks


@pytest.fixture
def sink() -> Iterator[AlertSink]:
    """Return a sink."""
    made = AlertSink()
    yield made
    made.close()


class Watching:
    """Looks at a ledger as the chore does, by a time that is handed in."""

    def __init__(self, driver: Driver, settings: Settings, http: HttpClient) -> None:
        self.driver = driver
        self._settings = settings
        self._http = http
        self._rng = Random(1)

    async def passing(self, seconds: float) -> None:
        """Let time pass, with a look every two seconds."""
        for _ in range(max(1, round(seconds / LOOK_S))):
            self.driver.time.pass_s(LOOK_S)
            await watch(self._settings, ledger=self.driver.ledger, http=self._http, rng=self._rng)


@asynccontextmanager
async def watching(driver: Driver, folder: Path, sink: AlertSink) -> AsyncIterator[Watching]:
    """Open what a look needs."""
    settings = load(folder, CONTRACT + ALERTS.format(url=sink.url))
    async with HttpClient.open() as http:
        yield Watching(driver, settings, http)


async def dies(driver: Driver, call_id: str) -> None:
    """Let a delivery die."""
    await driver.make(call_id, destination="smith-law")
    await driver.end(await driver.take_one("smith-law"), "dead")


async def test_a_sink_that_is_down_for_ten_minutes_loses_none(driver: Driver, tmp_path: Path, sink: AlertSink):
    """What begins and ends meanwhile is told afterwards, each once, in its order."""
    async with watching(driver, tmp_path, sink) as chore:
        sink.status = 503
        await dies(driver, "c1")
        await chore.passing(120)
        await driver.ledger.quarantine(b"{", reason="no JSON", path_kind="create", received_us=driver.time.ms * 1000)
        await chore.passing(180)
        await driver.redis.delete("sb:dead:smith-law")
        await chore.passing(300)
        refused = len(sink.requests)
        sink.status = 204
        await chore.passing(7200)
        tries = [one["type"] for one in sink.messages[refused:]]
        ids = [headers["webhook-id"] for _, _, headers, _ in sink.requests]

        assert 2 < refused < 12  # by the schedule, and no flood of tries
        assert ["alert.begun", "alert.begun", "alert.ended"] == tries
        causes = [one["cause"] for one in sink.messages[refused:]]
        assert ["dead_letter", "quarantined", "dead_letter"] == causes
        assert {ids[0]} == set(ids[: refused + 1])
        assert 3 == len(set(ids))


async def test_a_cause_that_lasts_is_told_once_a_day(driver: Driver, tmp_path: Path, sink: AlertSink):
    """However many looks there are, and however much more goes wrong of the same kind."""
    async with watching(driver, tmp_path, sink) as chore:
        await dies(driver, "c1")
        await chore.passing(60)
        for number in range(2, 30):
            await dies(driver, f"c{number}")
            await chore.passing(2)
        assert ["begun"] == sink.told("dead_letter")

        driver.time.pass_s(86_400)
        await chore.passing(60)
        assert ["begun", "lasts"] == sink.told("dead_letter")
        assert 29 == sink.messages[-1]["count"]

        await driver.redis.delete("sb:dead:smith-law")
        await chore.passing(120)
        assert ["begun", "lasts", "ended"] == sink.told("dead_letter")


async def test_what_comes_and_goes_within_a_look_or_two_is_not_told_again(
    driver: Driver, tmp_path: Path, sink: AlertSink
):
    """A cause has ended once it has not held for as long as it must to begin."""
    async with watching(driver, tmp_path, sink) as chore:
        await dies(driver, "c1")
        await chore.passing(10)
        for number in range(5):
            await driver.redis.delete("sb:dead:smith-law")
            await watch_once(chore)
            await dies(driver, f"again{number}")
            await chore.passing(2)

        assert ["begun"] == sink.told("dead_letter")


async def watch_once(chore: Watching) -> None:
    """Look without letting time pass."""
    chore.driver.time.pass_s(-LOOK_S)
    await chore.passing(LOOK_S)


@pytest.mark.load
@pytest.mark.needs_redis
async def test_a_flood_of_ten_thousand_dead_letters_is_one_message(redis_url: str, tmp_path: Path, sink: AlertSink):
    """It says how many there are when it is told; more of them make no more messages."""
    async with open_driver(redis_url) as driver, watching(driver, tmp_path, sink) as chore:
        for block in range(20):
            ids = [f"f{block}-{number}" for number in range(500)]
            for call_id in ids:
                await driver.accept(call_id)
                await driver.plan(call_id, NewDelivery(destination="smith-law", action="create"))
            while taken := await driver.take("smith-law", want=64):
                for claimed in taken:
                    await driver.end(claimed, "dead")
            await chore.passing(2)
        await chore.passing(600)
        assert ["begun"] == sink.told("dead_letter")
        assert 10_000 == await driver.redis.zcard("sb:dead:smith-law")

        await driver.redis.delete("sb:dead:smith-law")
        await chore.passing(120)
        assert ["begun", "ended"] == sink.told("dead_letter")
        assert 2 == len(sink.requests)
