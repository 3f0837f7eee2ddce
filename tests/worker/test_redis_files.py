"""Redis' own files, written anew by a real server."""

import pytest
from redis.asyncio import Redis

from worker.ledger.redis_files import Rewritten, rewrite_files

SECRET = "0491570156"


@pytest.fixture
async def server(make_redis_server):
    """Return a server whose append-only file is plain text, with some keys in it."""
    made = make_redis_server(extra=["aof-use-rdb-preamble", "no"])
    async with Redis.from_url(made.url, decode_responses=True) as redis:
        await redis.mset({f"k{place}": "x" for place in range(200)})
    return made


def held(server) -> list[str]:
    """Return the names of the server's files that hold what was removed."""
    return [
        file.name for file in server.directory.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()
    ]


async def test_what_was_removed_leaves_the_append_only_file(server):
    """No snapshot is kept, and none is made."""
    async with Redis.from_url(server.url, decode_responses=True) as redis:
        await redis.set("who", SECRET)
        await redis.delete("who")
        assert held(server)

        assert {"aof": Rewritten("rewritten"), "rdb": Rewritten("off")} == await rewrite_files(redis)
    assert [] == held(server)


async def test_a_rewrite_that_began_before_the_removal_is_followed_by_another(server):
    """What came while it ran stands in its file."""
    async with Redis.from_url(server.url, decode_responses=True) as redis:
        await redis.config_set("rdb-key-save-delay", 5000)  # microseconds a key: a second in all
        await redis.config_set("aof-use-rdb-preamble", "yes")
        await redis.bgrewriteaof()
        await redis.set("who", SECRET)
        await redis.delete("who")
        assert (await redis.info("persistence"))["aof_rewrite_in_progress"]

        assert Rewritten("rewritten") == (await rewrite_files(redis))["aof"]
    assert [] == held(server)


async def test_one_that_takes_too_long_is_not_waited_for(server):
    """The answer says so, and Redis goes on."""
    async with Redis.from_url(server.url, decode_responses=True) as redis:
        await redis.config_set("aof-use-rdb-preamble", "yes")
        await redis.config_set("rdb-key-save-delay", 50_000)

        found = (await rewrite_files(redis, within_s=0.5))["aof"]

        assert ("not_rewritten", True) == (found.state, "not done within 0.5 s" in found.why)
        await redis.config_set("rdb-key-save-delay", 0)


async def test_without_either_file_there_is_nothing_to_do(make_redis_server):
    """Redis keeps all in memory."""
    async with Redis.from_url(make_redis_server(appendonly=False).url, decode_responses=True) as redis:
        assert {"aof": Rewritten("off"), "rdb": Rewritten("off")} == await rewrite_files(redis)
