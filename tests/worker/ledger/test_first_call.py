"""Whether a call is its caller's first: said once, when it is planned, by who has rung within `calls.remember`."""

from collections.abc import Mapping

import orjson

from tests.ledgers import Driver
from worker.ledger.admin import erase_calls, erase_memory
from worker.ledger.keys import RANG_KEY
from worker.ledger.records import About, Plan
from worker.ledger.retention import Retention, sweep

DIGITS = "61491570156"
DAY_S = 86_400.0
KEPT = Retention(calls_s=30 * DAY_S, dead_s=90 * DAY_S, remember_s=400 * DAY_S)


def event(caller: str) -> str:
    """Return a whole call's record."""
    values: Mapping[str, str] = {"PLA_Caller_Phone_Number": f"+{caller}", "PLA_CallResult": "Answered"}
    return "c" + orjson.dumps(values).decode()


async def rings(driver: Driver, call_id: str, caller: str = DIGITS) -> str | None:
    """Bring a call in and plan it; return what is said of it."""
    await driver.accept(call_id, event(caller))
    await plan(driver, call_id, caller)
    return (await driver.call(call_id)).first_call


async def plan(driver: Driver, call_id: str, caller: str = DIGITS) -> None:
    """Plan a call that goes nowhere."""
    stored = await driver.call(call_id)
    about = About(service_id="1", result="a", caller_digits=caller)
    [planned] = await driver.ledger.plan(
        [Plan(call_id=call_id, version=stored.version, state="u", revision=1, wait_until_ms=0, about=about)]
    )
    assert planned.applied


async def removed(driver: Driver) -> None:
    """Let the retention of all calls pass."""
    driver.time.ms += round(91 * DAY_S * 1000)
    assert await sweep(driver.ledger, KEPT)


async def test_the_first_is_first_and_the_others_are_not(driver: Driver):
    """A caller with the same last digits is another one; a withheld one is nobody's first."""
    assert ["yes", "no", "no"] == [await rings(driver, call_id) for call_id in ("a", "b", "c")]
    assert "yes" == await rings(driver, "d", "61491670156")
    assert "yes" == await rings(driver, "e", "161491570156")
    assert await rings(driver, "w", "") is None


async def test_what_was_said_stays(driver: Driver):
    """However often a call is planned again."""
    await rings(driver, "a")
    await rings(driver, "b")
    await plan(driver, "a")
    await plan(driver, "b")

    assert ["yes", "no"] == [(await driver.call(call_id)).first_call for call_id in ("a", "b")]


async def test_who_rang_before_is_remembered_when_the_call_is_gone(driver: Driver):
    """For `calls.remember` from the last call on, and some 100 days more, but not for ever."""
    await rings(driver, "a")
    await removed(driver)
    assert "no" == await rings(driver, "b")
    assert "yes" == await rings(driver, "c", "61491570157")

    driver.time.ms += round(399 * DAY_S * 1000)
    assert "no" == await rings(driver, "d")
    driver.time.ms += round(600 * DAY_S * 1000)
    assert "yes" == await rings(driver, "e")
    assert all([await driver.redis.ttl(key) > 0 async for key in driver.redis.scan_iter(f"{RANG_KEY}*")])


async def test_an_erased_caller_is_not_remembered(driver: Driver):
    """Whenever the calls were."""
    await rings(driver, "a")
    await removed(driver)
    await rings(driver, "b")

    await erase_calls(driver.ledger, ["b"], remember_s=DAY_S)
    await erase_memory(driver.ledger, f"+{DIGITS}", [])

    assert [] == [key async for key in driver.redis.scan_iter(f"{RANG_KEY}*")]
    assert "yes" == await rings(driver, "c")


async def test_calls_of_one_batch_are_not_all_first(driver: Driver):
    """Where a route asks, the ledger is asked of a whole batch before any of it is planned."""
    for call_id in ("a", "b", "w"):
        await driver.accept(call_id, event(DIGITS))
        driver.time.ms += 1
    asked = await driver.ledger.first_calls({"a": DIGITS, "b": DIGITS, "w": "", "gone": DIGITS})

    assert {"a": "yes", "b": "no", "w": None, "gone": None} == asked
    assert asked == await driver.ledger.first_calls({"a": DIGITS, "b": DIGITS, "w": "", "gone": DIGITS})
    await plan(driver, "a")
    assert "yes" == (await driver.call("a")).first_call


async def test_a_claim_carries_it(driver: Driver):
    """Deliveries say what dispatch said."""
    await rings(driver, "a")
    await driver.make("a")

    assert "yes" == (await driver.take_one()).first_call
