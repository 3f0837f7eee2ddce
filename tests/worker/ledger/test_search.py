"""The index: calls are found by what they are, in order, and leave it with their removal."""

from collections.abc import AsyncIterator

import pytest

from tests.ledgers import NOON, Driver, open_driver
from worker.ledger import admin, search
from worker.ledger.retention import Retention, sweep
from worker.ledger.search import Facets


@pytest.fixture
async def driver(redis_url: str) -> AsyncIterator[Driver]:
    """Return a driver on a real Redis: the index reads bitmaps, which a fake one keeps in another way."""
    async with open_driver(redis_url) as made:
        yield made


async def _found(driver: Driver, *, oldest_first: bool = False, **facets) -> list[str]:
    return [
        one async for page in search.search(driver.ledger, Facets(**facets), oldest_first=oldest_first) for one in page
    ]


async def test_calls_are_found_by_each_facet_and_by_several(driver):
    """The newest first, or the oldest."""
    await driver.ready("a-1", "crm", service="101", result="a")
    await driver.ready("a-2", "crm", "law", service="102", result="a")
    await driver.ready("a-3", "law", service="101", result="u", digits="61491570157")

    assert ["a-3", "a-2", "a-1"] == await _found(driver)
    assert ["a-1", "a-2", "a-3"] == await _found(driver, oldest_first=True)
    assert ["a-3", "a-1"] == await _found(driver, service="101")
    assert ["a-2", "a-1"] == await _found(driver, result="a")
    assert ["a-3", "a-2"] == await _found(driver, destination="law")
    assert ["a-2"] == await _found(driver, destination="law", result="a")
    assert [] == await _found(driver, service="999")
    assert [] == await _found(driver, service="102", result="b")


async def test_callers_are_found_whole_and_by_their_last_digits(driver):
    """Three at least; another caller of the same end is another caller."""
    await driver.ready("a-1", digits="61491570156")
    await driver.ready("a-2", digits="15035570156")
    await driver.ready("a-3", digits="61491570156")
    await driver.ready("a-4", digits="")

    assert ["a-3", "a-1"] == await _found(driver, callers=("61491570156",))
    assert ["a-3", "a-2", "a-1"] == await _found(driver, callers=("61491570156", "15035570156"))
    assert ["a-3", "a-2", "a-1"] == await _found(driver, caller_end="156")
    assert ["a-3", "a-1"] == await _found(driver, caller_end="91570156")
    assert [] == await _found(driver, caller_end="157")


async def test_calls_are_found_by_how_their_deliveries_ended(driver):
    """Skipped, cancelled, and any reason; also by an operator's hand."""
    for call_id in ("a-1", "a-2", "a-3", "a-4"):
        await driver.ready(call_id, "crm")
    first, second = await driver.take(want=2)
    await driver.end(first, "skipped", reason="too_old")
    await driver.end(second, "dead", reason="rejected")
    await admin.cancel(driver.ledger, [(await driver.delivery("a-3")).key])

    assert ["a-1"] == await _found(driver, destination="crm", ended="S")
    assert ["a-3"] == await _found(driver, destination="crm", ended="C")
    assert ["a-2"] == await _found(driver, reason="rejected")
    assert ["a-1"] == await _found(driver, reason="too_old", destination="crm")
    assert [] == await _found(driver, reason="nothing")


async def test_a_corrected_call_is_found_by_what_it_is_now(driver):
    """Not by what it was."""
    await driver.ready("a-1", service="101", result="u", digits="61491570156")
    await driver.ready("a-1", service="102", result="a", digits="61491570157")

    assert [] == await _found(driver, service="101")
    assert [] == await _found(driver, result="u")
    assert [] == await _found(driver, callers=("61491570156",))
    for facets in ({"service": "102"}, {"result": "a"}, {"callers": ("61491570157",)}):
        assert ["a-1"] == await _found(driver, **facets)


async def test_calls_are_found_by_when_they_were_received(driver):
    """Both ends included, with a facet and without."""
    for number in range(5):
        await driver.ready(f"a-{number}", service="101")
        driver.time.pass_s(60)
    since, until = NOON + 60_000, NOON + 3 * 60_000 + 3

    assert ["a-3", "a-2", "a-1"] == await _found(driver, since_ms=since, until_ms=until)
    assert ["a-3", "a-2", "a-1"] == await _found(driver, service="101", since_ms=since, until_ms=until)
    assert ["a-1", "a-2", "a-3"] == await _found(driver, since_ms=since, until_ms=until, oldest_first=True)
    assert ["a-3", "a-2", "a-1"] == await _found(driver, callers=("61491570156",), since_ms=since, until_ms=until)


async def test_a_call_that_waits_for_its_end_is_found(driver):
    """Though no plan has written it into the index."""
    await driver.accept("w-1")
    await driver.ready("a-1")

    assert ["w-1", "a-1"] == await _found(driver)


