"""What a year of counters holds in Redis' memory: 20 destinations, 50 services, calls in every hour of every day."""

from typing import Any

import pytest
from redis.asyncio import Redis

from worker.ledger.figures import SPAN
from worker.ledger.keys import HOURS_KEY, MINUTES_KEY

DESTINATIONS, SERVICES, HOURS, MINUTES = 20, 50, 365 * 24, 48 * 60
LIMIT_MB = 40
# Which series count in how many of 100 hours: three results, three latencies, and now and then what went wrong.
OF_SERVICE = {"ca": 100, "cu": 100, "cb": 60, "D0": 100, "D1": 100, "D2": 40, "D9": 5, "X": 5, "S": 20, "C": 10}
OF_DESTINATION = {
    "D0": 100, "D1": 100, "D2": 100, "D3": 50, "D4": 20, "D9": 5, "F": 60, "X": 10, "C": 30, "S:r1": 60, "S:r2": 30,
}  # fmt: skip
BY_MINUTE = {"ca": 20, "cu": 20, "D": 60, "X": 5, "S": 10, "F": 10, "C": 5}


async def _write(redis: Redis, prefix: str, facet: str, shares: dict[str, int], *, units: int) -> int:
    written = 0
    async with redis.pipeline(transaction=False) as pipe:
        for place, (kind, share) in enumerate(shares.items()):
            for span in range(units // SPAN):
                hours = [hour for hour in range(SPAN) if (hour * 37 + span * 11 + place * 29) % 100 < share]
                if hours:
                    counts: dict[Any, Any] = {
                        hour: 1 + (hour * 7 + place) % (90 if share == 100 else 9) for hour in hours
                    }
                    pipe.hset(f"{prefix}{facet}:{kind}:{4_100 + span}", mapping=counts)
                    written += len(hours)
        await pipe.execute()
    return written


@pytest.mark.load
async def test_a_year_of_counters_stays_below_40_mb(redis: Redis):
    """Measured with the keys, the fields and the sizes that figures.lua writes; the minutes of 48 hours with them."""
    before = (await redis.info("memory"))["used_memory"]
    counts = 0
    for number in range(1, DESTINATIONS + 1):
        counts += await _write(redis, HOURS_KEY, f"d{number}", OF_DESTINATION, units=HOURS)
    for number in range(1, SERVICES + 1):
        counts += await _write(redis, HOURS_KEY, f"s{number}", OF_SERVICE, units=HOURS)
    for facet in [f"d{n}" for n in range(1, DESTINATIONS + 1)] + [f"s{n}" for n in range(1, SERVICES + 1)]:
        counts += await _write(redis, MINUTES_KEY, facet, BY_MINUTE, units=MINUTES)
    used_mb = ((await redis.info("memory"))["used_memory"] - before) / 1e6

    print(f"\na year of counters: {used_mb:.1f} MB, {counts:,} counts, {used_mb * 1e6 / counts:.1f} bytes a count")
    assert used_mb < LIMIT_MB
