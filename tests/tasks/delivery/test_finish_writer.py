"""The one writer of finishes: together, again until Redis is back, and never stopped by one bad end."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tasks.delivery.finish_writer import FinishWriter
from tests.ledgers import Driver, key_of
from worker.ledger.history import Attempt, History
from worker.ledger.keys import MEMORY_KEY
from worker.ledger.ledger import Ledger
from worker.ledger.records import Claimed, Finish, Verdict

HALF_A_CHARACTER = History(notes=("\ud800",))
"""What no text can hold on the wire."""


def delivered(claimed: Claimed, **changes: object) -> Finish:
    """End a claim well."""
    end = Finish(key=claimed.key, fence=claimed.fence, verdict=Verdict.DELIVERED, effect="ok")
    return replace(end, **changes)  # type: ignore[arg-type]


async def test_ends_are_written_and_answered_each_for_itself(driver: Driver):
    """Whoever writes an end is told whether it counted."""
    await driver.make("c1", "c2")
    first, second = await driver.take()
    finish_writer = FinishWriter(driver.ledger)
    answers = await asyncio.gather(
        finish_writer.write(delivered(first)),
        finish_writer.write(delivered(second, fence=7)),
        finish_writer.write(delivered(second)),
    )

    assert [True, False, True] == [finished.applied for finished in answers]
    assert ["delivered", "delivered"] == await driver.states("c1", "c2")


async def test_ends_that_collect_go_in_one_write(driver: Driver):
    """Three hundred ends at once are a few round trips, each of at most 128."""

    class Counting(Ledger):
        async def finish(self, ends):
            writes.append(len(ends))
            return await super().finish(ends)

    writes: list[int] = []
    await driver.make(*(f"c{i:03}" for i in range(300)))
    held = [claimed for _ in range(5) for claimed in await driver.take(want=64)]
    finish_writer = FinishWriter(Counting(driver.redis, clock_ms=driver.time))
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*(finish_writer.write(delivered(claimed)) for claimed in held))

    assert all(finished.applied for finished in answers)
    assert [128, 128, 44] == writes


async def test_an_end_is_written_again_until_redis_is_back(driver: Driver):
    """The vendor has answered: its verdict waits, and is not lost."""
    await driver.make("c1")
    claimed = await driver.take_one()
    assert driver.server is not None
    driver.server.connected = False
    writing = asyncio.create_task(FinishWriter(driver.ledger).write(delivered(claimed)))
    done, _ = await asyncio.wait([writing], timeout=0.1)
    assert set() == done
    driver.server.connected = True
    async with asyncio.timeout(5):
        finished = await writing

    assert finished.applied
    assert ["delivered"] == await driver.states("c1")


async def test_an_end_that_cannot_be_written_spoils_no_other(driver: Driver):
    """A bug of ours in one end leaves its delivery to its lease; the others are written."""
    await driver.make("c1", "bad", "c2")
    first, bad, second = await driver.take()
    finish_writer = FinishWriter(driver.ledger)
    ends = [delivered(first), delivered(bad, history=HALF_A_CHARACTER), delivered(second)]
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*map(finish_writer.write, ends))

    assert [True, False, True] == [finished.applied for finished in answers]
    assert ["delivered", "in_flight", "delivered"] == await driver.states("c1", "bad", "c2")


async def test_the_writer_goes_on_after_an_end_that_could_not_be_written(driver: Driver):
    """The next end finds a writer."""
    await driver.make("bad", "c1")
    bad, first = await driver.take()
    finish_writer = FinishWriter(driver.ledger)
    async with asyncio.timeout(5):
        assert not (await finish_writer.write(delivered(bad, history=HALF_A_CHARACTER))).applied
        assert (await finish_writer.write(delivered(first))).applied


async def test_an_end_whose_writer_was_cut_is_written_all_the_same(driver: Driver):
    """At shutdown an attempt may be cut while its verdict is on its way."""
    await driver.make("c1", "c2")
    first, second = await driver.take()
    finish_writer = FinishWriter(driver.ledger)
    cut = asyncio.create_task(finish_writer.write(delivered(first)))
    await asyncio.sleep(0)
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    async with asyncio.timeout(5):
        await finish_writer.write(delivered(second))

    assert ["delivered", "delivered"] == await driver.states("c1", "c2")


async def test_what_was_written_can_be_read_again(driver: Driver):
    """The history goes through the ledger unchanged."""
    await driver.make("c1")
    claimed = await driver.take_one()
    attempt = Attempt(number=1, at_ms=1, elapsed_ms=2, status=200, outcome="delivered", reply="späte Antwort")
    await FinishWriter(driver.ledger).write(delivered(claimed, history=History().add(attempt, notes=["cut"])))

    delivery = await driver.delivery("c1")
    assert (key_of("c1"), (attempt,), ("cut",)) == (delivery.key, delivery.history.attempts, delivery.history.notes)


async def test_ends_of_attempts_that_go_on_together_are_one_write(driver: Driver):
    """The three deliveries of a call end within a moment; the last one waits for nobody."""
    writes: list[int] = []

    class Counting(type(driver.ledger)):  # type: ignore[misc]
        async def finish(self, ends: Any) -> Any:
            writes.append(len(ends))
            return await super().finish(ends)

    await driver.make("c1", "c2", "c3")
    held = await driver.take()
    writer = FinishWriter(Counting(driver.redis, clock_ms=driver.time))

    async def attempt(number: int) -> None:
        writer.attempts += 1
        for _ in range(number * 3):
            await asyncio.sleep(0)
        assert (await writer.write(delivered(held[number]))).applied
        writer.attempts -= 1

    await asyncio.gather(*map(attempt, range(3)))

    assert [3] == writes
    assert ["delivered"] * 3 == await driver.states("c1", "c2", "c3")


async def test_an_end_whose_key_has_a_foreign_type_holds_up_no_other(driver: Driver):
    """Redis answers the same however often it is asked: the others are written, and so is what comes after."""
    await driver.make("c1", "c3")
    await driver.make("bad", group="61491570156")
    first, third, bad = await driver.take()
    await driver.redis.rpush(f"{MEMORY_KEY}crm:61491570156", "a list")
    finish_writer = FinishWriter(driver.ledger)
    async with asyncio.timeout(30):  # the trace of the error takes seconds to draw
        ends = [delivered(first), delivered(bad, unsure=True)]
        answers = await asyncio.gather(*map(finish_writer.write, ends))
        after = await finish_writer.write(delivered(third))

    assert [True, False, True] == [finished.applied for finished in (*answers, after)]
    assert ["delivered", "delivered"] == await driver.states("c1", "c3")
