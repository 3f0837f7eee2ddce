"""Fixtures of the tests that run real processes."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.receiver_process import ReceiverProcess
from tests.acceptance.stack import Stack

HERE = Path(__file__).parent
LONG = frozenset(
    {
        "test_alerts.py",
        "test_callcap.py",
        "test_delacon_audit.py",
        "test_do_not_call.py",
        "test_doors.py",
        "test_drift.py",
        "test_failover.py",
        "test_follow_up.py",
        "test_half_open.py",
        "test_import.py",
        "test_monitoring.py",
        "test_operating.py",
        "test_quiet_hours.py",
        "test_rate.py",
        "test_receiver_master.py",
        "test_receiver_memory.py",
        "test_receiver_outages.py",
        "test_reconcile.py",
        "test_redis_outage.py",
        "test_redis_url.py",
        "test_release.py",
        "test_rights.py",
        "test_secrets.py",
        "test_senders.py",
        "test_sentinel.py",
        "test_shutdown.py",
        "test_switch.py",
        "test_tenants.py",
        "test_traces.py",
        "test_up.py",
        "test_upgrade.py",
    }
)
"""Kept apart from the quick suite: ``make test`` leaves them to ``make load``, which runs by hand before a release."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes long as ``load``.

    Pytest hands over the tests of every room, and some of their files have the same names.
    """
    for item in items:
        if item.path.parent == HERE and item.path.name in LONG:
            item.add_marker(pytest.mark.load)


@pytest.fixture
def make_receiver(tmp_path: Path, redis_url: str) -> Iterator[Callable[..., ReceiverProcess]]:
    """Return a maker of receivers; they are started, and stopped at the test's end."""
    made: list[ReceiverProcess] = []

    def make(**options: Any) -> ReceiverProcess:
        receiver = ReceiverProcess(tmp_path, options.pop("redis_url", redis_url), **options)
        made.append(receiver)
        receiver.start()
        return receiver

    yield make
    for receiver in made:
        receiver.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP client."""
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
def make_stack(tmp_path: Path, redis_url: str, standins_process: str) -> Iterator[Callable[..., Stack]]:
    """Return a maker of a stack that is stopped when the test ends."""
    made: list[Stack] = []

    def make(**options: Any) -> Stack:
        stack = Stack(tmp_path, **{"redis_url": redis_url, "standins_url": standins_process, **options})
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.stop()
