"""The runner: one claimed delivery through its attempt, and who is told what of it."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from tests.fakes import reply
from tests.ledgers import LEASE_MS, Driver
from tests.tasks.delivery_harness import CALLER, make_harness
from worker.ledger.admin import suppress
from worker.ledger.keys import CALL_KEY, SHELF_KEY
from worker.ledger.ledger import Ledger
from worker.ledger.records import Claimed
from worker.ledger.suppressed import Standing


async def test_a_call_is_delivered_and_told(driver: Driver):
    """The attempt is logged with what was sent and what came back, and the time from ready to delivered counted."""
    harness = make_harness(driver)
    with capture_logs() as logs:
        assert "delivered" == await harness.deliver()

    assert ("delivered", "", 200, '{"saved": true, "processed": true}') == await harness.last()
    [(outcome, call_to_crm_s)] = harness.watched.attempts
    assert "delivered" == outcome
    assert call_to_crm_s is not None
    assert 0 <= call_to_crm_s < 5
    assert CALLER[4:] in str(harness.http.requests[0].json)
    assert CALLER[4:] not in str(logs)
    assert ["delivery.attempted"] == [entry["event"] for entry in logs]


async def test_a_dead_letter_is_published_with_its_reason(driver: Driver):
    """Whoever watches is told of it once, and its payload is kept without secrets."""
    harness = make_harness(driver)
    harness.http.always = reply(b'{"email": ["Email is not valid."]}', 400)
    with capture_logs() as logs:
        assert "dead" == await harness.deliver()

    told = [entry["event"] for entry in logs if entry["event"].startswith("delivery.")]
    assert ["delivery.attempted", "delivery.dead_lettered"] == told
    assert ["rejected"] == harness.watched.dead_letters
    delivery = await driver.delivery("c1")
    assert "motor-trade" in delivery.history.payload
    assert harness.destination.secrets[0] not in delivery.history.payload


async def test_a_refusal_that_blocks_publishes_no_dead_letter(driver: Driver):
    """At the end of its schedule a 403 would be dead; of a destination that is blocked it is held."""
    harness = make_harness(driver, retry_s=())
    harness.http.always = reply(b"no", 403)
    await driver.make("other")
    await driver.end(await driver.take_one(), "refused", delay_ms=10**9)

    assert "retrying" == await harness.deliver()
    assert [] == harness.watched.dead_letters
    assert "blocked" == (await harness.last())[0]


async def test_a_lead_of_an_unknown_type_is_logged_as_dead(driver: Driver):
    """The destination is blocked by it, but this delivery has come to its end: the log and the metrics say so."""
    harness = make_harness(driver)
    harness.http.always = reply(b'{"saved": true, "processed": false, "error": "Unknown Type"}', 200)

    assert "dead" == await harness.deliver()
    assert ("dead", "saved_unprocessed") == (await harness.last())[:2]
    assert ["dead"] == [outcome for outcome, _ in harness.watched.attempts]


async def test_a_suppressed_number_is_skipped_and_nothing_is_sent(driver: Driver):
    """Judged at each attempt."""
    harness = make_harness(driver)
    await suppress(driver.ledger, CALLER)

    assert "skipped" == await harness.deliver()
    assert (0, "suppressed") == (len(harness.http.requests), (await driver.delivery("c1")).reason)


@pytest.mark.parametrize(
    ("caller", "state", "note"),
    [
        ("3105550702", "delivered", "caller not verified"),
        ("266696687", "skipped", "caller is no possible number: #########"),
        ("0061491570156", "delivered", None),
    ],
)
async def test_a_delivery_notes_how_its_caller_was_read(driver: Driver, caller: str, state: str, note: str | None):
    """Not verified, or none, with what was written; a number that is read with certainty needs no note."""
    harness = make_harness(driver)
    await harness.make(caller=caller)

    assert state == await harness.again()
    notes = (await driver.delivery("c1")).history.notes
    assert [note] * (note is not None) == [one for one in notes if "caller" in one]


@pytest.mark.parametrize("suppressed", ["+61491570156", "+61061491570156"])
async def test_a_number_suppressed_by_a_version_before_stays_suppressed(driver: Driver, suppressed: str):
    """It stands on the list as that version read it; whoever asked not to be called is not called after an upgrade."""
    harness = make_harness(driver)
    await suppress(driver.ledger, suppressed)

    await harness.make(caller="0061491570156")

    assert "skipped" == await harness.again()
    assert [] == harness.http.requests


async def test_nothing_is_asked_while_no_number_is_suppressed(driver: Driver):
    """The claim has told it already; from the first number on, every lead is looked up."""
    asked: list[str] = []

    class Listening(Ledger):
        async def standing_of(self, number: str) -> Standing:
            asked.append(number)
            return await super().standing_of(number)

    harness = make_harness(driver, ledger=Listening(driver.redis, clock_ms=driver.time))
    assert "delivered" == await harness.deliver("c1")
    assert [] == asked
    await suppress(driver.ledger, "+61491570157")

    assert "delivered" == await harness.deliver("c2")
    assert [CALLER] == asked


async def test_an_attempt_of_a_killed_worker_is_logged_by_the_next(driver: Driver):
    """Nobody else could: the log has no gap in its numbers."""
    harness = make_harness(driver)
    await harness.make()
    await driver.take()
    driver.time.pass_s(LEASE_MS / 1000)
    await driver.tick()

    assert "delivered" == await harness.again()
    attempts = (await driver.delivery("c1")).history.attempts
    assert [(1, "unknown", True), (2, "delivered", False)] == [(a.number, a.outcome, a.unknown) for a in attempts]


async def test_a_late_end_changes_nothing_and_is_told(driver: Driver):
    """The lease was over while the vendor thought; another has the delivery."""
    harness = make_harness(driver)
    await harness.make()
    late: Claimed = await driver.take_one()
    driver.time.pass_s(LEASE_MS / 1000)
    await driver.tick()
    await driver.take()
    with capture_logs() as logs:
        await harness.runner.deliver(late)

    assert ["delivery.late_finish_ignored"] == [entry["event"] for entry in logs]
    assert [] == harness.watched.attempts
    assert "in_flight" == (await driver.delivery("c1")).state


async def test_a_call_too_old_is_skipped_at_the_attempt(driver: Driver):
    """Counted from the start of the call, at the moment of the attempt."""
    harness = make_harness(driver, max_age_s=3600.0)
    harness.http.always = reply(b"", 503)
    assert "retrying" == await harness.deliver()
    driver.time.pass_s(timedelta(hours=1, seconds=1).total_seconds())

    assert "skipped" == await harness.again()
    assert ("too_old", 1) == ((await driver.delivery("c1")).reason, len(harness.http.requests))


async def test_an_event_of_a_later_version_is_not_guessed(driver: Driver):
    """Nothing is sent of such a call, no attempt is counted; it is set aside and delivered once it can be read."""
    harness = make_harness(driver)
    await harness.make()
    text = str(await driver.redis.hget(f"{CALL_KEY}c1", "e1"))
    await driver.redis.hset(f"{CALL_KEY}c1", "e1", "3:" + text)

    await harness.again()

    assert harness.http.requests == []
    delivery = await driver.delivery("c1")
    assert (delivery.state, delivery.number, delivery.reason) == ("queued", 0, "set_aside")
    assert await driver.redis.zrange(SHELF_KEY, 0, -1) == [f"c1:{delivery.key.destination}:create"]
    await driver.redis.hset(f"{CALL_KEY}c1", "e1", text)
    driver.time.pass_s(61)
    await driver.tick()
    assert await harness.again() == "delivered"
