"""The one Redis is reached by whatever REDIS_URL names it."""

from collections.abc import Callable

import pytest

from deploy.local.redis_server import RedisServer
from worker.broker import broker_url_of, open_redis


@pytest.mark.parametrize("port", [None, 0], ids=["unix socket", "tcp"])
async def test_the_client_opens_sockets_and_ports(make_redis_server: Callable[..., RedisServer], port: int | None):
    """unix:// and redis:// both answer."""
    server = make_redis_server(port=port, appendonly=False)
    async with open_redis(server.url) as redis:
        assert await redis.ping()


@pytest.mark.parametrize(
    ("redis_url", "broker_url"),
    [
        ("redis://127.0.0.1:6379/2", "redis://127.0.0.1:6379/2"),
        ("rediss://:secret@redis.example.com", "rediss://:secret@redis.example.com"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix://user:secret@/run/redis.sock?db=3", "redis+socket://user:secret@/run/redis.sock?virtual_host=3"),
    ],
)
def test_kombu_is_told_of_the_same_redis(redis_url: str, broker_url: str):
    """Kombu has a scheme of its own for sockets, with the database in another place."""
    assert broker_url == broker_url_of(redis_url)
