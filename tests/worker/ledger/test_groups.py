"""Groups: the deliveries of one caller at one destination run one at a time, and none is forgotten."""

import json

import pytest

from tests.ledgers import Driver, ids, key_of
from worker.ledger.admin import erase_calls
from worker.ledger.records import NewDelivery


async def test_one_of_a_group_is_under_way_and_the_others_are_parked(driver: Driver):
    """The second is handed out when the first has ended, whatever its end."""
    await driver.make("c1", "c2", "c3", group="614")
    await driver.make("other", group="615")
    first, other = await driver.take()
    assert ["c1", "other"] == ids([first, other])
    assert [] == await driver.take()
    await driver.end(first, "delivered")
    [second] = await driver.take()
    assert ["c2"] == ids([second])
    await driver.end(second, "dead")

    assert ["c3"] == ids(await driver.take())


@pytest.mark.parametrize("how", ["failed", "blocked", "unclaimed", "interrupted", "skipped", "refused"])
async def test_every_end_lets_the_next_of_the_group_go(driver: Driver, how: str):
    """A delivery that waits for its retry does not hold its group."""
    await driver.make("c1", "c2", group="614")
    [held] = await driver.take()
    await driver.end(held, how, delay_ms=60_000)
    await driver.redis.delete("sb:gate:crm")

    assert ["c2"] == ids(await driver.take())


async def test_an_expired_lease_lets_the_next_of_the_group_go(driver: Driver):
    """A worker that died holds nobody for longer than its lease."""
    await driver.make("c1", "c2", group="614")
    await driver.take()
    driver.time.pass_s(50)
    await driver.tick()

    assert ["c1"] == ids(await driver.take(want=1, keys=[key_of("c1")]))
    assert [] == await driver.take()


@pytest.mark.parametrize("killed", [True, False])
async def test_what_may_have_landed_leaves_a_doubt_to_the_next_of_the_group(driver: Driver, *, killed: bool):
    """Beside what is known of the caller by then, whatever it was when the claim was made."""
    await driver.make("c1", "c2", group="614")
    await driver.make("c3", "c4", group="615")
    claims = {claimed.key.call_id: claimed for claimed in await driver.take()}
    await driver.redis.set("sb:memo:crm:615", '{"contact_of":"7"}')
    if killed:
        driver.time.pass_s(50)
        await driver.tick()
    else:
        for claimed in claims.values():
            await driver.end(claimed, "failed", delay_ms=60_000, unsure=True)

    memories = [json.loads(claimed.memory) for claimed in await driver.take()]
    assert [{"unsure": "1"}, {"unsure": "1", "contact_of": "7"}] == sorted(memories, key=len)


async def test_a_group_stands_at_its_destination_alone(driver: Driver):
    """One caller at two accounts is two groups."""
    await driver.make("c1", group="614")
    await driver.make("c1", destination="law", group="614")

    assert ["c1"] == ids(await driver.take())
    assert ["c1"] == ids(await driver.take("law"))


async def test_the_group_remembers_what_a_delivery_learnt(driver: Driver):
    """The memory that one delivery leaves is handed to the next of its caller, and to no other."""
    await driver.make("c1", "c2", group="614")
    await driver.make("c3", group="615")
    [first, third] = await driver.take()
    assert "" == first.memory
    await driver.end(first, "delivered", memory='{"customer_id":"7"}')
    await driver.end(third, "delivered")
    [second] = await driver.take()

    assert '{"customer_id":"7"}' == second.memory
    await driver.end(second, "delivered", memory="")
    await driver.make("c4", group="614")
    assert '{"customer_id":"7"}' == (await driver.take_one()).memory


async def test_a_create_and_its_update_are_of_one_group(driver: Driver):
    """The update stands in the same line as the other calls of its caller."""
    await driver.make("c1", "c2", group="614")
    await driver.plan("c1", NewDelivery(destination="crm", action="update-1", group="614", after="create"))
    seen = []
    for _ in range(3):
        [held] = await driver.take()
        assert [] == await driver.take()
        await driver.end(held, "delivered")
        seen.append((held.key.call_id, held.key.action))

    assert [("c1", "create"), ("c1", "update-1"), ("c2", "create")] == sorted(seen)


async def test_a_line_longer_than_a_claim_is_worked_off_in_its_order(driver: Driver):
    """Parking many takes no slot from other groups, and each is handed out once."""
    names = [f"c{i:03}" for i in range(40)]
    await driver.make(*names, group="614")
    await driver.make("other", group="615")
    seen = []
    for _ in range(60):
        for claimed in await driver.take(want=4):
            seen.append(claimed.key.call_id)
            await driver.end(claimed, "delivered")

    assert [*names, "other"] == sorted(seen)
    assert names == [name for name in seen if name != "other"]


async def test_a_parked_delivery_that_is_gone_does_not_stop_the_line(driver: Driver):
    """An erased call in the line is passed over."""
    await driver.make("c1", "c2", "c3", "c4", group="614")
    [held] = await driver.take()
    await driver.redis.delete("sb:c:c2", "sb:c:c3")
    await driver.end(held, "delivered")

    assert ["c4"] == ids(await driver.take())


async def test_an_erased_call_gives_its_place_in_the_line_to_the_next(driver: Driver):
    """Whoever is next goes, though the erased call held the group and stood in its line as well."""
    await driver.make("c1", "c2", "c3", group="614")
    await driver.make("c1", action="update-1", group="614")
    [held] = await driver.take()
    assert [True] == await erase_calls(driver.ledger, ["c1"], remember_s=60)

    assert ["c2"] == ids(await driver.take())
    assert not (await driver.end(held, "delivered")).applied
    assert [] == await driver.take()


async def test_an_erased_call_that_was_next_in_the_line_gives_its_place_on(driver: Driver):
    """The one that was let go and not yet claimed may be erased too."""
    await driver.make("c1", "c2", "c3", group="614")
    await driver.end((await driver.take())[0], "delivered")
    await erase_calls(driver.ledger, ["c2"], remember_s=60)

    assert ["c3"] == ids(await driver.take())
