"""The audit: what an operator changes is on record from the same step on, and what changes nothing is not."""

import pytest

from schemas.delivery import State
from tests.ledgers import NOON, key_of
from worker.ledger import admin
from worker.ledger.admin import redeliver
from worker.ledger.audit import Actor, audited, named, note

ANN = Actor(who="ann", door="cli", address="desk-1")


async def _records(driver, **filters):
    return [record async for record in audited(driver.ledger, **filters)]


async def _dead(driver, *call_ids):
    await driver.make(*call_ids)
    for claimed in await driver.take():
        await driver.end(claimed, "dead")


@pytest.mark.parametrize(
    ("what", "act", "count"),
    [
        ("dead.replay", lambda ledger, by: admin.replay(ledger, [key_of("a-1"), key_of("a-2")], by=by), 2),
        ("dead.drop", lambda ledger, by: admin.drop(ledger, [key_of("a-1"), key_of("nobody")], by=by), 1),
        ("deliveries.retry", lambda ledger, by: admin.retry(ledger, [key_of("q-1")], by=by), 1),
        ("deliveries.cancel", lambda ledger, by: admin.cancel(ledger, [key_of("q-1")], by=by), 1),
        (
            "deliveries.redeliver",
            lambda ledger, by: admin.deliver_again(ledger, [key_of("a-1")], states=[State.DEAD], by=by),
            1,
        ),
        ("destinations.pause", lambda ledger, by: admin.pause(ledger, "crm", by=by), 1),
        ("suppress.add", lambda ledger, by: admin.suppress(ledger, "+61491570156", by=by), 1),
        ("erase", lambda ledger, by: admin.erase_calls(ledger, ["a-1", "nobody"], remember_s=9, by=by), 1),
        ("numbers.provision", note, 1),
    ],
)
async def test_what_is_changed_is_on_record(driver, what, act, count):
    """Who, when, from where, what, which, and how many; the same a second time changes nothing and adds no record."""
    await _dead(driver, "a-1", "a-2")
    await driver.make("q-1")
    by = ANN.does(what, "which=these")

    await act(driver.ledger, by)

    [record] = await _records(driver)
    assert ("ann", "cli", "desk-1", what, "which=these", count, driver.time.ms) == (
        record.who, record.door, record.address, record.what, record.which, record.count, record.at_ms,
    )  # fmt: skip


@pytest.mark.parametrize(
    "act",
    [
        lambda ledger, by: admin.replay(ledger, [key_of("q-1"), key_of("nobody")], by=by),
        lambda ledger, by: admin.drop(ledger, [key_of("q-1")], by=by),
        lambda ledger, by: admin.retry(ledger, [key_of("nobody")], by=by),
        lambda ledger, by: admin.cancel(ledger, [key_of("nobody")], by=by),
        lambda ledger, by: admin.resume(ledger, "crm", by=by),
        lambda ledger, by: admin.unsuppress(ledger, "+61491570156", by=by),
        lambda ledger, by: admin.forget_bodies(ledger, ["nobody"], by=by),
        lambda ledger, by: redeliver(ledger, [key_of("q-1")], by=by),
    ],
)
async def test_what_changes_nothing_is_not_on_record(driver, act):
    """An unknown key, one in another state, a gate that is open."""
    await driver.make("q-1")

    await act(driver.ledger, ANN.does("any"))

    assert [] == await _records(driver)


async def test_a_bulk_action_is_one_record(driver):
    """Its steps are counted together, and the time is that of the first."""
    await _dead(driver, "a-1", "a-2", "a-3")
    by = ANN.does("dead.replay", "all")
    began = driver.time.ms
    for call_id in ("a-1", "a-2", "a-3"):
        await admin.replay(driver.ledger, [key_of(call_id)], by=by)
        driver.time.pass_s(1)

    [record] = await _records(driver)

    assert (3, began) == (record.count, record.at_ms)


async def test_records_are_told_newest_first_by_time_and_by_name(driver):
    """Of a span, both ends included, and of one name."""
    for number, who in enumerate(("ann", "bob", "ann")):
        await note(driver.ledger, Actor(who=who, door="console").does(f"act-{number}"))
        driver.time.pass_s(60)

    assert ["act-2", "act-1", "act-0"] == [one.what for one in await _records(driver)]
    assert ["act-2", "act-0"] == [one.what for one in await _records(driver, who="ann")]
    assert ["act-1"] == [one.what for one in await _records(driver, since_ms=NOON + 60_000, until_ms=NOON + 60_000)]


async def test_a_record_is_kept_for_its_time(driver):
    """And leaves no key behind, once the next one is written."""
    short = Actor(who="ann", door="cli", keep_s=60)
    await note(driver.ledger, short.does("first"))
    driver.time.pass_s(61)
    await note(driver.ledger, short.does("second"))

    assert ["second"] == [one.what for one in await _records(driver)]
    assert 1 == len(await driver.redis.keys("sb:a:*"))


async def test_texts_of_an_action_are_bounded(driver):
    """Ten thousand keys are named by the first twenty and their number; no text is longer than 1,000 characters."""
    keys = [f"call-{number}:crm:create" for number in range(10_000)]
    assert named(keys).endswith("call-19:crm:create and 9980 more")
    assert "a b" == named(["a", "b"])

    await note(driver.ledger, ANN.does("act", "x" * 5_000))

    [record] = await _records(driver)
    assert 1_000 == len(record.which)
