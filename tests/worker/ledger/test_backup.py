"""Backup and restore: all of a ledger, whole calls, into any server; a damaged or foreign file is refused."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from deploy.local.redis_server import RedisServer
from tests.ledgers import Driver, ids, open_driver
from tests.worker.ledger.golden_records import FORMATS, contents, load_golden
from worker.ledger import keys
from worker.ledger.archive import ArchiveReader, ArchiveWriter, BadArchiveError, Header
from worker.ledger.backup import back_up, is_empty, put_back
from worker.ledger.invariants import check

HEADER = Header(format=2, epoch="abc", taken_ms=1, version="0.1.0")
PASSPHRASE = b"correct horse battery"
PLACES = (
    keys.CALLS_KEY, keys.WAITS_KEY, keys.LEASES_KEY, keys.DUE_KEY, keys.DEAD_KEY, keys.HOLDERS_KEY, keys.PARKED_KEY,
    keys.NO_START_KEY, keys.UNROUTED_KEY, keys.MEMORY_KEY,
)  # fmt: skip


@pytest.fixture
def other_url(make_redis_server: Callable[..., RedisServer]) -> str:
    """Return the address of a second, empty Redis."""
    return str(make_redis_server(appendonly=False).url)


async def copied(source: Driver, target: Driver, path: Path, passphrase: bytes | None = None) -> Any:
    """Back one ledger up, and restore it in another."""
    with ArchiveWriter(path, HEADER, passphrase=passphrase) as writer:
        await back_up(source.ledger, writer)
    with path.open("rb") as stream:
        return await put_back(target.ledger, ArchiveReader(stream, passphrase), memory_s=60)


@pytest.mark.parametrize("number", FORMATS)
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
async def test_a_restored_ledger_holds_all(  # noqa: PLR0917  fixtures
    number: int, passphrase: bytes | None, redis_url: str, other_url: str, tmp_path: Path
):
    """Every key is as it was; calls stand in the same places, and what was parked is due and parks again."""
    async with open_driver(redis_url) as source, open_driver(other_url) as target:
        await load_golden(source.redis, number)
        source.time.pass_s(10)
        target.time.pass_s(10)

        found = await copied(source, target, tmp_path / "ledger.backup", passphrase)

        assert (found.calls, found.kept, found.doubtful) == (10, 0, 6)
        of_the_moment = (keys.WAKE_KEY, keys.SCHEMA_KEY, keys.WAKE_CALLS_KEY)
        expected = await contents(source.redis, without=(*PLACES, *of_the_moment))
        expected[f"{keys.CALL_KEY}waiting"][0]["jr"] = "1"
        assert await contents(target.redis, without=(*PLACES, *of_the_moment)) == expected
        before, after = await contents(source.redis), await contents(target.redis)
        for key in (keys.CALLS_KEY, keys.WAITS_KEY, keys.LEASES_KEY, keys.NO_START_KEY, keys.UNROUTED_KEY):
            assert after[key] == before[key]
        assert after[f"{keys.DEAD_KEY}intake"] == before[f"{keys.DEAD_KEY}intake"]
        assert after[f"{keys.HOLDERS_KEY}crm"] == before[f"{keys.HOLDERS_KEY}crm"]
        assert (await check(target.ledger, fix=False, memory_s=60)).faults == []


async def test_a_caller_is_in_doubt_until_his_open_delivery_is_made(redis_url: str, other_url: str, tmp_path: Path):
    """It may have been made after the backup, so a vendor that knows no duplicates is asked first; memory stays."""
    async with open_driver(redis_url) as source, open_driver(other_url) as target:
        await source.make("a", group="61491570156")
        await source.end(await source.take_one(), "delivered", memory='{"customer_id":"7"}')
        await source.make("b", group="61491570156")
        await source.make("c", group="61491570157")

        await copied(source, target, tmp_path / "ledger.backup")
        target.time.ms = source.time.ms
        taken = await target.take()

        assert ids(taken) == ["b", "c"]
        assert [orjson.loads(one.memory) for one in taken] == [{"customer_id": "7", "unsure": "1"}, {"unsure": "1"}]


@pytest.mark.parametrize("state", ["", "w", "r"])
async def test_a_call_that_was_not_planned_is_in_doubt_too(redis_url: str, other_url: str, tmp_path: Path, state: str):
    """It may have been planned and delivered after the backup; so may an event that came after its plan."""
    async with open_driver(redis_url) as source, open_driver(other_url) as target:
        await source.accept("a")
        if state:
            await source.plan("a", state=state, wait_until_ms=1 if state == "w" else 0)
        if state == "r":
            await source.accept("a", 'e{"u":"answered"}')
        await source.accept("planned")
        await source.plan("planned")

        await copied(source, target, tmp_path / "ledger.backup")
        await target.make("a", "planned", group="61491570156")

        assert await target.redis.hget(f"{keys.CALL_KEY}planned", "jr") is None
        assert orjson.loads((await target.take_one()).memory) == {"unsure": "1"}


async def test_what_a_ledger_has_stays_when_another_comes_in(redis_url: str, other_url: str, tmp_path: Path):
    """A second restore, after one that was cut off, changes nothing; nor does one into a ledger that has gone on."""
    async with open_driver(redis_url) as source, open_driver(other_url) as target:
        await source.make("a", "b")
        await target.make("a")
        await target.end(await target.take_one(), "delivered")

        found = await copied(source, target, tmp_path / "ledger.backup")
        again = await copied(source, target, tmp_path / "ledger.backup")

        assert (found.calls, found.kept) == (1, 1)
        assert (again.calls, again.kept) == (0, 2)
        assert await target.states("a", "b") == ["delivered", "queued"]


async def test_big_collections_come_in_parts(redis_url: str, other_url: str, tmp_path: Path):
    """A list of suppressed numbers, a hash, a sorted set and a list of more values than one script reads."""
    async with open_driver(redis_url) as source, open_driver(other_url) as target:
        many = [str(number) for number in range(5000)]
        await source.redis.sadd(keys.SUPPRESSED_KEY, *many)
        await source.redis.hset(keys.BODIES_KEY, mapping=dict.fromkeys(many, "x"))
        await source.redis.zadd(keys.QUARANTINE_KEY, {name: int(name) for name in many})
        await source.redis.rpush("sb:later", *many)

        await copied(source, target, tmp_path / "ledger.backup")

        assert await contents(target.redis) == await contents(source.redis)


async def test_a_call_of_many_events_is_whole(redis_url: str, other_url: str, tmp_path: Path):
    """With 200 events and 150 KB, beside others."""
    async with open_driver(redis_url) as source, open_driver(other_url) as target:
        for number in range(190):
            await source.accept("big", f's{{"a":"{number}","q":"{"x" * 700}"}}')
        await source.make("small")

        await copied(source, target, tmp_path / "ledger.backup")

        whole: Any = await source.redis.hgetall(f"{keys.CALL_KEY}big")
        assert await target.redis.hgetall(f"{keys.CALL_KEY}big") == {**whole, "jr": "1"}


async def test_requests_that_may_have_been_sent_are_not_sent_again(redis_url: str, other_url: str, tmp_path: Path):
    """A provisioning that waited becomes unknown: it costs money. A search waits on."""
    async with open_driver(redis_url) as source, open_driver(other_url) as target:
        await source.ledger.scripts.run("number_write", "p1", "provision", "{}", 0)
        await source.ledger.scripts.run("number_write", "s1", "search", "{}", 60_000)

        await copied(source, target, tmp_path / "ledger.backup")

        assert await target.redis.hget(f"{keys.NUMBER_KEY}p1", "state") == "unknown"
        assert await target.redis.hget(f"{keys.NUMBER_KEY}s1", "state") == "waiting"


async def test_only_a_redis_without_a_ledger_is_empty(redis: Redis, redis_url: str):
    """What processes say of themselves is no ledger, nor is the broker's part; one call is."""
    async with open_driver(redis_url) as driver:
        await redis.set(keys.PROBE_KEY, "1")
        await redis.rpush("captorra", "message")
        assert await is_empty(driver.ledger)
        await driver.accept("a")
        assert not await is_empty(driver.ledger)


