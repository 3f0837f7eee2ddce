"""Alerts in the ledger: told once when a cause begins, once a day, and once when it ends, in order."""

from typing import Any

from tests.ledgers import Driver
from worker.ledger import alerts
from worker.ledger.alerts import Noted, claim, finish, note

MINUTE_MS, LEASE_MS = 60_000, 30_000


def blocked(*, on: bool = True, **changes: Any) -> Noted:
    """Return what holds of a cause that must hold for five minutes."""
    values: dict[str, Any] = {
        "alert": "blocked-1", "on": on, "hold_ms": 5 * MINUTE_MS, "clear_ms": MINUTE_MS, "may": True,
        "targets": ["one"], "facts": {"count": 1},
    }  # fmt: skip
    return Noted(**(values | changes))


async def kinds(driver: Driver, target: str = "one") -> list[str]:
    """Take and deliver everything that waits for a target; return what it was."""
    found = []
    while claimed := await claim(driver.ledger, [target], lease_ms=LEASE_MS):
        [one] = claimed
        found.append(one.message.kind)
        assert await finish(driver.ledger, one, "delivered")
    return found


async def hold(driver: Driver, minutes: int, **changes: Any) -> None:
    """Note the cause every minute."""
    for _ in range(minutes):
        await note(driver.ledger, [blocked(**changes)])
        driver.time.pass_s(60)


async def test_a_cause_is_told_once_it_has_held(driver: Driver):
    """Not before its time is up, and not again however often it is seen."""
    await hold(driver, 5)
    assert [] == await kinds(driver)
    await hold(driver, 600)
    assert ["begun"] == await kinds(driver)


async def test_a_cause_that_passes_in_time_is_never_told(driver: Driver):
    """Neither its begin nor its end; the next one begins anew."""
    await hold(driver, 5)
    await hold(driver, 3, on=False)
    await hold(driver, 5)

    assert [] == await kinds(driver)
    assert [] == [one for one in await alerts.standing(driver.ledger) if one.begun_ms]


async def test_it_is_told_again_once_a_day_and_at_its_end(driver: Driver):
    """Three days: three messages between begin and end."""
    await hold(driver, 5 + 3 * 24 * 60 + 1)
    await hold(driver, 3, on=False)

    assert ["begun", "lasts", "lasts", "lasts", "ended"] == await kinds(driver)
    assert [] == await alerts.standing(driver.ledger)


async def test_a_cause_that_comes_and_goes_is_one(driver: Driver):
    """An end is told when it has been over for as long as asked; a moment without it is none."""
    await hold(driver, 6)
    for _ in range(50):
        await note(driver.ledger, [blocked(on=False)])
        driver.time.pass_s(30)
        await note(driver.ledger, [blocked()])
        driver.time.pass_s(30)

    assert ["begun"] == await kinds(driver)


async def test_what_began_before_it_was_seen_counts_from_then(driver: Driver):
    """A block of an hour ago has held for five minutes at the first look."""
    await note(driver.ledger, [blocked(since_ms=driver.time.ms - 60 * MINUTE_MS)])

    assert ["begun"] == await kinds(driver)


async def test_outside_its_hours_nothing_begins_and_what_is_over_ends(driver: Driver):
    """What still holds in the morning is told then."""
    await hold(driver, 60, may=False)
    assert [] == await kinds(driver)
    await hold(driver, 1)
    assert ["begun"] == await kinds(driver)
    await hold(driver, 3, on=False, may=False)
    assert ["ended"] == await kinds(driver)


async def test_a_flood_of_dead_letters_is_one_message(driver: Driver):
    """Ten thousand of them, looked at while they come."""
    for round_ in range(100):
        members = {f"c{round_ * 100 + number}:create": driver.time.ms for number in range(100)}
        await driver.redis.zadd("sb:dead:crm", members)
        count = (await driver.ledger.overview(["crm"])).destinations[0].dead
        await note(driver.ledger, [blocked(on=count > 0, hold_ms=1000, facts={"count": count})])
        driver.time.pass_s(2)

    [line] = await alerts.lines(driver.ledger)
    assert 1 == line.waiting
    assert [10_000] == [one.facts["count"] for one in await alerts.standing(driver.ledger)]


async def test_a_line_is_told_in_its_order_by_one_at_a_time(driver: Driver):
    """While the first message is in somebody's hands nobody gets the second; other targets do not wait for it."""
    await note(driver.ledger, [blocked(hold_ms=0, clear_ms=0, targets=["one", "two"])])
    await note(driver.ledger, [blocked(on=False, hold_ms=0, clear_ms=0, targets=["one", "two"])])
    [first] = await claim(driver.ledger, ["one"], lease_ms=LEASE_MS)
    others = await claim(driver.ledger, ["one", "two"], lease_ms=LEASE_MS)

    assert ["two"] == [one.target for one in others]
    assert await finish(driver.ledger, first, "retry", delay_s=30, reason="status 503")
    assert [] == await claim(driver.ledger, ["one"], lease_ms=LEASE_MS)
    driver.time.pass_s(31)
    [again] = await claim(driver.ledger, ["one"], lease_ms=LEASE_MS)
    assert (2, first.message) == (again.number, again.message)
    assert await finish(driver.ledger, again, "delivered")
    assert ["ended"] == await kinds(driver)
    assert [] == [line for line in await alerts.lines(driver.ledger) if line.target == "one"]
    assert [("delivered", 1), ("delivered", 2)] == [
        (one.outcome, one.tries) for one in await alerts.sent(driver.ledger)
    ]


async def test_a_message_whose_sender_died_is_tried_again_and_the_dead_one_says_nothing(driver: Driver):
    """After its lease; a finish with the old fence changes nothing."""
    await note(driver.ledger, [blocked(hold_ms=0)])
    [lost] = await claim(driver.ledger, ["one"], lease_ms=LEASE_MS)
    driver.time.pass_s(31)
    [again] = await claim(driver.ledger, ["one"], lease_ms=LEASE_MS)

    assert not await finish(driver.ledger, lost, "delivered")
    assert lost.message.message_id == again.message.message_id
    assert await finish(driver.ledger, again, "dead", reason="status 410")
    assert [("dead", "status 410")] == [(one.outcome, one.reason) for one in await alerts.sent(driver.ledger)]


async def test_a_cause_of_a_rule_that_is_gone_is_forgotten_after_a_day(driver: Driver):
    """Nobody says of it any more that it has ended."""
    await note(driver.ledger, [blocked(hold_ms=0)])
    driver.time.pass_s(86_401)
    await note(driver.ledger, [blocked(alert="blocked-2", on=False)])

    assert [] == await alerts.standing(driver.ledger)
