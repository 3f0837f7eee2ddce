"""Fixtures that every room's tests may use."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
import redis as redis_client
import structlog
from hypothesis import settings
from redis.asyncio import Redis

import worker.log
from deploy.local.redis_server import RedisServer, RedisServerError, find_binary
from deploy.local.redis_server import free_port as find_free_port
from deploy.local.standins.app import StandIns
from schemas.call import Call
from tests.redis_pair import RedisPair
from tests.standins_process import running_standins

settings.register_profile("switchboard", deadline=None, max_examples=50)  # no test is about time
settings.register_profile("unit", deadline=None, max_examples=10)  # make unit is for a quick look
settings.load_profile("switchboard")

_REDIS_FIXTURES = frozenset({"redis_binary", "redis_server", "redis_url", "redis", "make_redis_server", "redis_pair"})


_UNIT_ROOMS = ("schemas", "worker/config", "tasks", "receiver")
"""The tests whose rooms need no server: ``make unit`` runs those of them that take no ledger and start no process."""
_UNIT_NOT_FILES = ("receiver/test_server.py",)
"""It waits for silent peers."""
_UNIT_NOT = _REDIS_FIXTURES | {"driver", "standins_process", "make_receiver"}
_STARTERS = frozenset({"subprocess", "multiprocessing", "fakeredis"})


def is_unit(item: pytest.Item) -> bool:
    """Return whether a test needs neither a server nor a process of its own."""
    room = str(item.path.relative_to(Path(__file__).parent))
    module = getattr(item, "module", None)
    return (
        room.startswith(_UNIT_ROOMS)
        and room not in _UNIT_NOT_FILES
        and _UNIT_NOT.isdisjoint(getattr(item, "fixturenames", ()))
        and _STARTERS.isdisjoint(vars(module) if module else ())
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what talks to a real Redis by the fixtures it takes, so that nobody has to remember the marker."""
    for item in items:
        if is_unit(item):
            item.add_marker(pytest.mark.unit)
        if not _REDIS_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.needs_redis)


@pytest.fixture(autouse=True)
def clean_logging() -> Iterator[None]:
    """No test sees the log context or the log level of another, such as that of a command."""
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    worker.log._quick.clear()


@pytest.fixture(scope="session")
def redis_binary() -> Path:
    """Return the server binary; without one, tests that need it are skipped on a laptop and fail in CI."""
    try:
        return find_binary(os.environ)
    except RedisServerError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def redis_server(redis_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return this test process's own Redis server, without an append-only file; do not kill it."""
    with RedisServer(tmp_path_factory.mktemp("redis"), binary=redis_binary, appendonly=False) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Return the address of an empty Redis."""
    with redis_client.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Return a client of an empty Redis that answers texts."""
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def make_redis_server(redis_binary: Path, tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Return a maker of servers that a test may freeze, kill and restart; they are started, and stopped at its end."""
    made: list[RedisServer] = []

    def make(**options: Any) -> RedisServer:
        server = RedisServer(tmp_path / f"redis-{len(made)}", binary=redis_binary, **options)
        made.append(server)
        server.start()
        return server

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def redis_pair(make_redis_server: Callable[..., RedisServer]) -> Iterator[RedisPair]:
    """Return a primary with its replica, behind one name."""
    pair = RedisPair(make_redis_server(), make_redis_server())
    yield pair
    pair.stop()


@pytest.fixture
async def standins() -> AsyncIterator[StandIns]:
    """Return the vendor stand-ins on this test's own loop; a test that blocks the loop stops them answering."""
    stand_ins = StandIns()
    await stand_ins.start()
    yield stand_ins
    await stand_ins.stop()


@pytest.fixture
def standins_process() -> Iterator[str]:
    """Return the address of vendor stand-ins in a process of their own, to be looked into by ``/control``."""
    with running_standins() as url:
        yield url


@pytest.fixture
def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    return find_free_port()


@pytest.fixture
def make_call() -> Callable[..., Call]:
    """Return a maker of calls: an answered Australian one, with the changes asked for.

    A changed ``caller`` (E.164 or ``None``) changes its digits and its national form with it.
    """

    def make(**changes: Any) -> Call:
        values: dict[str, Any] = {
            "call_id": "1122334",
            "service_id": "123",
            "service_name": "Smith Law Sydney",
            "service_category": "Legal",
            "caller": "+61491570156",
            "country": "AU",
            "tracking_number": "0255501234",
            "search_engine": "google",
            "search_type": "paid",
            "started_at": datetime(2026, 3, 2, 0, 12, 17, 3000, tzinfo=UTC),
            "landing_page": "https://www.example.com/?gclid=C152ddsa12213123132",
            "gclid": "C152ddsa12213123132",
            "result": "answered",
            "duration": 50,
        } | changes
        if values["caller"] is None:
            values["country"] = changes.get("country")
        else:
            number = phonenumbers.parse(values["caller"])
            national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
            values.setdefault("caller_digits", values["caller"].lstrip("+"))
            values.setdefault("caller_national", "".join(filter(str.isdigit, national)))
            values["country"] = changes.get("country", phonenumbers.region_code_for_number(number))
        return Call(**values)

    return make
