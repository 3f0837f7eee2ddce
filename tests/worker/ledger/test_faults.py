"""Faults of Redis in the middle of a claim or of a finish: nothing is lost and nothing is done again."""

import pytest
from redis import RedisError

from tests.ledgers import LEASE_MS, ids, open_driver


@pytest.mark.needs_redis
async def test_a_full_redis_takes_what_has_ended(redis_url: str):
    """What a vendor has confirmed is written down, or it would be sent again after its lease."""
    async with open_driver(redis_url) as driver:
        await driver.make("c1", "c2")
        first, second = await driver.take(want=2)
        await driver.redis.config_set("maxmemory", "1")
        try:
            ends = [await driver.end(first, "delivered"), await driver.end(second, "failed", delay_ms=5000)]
        finally:
            await driver.redis.config_set("maxmemory", "0")

        assert [True, True] == [end.applied for end in ends]
        assert ["delivered", "retrying"] == await driver.states("c1", "c2")


@pytest.mark.needs_redis
async def test_a_claim_that_meets_a_broken_call_spoils_no_other(redis_url: str):
    """A foreign key in a call's place, at a bad moment: what was taken before has its lease, the rest stays due."""
    async with open_driver(redis_url) as driver:
        await driver.make("c1", "c2", "c3")
        await driver.redis.delete("sb:c:c2")
        await driver.redis.set("sb:c:c2", "foreign")
        with pytest.raises(RedisError, match="WRONGTYPE"):
            await driver.take(want=3)

        assert ["c3"] == ids(await driver.take(want=3))
        driver.time.pass_s(LEASE_MS / 1000)
        await driver.tick()
        assert ["c1", "c3"] == ids(await driver.take(want=3))