async def test_a_type_that_is_not_known_is_told(redis_url: str, tmp_path: Path):
    """Nothing is left out in silence."""
    async with open_driver(redis_url) as driver:
        await driver.redis.xadd("sb:stream", {"a": "b"})

        with (
            pytest.raises(Exception, match="cannot be backed up"),
            ArchiveWriter(tmp_path / "x", HEADER, passphrase=None) as writer,
        ):
            await back_up(driver.ledger, writer)

        assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240  nothing waits for this loop


def archive(path: Path, *blocks: bytes, passphrase: bytes | None = None) -> bytes:
    """Write a file of blocks, and return its bytes."""
    with ArchiveWriter(path, HEADER, passphrase=passphrase) as writer:
        for block in blocks:
            writer.add(block)
    return path.read_bytes()


def read(text: bytes, passphrase: bytes | None = None) -> list[bytes]:
    """Read a file's blocks."""
    return list(ArchiveReader(io.BytesIO(text), passphrase).blocks())


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_no_damage_goes_unseen(tmp_path: Path, passphrase: bytes | None):
    """Whichever byte is changed and wherever the file ends, it is refused."""
    text = archive(tmp_path / "x", b"a" * 100, b"b", passphrase=passphrase)
    assert read(text, passphrase) == [b"a" * 100, b"b"]

    places = range(len(text)) if passphrase is None else range(0, len(text), 37)  # a key takes 0.1 s
    for place in places:
        for damaged in (text[:place], text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :]):
            with pytest.raises(BadArchiveError):
                read(damaged, passphrase)
    with pytest.raises(BadArchiveError):
        read(text + b"x", passphrase)


@pytest.mark.parametrize("passphrase", [None, b"another passphrase"])
def test_an_encrypted_file_needs_its_passphrase(tmp_path: Path, passphrase: bytes | None):
    """Another one, or none, reads nothing; and no plain byte of it stands in the file."""
    text = archive(tmp_path / "x", b"+61491570156" * 9, passphrase=PASSPHRASE)

    assert b"61491570156" not in text
    with pytest.raises(BadArchiveError, match="encrypted" if passphrase is None else "passphrase is not that"):
        read(text, passphrase)


@given(st.binary(max_size=200))
def test_any_other_file_is_refused(text: bytes):
    """Whatever it holds."""
    with pytest.raises(BadArchiveError):
        read(text)


def test_a_backup_is_its_owners_and_whole_or_not_there(tmp_path: Path):
    """Nobody else may read it; one that was cut off leaves the file of before."""
    path = tmp_path / "x"
    archive(path, b"first")
    assert oct(path.stat().st_mode & 0o777) == "0o600"

    writer = ArchiveWriter(path, HEADER, passphrase=None)
    writer.add(b"second")
    writer.__exit__(OSError, OSError(), None)

    assert read(path.read_bytes()) == [b"first"]
    assert list(tmp_path.iterdir()) == [path]
