"""Planning: what a plan writes, and when it is not applied."""

import pytest

from tests.ledgers import Driver, ids, key_of
from worker.ledger.records import NewDelivery, Plan

CREATE = NewDelivery(destination="crm", action="create")
UPDATE = NewDelivery(destination="crm", action="update-1", after="create")


async def test_a_plan_makes_deliveries_and_says_what_is_due(driver: Driver):
    """The keys come back with the backlog of their destination, for the wake-ups."""
    await driver.accept("c1")
    await driver.make("c0", destination="law")
    planned = await driver.plan(
        "c1", CREATE, NewDelivery(destination="law", action="create"), routes=("crm", "law"), revision=3
    )

    assert ((key_of("c1"), 1), (key_of("c1", destination="law"), 2)) == planned.created
    call = await driver.call("c1")
    assert ("ready", 3, 1, ("crm", "law")) == (call.state, call.revision, call.planned_version, call.routes)
    assert ["queued", "queued"] == [str(delivery.state) for delivery in call.deliveries.values()]


async def test_a_plan_made_twice_makes_its_deliveries_once(driver: Driver):
    """Dispatch may be repeated: an existing delivery stays as it is, whatever became of it."""
    await driver.make("c1")
    await driver.end(await driver.take_one(), "delivered")
    planned = await driver.plan("c1", CREATE)

    assert planned.applied
    assert () == planned.created
    assert ["delivered"] == await driver.states("c1")
    assert [] == await driver.take()


async def test_a_plan_from_an_older_version_changes_nothing_and_is_asked_for_again(driver: Driver):
    """An event that came meanwhile makes the plan void, and the call due for dispatch at once."""
    await driver.accept("c1", 's{"a":"1"}')
    await driver.accept("c1", 'e{"b":"1"}')
    planned = await driver.plan("c1", CREATE, version=1)

    assert not planned.applied
    assert {} == (await driver.call("c1")).deliveries
    assert ["c1"] == await driver.ledger.calls_due(limit=10)


async def test_a_plan_for_a_call_that_is_gone_changes_nothing(driver: Driver):
    """A plan never makes a call."""
    await driver.redis.zadd("sb:waits", {"gone": 0})
    planned = await driver.plan("gone", CREATE, version=1)

    assert not planned.applied
    assert [] == await driver.ledger.load(["gone"])
    assert [] == await driver.ledger.calls_due(limit=10)


async def test_plans_of_one_round_trip_are_answered_in_their_order(driver: Driver):
    """One bad plan leaves the others as they are."""
    await driver.accept("c1")
    await driver.accept("c2")
    plans = [
        Plan(call_id=call_id, version=1, state="r", revision=1, wait_until_ms=0, deliveries=(CREATE,))
        for call_id in ("c1", "gone", "c2")
    ]

    assert [True, False, True] == [planned.applied for planned in await driver.ledger.plan(plans)]
    assert ["queued", "queued"] == await driver.states("c1", "c2")


async def test_a_waiting_call_is_looked_at_again_when_its_wait_is_over(driver: Driver):
    """A plan says until when to wait; an event in between brings the call forward."""
    await driver.accept("c1")
    await driver.plan("c1", state="w", wait_until_ms=driver.time.ms + 60_000)
    driver.time.pass_s(59.9)
    assert [] == await driver.ledger.calls_due(limit=10)
    driver.time.pass_s(0.1)
    assert ["c1"] == await driver.ledger.calls_due(limit=10)
    await driver.plan("c1", state="r")
    driver.time.pass_s(86_400)

    assert [] == await driver.ledger.calls_due(limit=10)


@pytest.mark.parametrize(
    ("letter", "state", "counted"), [("x", "no_start", "no_start"), ("u", "unrouted", "unrouted"), ("w", "waiting", "")]
)
async def test_calls_without_start_or_route_are_listed_until_they_have_them(
    driver: Driver, letter: str, state: str, counted: str
):
    """A call is in the list of its state, and leaves it when it becomes ready."""
    await driver.accept("c1")
    await driver.plan("c1", state=letter, wait_until_ms=1 if letter == "w" else 0)
    assert state == (await driver.call("c1")).state
    overview = await driver.ledger.overview()
    assert (counted == "no_start", counted == "unrouted") == (overview.no_start == 1, overview.unrouted == 1)
    await driver.plan("c1", CREATE)

    overview = await driver.ledger.overview()
    assert (0, 0) == (overview.no_start, overview.unrouted)
    assert "ready" == (await driver.call("c1")).state


async def test_an_update_waits_for_its_create(driver: Driver):
    """It is not due while the create is under way, retried or queued; it is when the create is final."""
    await driver.make("c1")
    planned = await driver.plan("c1", UPDATE)
    assert () == planned.created
    create = await driver.take_one()
    assert [] == await driver.take()
    await driver.end(create, "failed", delay_ms=1000)
    assert [] == await driver.take()
    driver.time.pass_s(1)
    create = await driver.take_one()
    assert "create" == create.key.action
    await driver.end(create, "delivered")

    [update] = await driver.take()
    assert key_of("c1", "update-1") == update.key
    assert "delivered" == update.siblings["create"].state


@pytest.mark.parametrize("how", ["delivered", "dead", "skipped"])
async def test_every_end_of_a_create_releases_what_waits_for_it(driver: Driver, how: str):
    """What waits is never forgotten: it is for the attempt to say that there is nothing to follow."""
    await driver.make("c1")
    await driver.plan("c1", UPDATE, NewDelivery(destination="crm", action="update-2", after="create"))
    await driver.end(await driver.take_one(), how)

    assert ["update-1", "update-2"] == sorted(claimed.key.action for claimed in await driver.take())


async def test_an_update_behind_a_final_create_is_due_at_once(driver: Driver):
    """Nothing is waited for that has been."""
    await driver.make("c1")
    await driver.end(await driver.take_one(), "delivered")
    planned = await driver.plan("c1", UPDATE)

    assert ((key_of("c1", "update-1"), 1),) == planned.created


async def test_an_update_waits_for_the_create_of_its_own_destination_only(driver: Driver):
    """Two destinations of a call know nothing of each other."""
    await driver.make("c1")
    await driver.make("c1", destination="law")
    await driver.plan("c1", UPDATE)
    [law] = await driver.take("law")
    await driver.end(law, "delivered")

    assert ["c1"] == ids(await driver.take())
    assert [] == await driver.take("law")


@pytest.mark.parametrize("gate", ["paused", "blocked", "open"])
async def test_a_destination_that_is_held_costs_no_wake_up(driver: Driver, gate: str):
    """What becomes due at a paused, blocked or open destination waits without a Celery message."""
    await driver.redis.hset("sb:gate:crm", mapping={gate: "1", "probe_at": str(driver.time.ms + 1000)})
    await driver.accept("c1")
    planned = await driver.plan("c1", CREATE, NewDelivery(destination="law", action="create"))

    assert ((key_of("c1", destination="law"), 1),) == planned.created
    assert ["queued"] == await driver.states("c1")
