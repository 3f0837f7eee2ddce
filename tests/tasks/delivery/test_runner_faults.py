"""The deliverer before faults: its own, a Redis that answers half, a vendor's odd words, and being cut."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.fakes import reply
from tests.ledgers import LEASE_MS, Driver
from tests.tasks.delivery_harness import DeliveryHarness, make_harness
from worker.ledger.admin import suppress
from worker.ledger.ledger import Ledger
from worker.ledger.suppressed import Standing


async def test_a_list_of_suppressed_numbers_that_cannot_be_read_sends_nothing(driver: Driver):
    """The delivery goes back unsent, its attempt uncounted: no lead is made for who may be on the list."""
    await suppress(driver.ledger, "+61491570157")

    class Half(Ledger):
        async def standing_of(self, number: str) -> Standing:
            raise RedisConnectionError

    harness = make_harness(driver, ledger=Half(driver.redis, clock_ms=driver.time))

    assert "queued" == await harness.deliver()
    assert ([], 0) == (harness.http.requests, (await driver.delivery("c1")).number)


async def test_a_memory_that_cannot_be_read_is_an_attempt_by_the_schedule(driver: Driver):
    """An error of ours outside the attempt is retried, then dead, and frees its slot at once."""
    harness = make_harness(driver, retry_s=(5.0,))
    await driver.make("first", group="614")
    await driver.end(await driver.take_one(), "delivered", memory="{broken")
    await harness.make(group="614")
    assert "retrying" == await harness.again()
    driver.time.pass_s(10)
    assert "dead" == await harness.again()

    assert ("dead", "unexpected", None, "JSONDecodeError") == await harness.last()
    assert ["unexpected"] == harness.watched.dead_letters


@pytest.mark.parametrize(
    "body", [b'{"error": "no \\ud800"}', b'{"saved": false, "error": "\\uDFFF", "a": ["\\ud83d"]}']
)
async def test_words_with_half_a_character_are_kept(driver: Driver, body: bytes):
    """A vendor's reply never keeps an end from being written."""
    harness = make_harness(driver)
    harness.http.always = reply(body)

    assert "retrying" == await harness.deliver()
    assert "unrecognised" == (await harness.last())[1]


async def test_a_customer_with_half_a_character_in_its_number_is_remembered(driver: Driver):
    """What a vendor gives us to remember is text that can be stored."""
    harness = make_harness(driver, "kapture")
    harness.http.always = reply(b'{"status": "success", "kapture_customer_id": "7\\ud800"}')

    assert "delivered" == await harness.deliver()
    assert any(note.startswith("remote id 7") for note in (await driver.delivery("c1")).history.notes)


async def test_a_whole_character_in_two_halves_stays_whole(driver: Driver):
    """JSON writes a character beyond the basic plane as two halves."""
    harness = make_harness(driver)
    harness.http.always = reply(b'{"error": "no \\ud83d\\ude00"}')
    await harness.deliver()

    assert "no 😀" == (await harness.last())[3]


async def cut(harness: DeliveryHarness) -> str:
    """Cut the attempt while its request is under way; return the state."""
    harness.http.gate = asyncio.Event()
    claimed = await harness.driver.take_one()
    attempt = asyncio.create_task(harness.runner.deliver(claimed))
    await harness.http.hanging(1)
    attempt.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([attempt])
    return str((await harness.driver.delivery("c1")).state)


async def test_a_cut_attempt_is_due_at_once_where_sending_twice_is_harmless(driver: Driver):
    """Its outcome is unknown; it counts as an attempt and uses up no wait."""
    harness = make_harness(driver)
    await harness.make()

    assert "retrying" == await cut(harness)
    assert ("unknown", "interrupted", None, "") == await harness.last()
    claimed = await driver.take_one()
    assert (2, 0, "interrupted") == (claimed.number, claimed.step, claimed.reason)


async def test_a_cut_attempt_waits_for_its_lease_where_sending_twice_is_not_harmless(driver: Driver):
    """Then it looks at the vendor before it sends again."""
    contact = {"mode": "contact", "customer_id": "7"}
    harness = make_harness(driver, "kapture", table=contact)
    await harness.make()
    await cut(harness)
    assert [] == await driver.take()
    driver.time.pass_s(LEASE_MS / 1000)
    harness.http.gate = None
    harness.http.always = reply(b'{"status": "success", "data": []}')
    await harness.again()

    assert "search" in harness.http.requests[1].url
