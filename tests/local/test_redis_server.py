"""The Redis server of tests and of the local stack: found, started, killed, restarted."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis as redis_client

from deploy.local.redis_server import RedisServer, RedisServerError, ServerVersion, find_binary


def test_the_environment_names_the_binary_first(redis_binary: Path) -> None:
    """REDIS_SERVER_BIN wins over whatever is on PATH."""
    assert redis_binary == find_binary({"REDIS_SERVER_BIN": str(redis_binary), "PATH": "/nowhere"})


def test_a_named_binary_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    """A wrong REDIS_SERVER_BIN is said, not passed over in silence."""
    with pytest.raises(RedisServerError, match="REDIS_SERVER_BIN names"):
        find_binary({"REDIS_SERVER_BIN": str(tmp_path / "absent"), "PATH": "/usr/bin"})


def test_valkey_on_path_will_do(tmp_path: Path) -> None:
    """A valkey-server on PATH is taken where there is no redis-server."""
    binary = tmp_path / "valkey-server"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)

    assert binary == find_binary({"PATH": str(tmp_path)})


def test_a_server_says_which_it_is(redis_binary: Path) -> None:
    """Both kinds tell it in their own words."""
    assert ServerVersion.of(redis_binary).kind in {"redis", "valkey"}
    assert ServerVersion("redis", (7, 0, 15)) == ServerVersion.parse("Redis server v=7.0.15 sha=00000000:0 bits=64")
    assert ServerVersion("valkey", (9, 1, 2)) == ServerVersion.parse("Valkey server v=9.1.2 sha=00000000:1 malloc=libc")
    with pytest.raises(RedisServerError, match="does not say which version"):
        ServerVersion.of(Path("/bin/true"))


@pytest.mark.parametrize(
    ("writer", "reader", "reads"),
    [  # each pair of Redis 6.2.14, 7.0.15, 8.2.3 and Valkey 8.1.8, 9.1.2 was run with an append-only folder
        ("redis 6.2.14", "redis 6.2.12", True),
        ("redis 6.2.14", "redis 7.0.15", True),
        ("redis 6.2.14", "valkey 9.1.2", True),
        ("redis 7.0.15", "redis 6.2.14", False),
        ("redis 7.0.15", "redis 8.2.3", True),
        ("redis 7.0.15", "valkey 8.1.8", True),
        ("redis 8.2.3", "redis 7.0.15", False),
        ("redis 8.2.3", "valkey 9.1.2", False),
        ("valkey 8.1.8", "valkey 9.1.2", True),
        ("valkey 9.1.2", "valkey 8.1.8", False),
        ("valkey 9.1.2", "redis 8.2.3", False),
        ("valkey 9.1.2", "redis 7.0.15", False),
    ],
)
def test_what_a_server_leaves_only_some_can_read(writer: str, reader: str, reads: bool) -> None:
    """An older server starts empty without a word, or does not start; the other kind only reads what is old enough."""
    assert reads is ServerVersion.parse(reader).reads_files_of(ServerVersion.parse(writer))


def test_a_killed_server_comes_back_with_every_write(make_redis_server: Callable[..., RedisServer]) -> None:
    """With the append-only file synced at every write, kill -9 loses nothing that was answered."""
    server = make_redis_server()
    with redis_client.Redis.from_url(server.url) as client:
        client.set("kept", "yes")
    url = server.url
    server.kill()
    server.start()

    with redis_client.Redis.from_url(server.url, decode_responses=True) as client:
        assert "yes" == client.get("kept")
        assert "always" == client.config_get("appendfsync")["appendfsync"]
    assert url == server.url


def test_a_server_can_listen_on_a_unix_socket(make_redis_server: Callable[..., RedisServer]) -> None:
    """Port None gives a unix:// address and no TCP port."""
    server = make_redis_server(port=None, appendonly=False)

    with redis_client.Redis.from_url(server.url, decode_responses=True) as client:
        assert server.url.startswith("unix://")
        assert "0" == client.config_get("port")["port"]


def test_a_frozen_server_answers_again_after_its_thaw(make_redis_server: Callable[..., RedisServer]) -> None:
    """A freeze leaves connections open and unanswered."""
    server = make_redis_server(appendonly=False)
    with redis_client.Redis.from_url(server.url, socket_timeout=0.2, retry=None) as client:
        server.freeze()
        with pytest.raises(redis_client.TimeoutError):
            client.ping()
        server.thaw()

        assert client.ping()


def test_a_taken_port_is_said_in_plain_words(
    make_redis_server: Callable[..., RedisServer], redis_binary: Path, tmp_path: Path
) -> None:
    """A port that was asked for and is taken is an error with the server's own words."""
    taken = make_redis_server(appendonly=False)
    second = RedisServer(tmp_path / "second", binary=redis_binary, port=taken.port)

    with pytest.raises(RedisServerError, match="did not start"):
        second.start()


def test_settings_can_be_added(make_redis_server: Callable[..., RedisServer]) -> None:
    """Extra settings reach the server."""
    server = make_redis_server(appendonly=False, extra=["maxmemory", "64mb"])

    with redis_client.Redis.from_url(server.url, decode_responses=True) as client:
        assert str(64 * 1024 * 1024) == client.config_get("maxmemory")["maxmemory"]


async def test_each_test_gets_an_empty_redis(redis: redis_client.asyncio.Redis) -> None:
    """The redis fixture is flushed."""
    assert 0 == await redis.dbsize()
