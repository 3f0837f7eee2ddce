"""The finder of calls: by the index where it knows what is asked for, else one by one, and on from where it ended."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from deploy.console.call_finder import CallFinder, CallQuery, Cursor
from tests.ledgers import Driver, open_driver
from worker.ledger import search


@pytest.fixture
async def driver(redis_url: str) -> AsyncIterator[Driver]:
    """Return a ledger with an index that knows all of its calls: three of two services, and one without a route."""
    async with open_driver(redis_url) as made:
        await made.ready("a1", "crm", service="101", result="a", digits="61491570156")
        made.time.pass_s(1)
        await made.ready("a2", "crm", service="102", result="u", digits="61491570157")
        made.time.pass_s(1)
        await made.ready("a3", "law", service="101", result="a", digits="61491570156")
        made.time.pass_s(1)
        await made.accept("a4")
        await made.plan("a4", state="u")
        while not await search.is_filled(made.ledger):
            await search.fill(made.ledger, default_region="AU")
        yield made


async def found(driver: Driver, *, part: bool = True, **asked) -> list[tuple[str, str]]:
    """Return the calls that may match, each with the way that found it."""
    finder = CallFinder(driver.ledger, CallQuery(**asked), part=part, default_region="AU")
    return [(stored.call_id, cursor.split(".")[1]) async for stored, cursor in finder.calls()]


@pytest.mark.parametrize(
    ("asked", "ids", "way"),
    [
        ({"service": "101"}, ["a3", "a1"], "index"),
        ({"destination": "crm"}, ["a2", "a1"], "index"),
        ({"result": "unanswered"}, ["a2"], "index"),
        ({"state": "unrouted"}, ["a4"], "unrouted"),
        ({"state": "waiting"}, ["a4", "a3", "a2", "a1"], "all"),
        ({"service": "Smith Law"}, ["a4", "a3", "a2", "a1"], "all"),
        ({}, ["a4", "a3", "a2", "a1"], "all"),
    ],
)
async def test_the_index_is_asked_for_what_it_knows(driver, asked, ids, way):
    """A state that it does not have, and a service by its name, are looked for in each call."""
    assert [(call_id, way) for call_id in ids] == await found(driver, **asked)


async def test_a_caller_is_found_whole_or_by_the_last_digits(driver):
    """First by the index; without a hit, or beyond it, every call is looked at. A viewer needs the whole number."""
    whole = await found(driver, text="0491 570 156")
    end = await found(driver, text="0156")
    viewer = await found(driver, part=False, text="0156")

    assert [("a3", "caller"), ("a1", "caller")] == whole[:2]
    assert [("a3", "end"), ("a1", "end")] == end[:2]
    assert {"all"} == {way for _, way in viewer}


@pytest.mark.parametrize("asked", [{"service": "101"}, {"state": "unrouted"}, {}])
async def test_a_page_goes_on_behind_its_cursor(driver, asked):
    """By the same way; the same call never comes twice."""
    finder = CallFinder(driver.ledger, CallQuery(**asked), part=True, default_region="AU")
    everything = [(stored.call_id, cursor) async for stored, cursor in finder.calls()]
    older = Cursor.read(everything[0][1])

    assert [call_id for call_id, _ in everything[1:]] == [one for one, _ in await found(driver, **asked, older=older)]


@pytest.mark.parametrize("text", ["", "1", "x.all.a1", "1.all.", f"{10**16}.all.a1"])
def test_what_is_no_cursor_is_none(text):
    """The first page is shown instead."""
    assert Cursor.read(text) is None


async def test_a_call_fits_by_its_newest_service(driver):
    """As an id in any case, or as a part of its name."""
    await driver.accept("b1", 'c{"PLA_CID":"X9"}')
    await driver.accept("b1", 'e{"PLA_Duration":"5"}')
    [stored] = await driver.ledger.load(["b1"])
    line: dict[str, Any] = {
        "call_id": "b1",
        "caller": None,
        "state": "ready",
        "result": None,
        "service_name": "Law",
        "deliveries": [],
    }

    def fits(**asked: Any) -> bool:
        return CallFinder(driver.ledger, CallQuery(**asked), part=True, default_region="AU").fits(line, stored)

    assert fits(service="x9")
    assert fits(service="la")
    assert not fits(service="101")
    assert not fits(destination="crm")
    assert not fits(text="0156")
    assert fits(text="B1")