async def test_an_index_of_many_chunks_is_read_from_both_ends(driver, monkeypatch):
    """Nothing twice, nothing left out, wherever a run ends."""
    await driver.redis.set("sb:chunk", "0")
    total = 700
    for number in range(total):
        await driver.ready(f"a-{number}", service="even" if number % 2 == 0 else "odd")
        if number % 100 == 99:
            await driver.redis.incr("sb:chunk")
    everything = [f"a-{number}" for number in range(total)]
    even = everything[::2]

    assert everything == await _found(driver, oldest_first=True)
    assert everything[::-1] == await _found(driver)
    assert even == await _found(driver, service="even", oldest_first=True)
    assert even[::-1] == await _found(driver, service="even")


@pytest.mark.parametrize("way", ["erased", "swept"])
async def test_what_is_removed_leaves_nothing_in_the_index(driver, way):
    """Neither its id nor its caller; a chunk without calls is gone whole."""
    for number in range(3):
        await driver.ready(f"a-{number}", "crm")
    for claimed in await driver.take():
        await driver.end(claimed, "skipped", reason="too_old")
    await driver.redis.incr("sb:chunk")  # as if it were full
    await driver.ready("later", "crm")

    if way == "erased":
        await admin.erase_calls(driver.ledger, ["a-0", "a-1", "a-2"], remember_s=60)
    else:
        driver.time.pass_s(90)
        await sweep(driver.ledger, Retention(calls_s=60, dead_s=60, remember_s=60))

    assert ["later"] == await _found(driver)
    assert ["later"] == await _found(driver, callers=("61491570156",))
    assert [] == await driver.redis.keys("sb:bits:*:0")
    assert [] == await driver.redis.keys("sb:ids:0")
    assert ["1"] == await driver.redis.zrange("sb:chunks", 0, -1)
    assert 0 == await driver.redis.hlen("sb:gone")


async def test_one_removed_call_of_many_takes_its_bits_along(driver):
    """So that counts of bits stay true, and no other call is found in its place."""
    await driver.ready("a-1", "crm", result="u")
    await driver.ready("a-2", "crm", result="u")

    await admin.erase_calls(driver.ledger, ["a-1"], remember_s=60)

    assert ["a-2"] == await _found(driver, result="u")
    assert 1 == await driver.redis.bitcount("sb:bits:cu:0")
    assert 1 == await driver.redis.bitcount("sb:bits:d1:0")


async def _old_calls(driver: Driver, number: int) -> list[str]:
    """Plan calls as a version without the index did."""
    ids = [f"old-{place}" for place in range(number)]
    for place, call_id in enumerate(ids):
        service = "101" if place % 2 else "102"
        values = f'{{"PLA_CID":"{service}","PLA_CallResult":"Busy","PLA_Caller_Phone_Number":"0491570156"}}'
        await driver.accept(call_id, f"c{values}")
        await driver.make(call_id)
    return ids


async def _fill(driver: Driver) -> int:
    looked = 0
    while not await search.is_filled(driver.ledger):
        looked += await search.fill(driver.ledger, default_region="AU")
    return looked


async def test_calls_of_a_version_without_the_index_are_written_into_it(driver, monkeypatch):
    """By and by, the newest first; they are then found in their order, behind the new ones."""
    monkeypatch.setattr(search, "FILL", 7)
    old = await _old_calls(driver, 30)
    await driver.end(await driver.take_one(), "skipped", reason="too_old")
    await driver.ready("new", service="101", result="b")
    assert not await search.is_filled(driver.ledger)

    assert 31 <= await _fill(driver)

    assert ["new", *old[::-1]] == await _found(driver)
    assert ["new", *old[::-1][::2]] == await _found(driver, service="101")
    assert ["new", *old[::-1]] == await _found(driver, callers=("61491570156",))
    assert [old[0]] == await _found(driver, destination="crm", ended="S")
    assert ["new", *old[::-1]] == await _found(driver, result="b")


async def test_many_calls_of_one_moment_are_all_filled_in(driver, monkeypatch):
    """A group commit writes hundreds in one millisecond."""
    monkeypatch.setattr(search, "FILL", 3)
    for number in range(20):
        await driver.accept(f"a-{number}", 'c{"PLA_CID":"101"}')
    driver.time.pass_s(1)
    for number in range(5):
        await driver.accept(f"b-{number}", 'c{"PLA_CID":"101"}')

    await _fill(driver)

    assert 25 == len(await _found(driver, service="101"))


async def test_a_call_that_an_old_worker_plans_later_is_found_again(driver):
    """The rescue's walk sees that it is not in the index, which is then filled anew."""
    await _fill(driver)
    await driver.accept("a-1")
    await driver.plan("a-1")
    assert await search.is_filled(driver.ledger)

    await driver.ledger.scripts.run("rescue", 500, 1, 1)

    assert not await search.is_filled(driver.ledger)
    await _fill(driver)
    assert ["a-1"] == await _found(driver)
