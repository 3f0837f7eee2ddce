"""A delivery whose workers are killed again and again is given up in the end, and not before."""

import pytest

from tasks.delivery.transitions import LEAST_KILLS
from tests.ledgers import LEASE_MS, Driver
from tests.tasks.delivery_harness import DeliveryHarness, make_harness


async def killed(harness: DeliveryHarness, times: int) -> None:
    """Let so many workers claim the delivery and vanish."""
    await harness.make()
    for _ in range(times):
        await harness.driver.take_one()
        harness.driver.time.pass_s(LEASE_MS / 1000)
        await harness.driver.tick()


@pytest.mark.parametrize("waits", [0, LEAST_KILLS + 2])
async def test_it_is_tried_for_as_long_as_its_schedule(driver: Driver, waits: int):
    """Kills are mostly not the delivery's doing: each uses up no more than a wait."""
    harness = make_harness(driver, retry_s=(1.0,) * waits)
    await killed(harness, max(waits, LEAST_KILLS))

    assert "delivered" == await harness.again()
    assert [] == harness.watched.dead_letters


@pytest.mark.parametrize("waits", [0, LEAST_KILLS + 2])
async def test_then_it_is_a_dead_letter_and_nothing_is_sent(driver: Driver, waits: int):
    """Whatever it is that kills a worker, the others' deliveries go on; a human looks at this one."""
    harness = make_harness(driver, retry_s=(1.0,) * waits)
    await killed(harness, max(waits, LEAST_KILLS) + 1)

    assert "dead" == await harness.again()
    assert ("dead", "exhausted", None, "each attempt ended with its worker") == await harness.last()
    assert ["exhausted"] == harness.watched.dead_letters
    assert [] == harness.http.requests
