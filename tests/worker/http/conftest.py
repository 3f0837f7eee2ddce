"""Every test of the HTTP client runs on asyncio's loop and on uvloop's, whose errors differ; workers use the latter."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

from worker.http.client import HttpClient


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Name the loops."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def http():
    """Return an open client."""
    async with HttpClient.open() as client:
        yield client
