"""Fixtures for the tests of the runtime."""

from collections.abc import AsyncIterator

import pytest

from tests.ledgers import Driver, open_driver, unnamed


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.needs_redis)])
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    """Return a driver of an empty ledger, on a fake and on a real Redis; what a test leaves there has names."""
    url = request.getfixturevalue("redis_url") if request.param == "real" else None
    async with open_driver(url) as made:
        yield made
        assert [] == await unnamed(made.redis)
