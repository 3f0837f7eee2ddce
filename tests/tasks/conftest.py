"""Fixtures for the tests of what is done."""

from collections.abc import AsyncIterator

import pytest

from tests.ledgers import Driver, open_driver
from tests.tasks.delivery.fake_deliverer import FakeDeliverer


@pytest.fixture
async def driver() -> AsyncIterator[Driver]:
    """Return a driver of an empty ledger on a fake Redis."""
    async with open_driver(None) as made:
        yield made


@pytest.fixture
def fake(driver: Driver) -> FakeDeliverer:
    """Return a fake deliverer."""
    return FakeDeliverer(driver)
