"""A receiver on a real socket over a scripted ledger, and a client."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.receiver.scripted import FakeLedger, Receiver, running_receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Return a receiver with one token and no spool."""
    async with running_receiver(ledger=FakeLedger()) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session
