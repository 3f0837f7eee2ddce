"""A backup restored into each of the five servers, and from there back: the same ledger, whatever it came from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.redis_server import RedisServer
from tests.ledgers import Driver, open_driver
from tests.matrix.servers import SERVERS, Server, here
from tests.worker.ledger.golden_records import FORMATS, contents, load_golden
from tests.worker.ledger.test_backup import PASSPHRASE, PLACES, copied
from worker.ledger import keys
from worker.ledger.invariants import check

CALLS = 600
OF_THE_MOMENT = (keys.WAKE_KEY, keys.WAKE_CALLS_KEY, keys.SCHEMA_KEY)


@pytest.fixture(params=SERVERS, ids=lambda server: server.name)
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the address of a server of another version or make."""
    server: Server = request.param
    if (binary := here().get(server.name)) is None:
        pytest.skip(f"{server.name} is not here; make matrix fetches it")
    with RedisServer(tmp_path / "other", binary=binary, appendonly=False) as running:
        yield running.url


async def fill(driver: Driver, number: int) -> None:
    """Put a ledger there as a version wrote it, and more calls than a slice holds, delivered, dead, open and parked."""
    await load_golden(driver.redis, number)
    for place in range(CALLS):
        await driver.make(f"call-{place}", group=f"6149157{place % 400:04d}" if place % 3 else "")
    for place, claimed in enumerate(await driver.take(want=50)):
        await driver.end(claimed, ("delivered", "dead", "failed")[place % 3], delay_ms=60_000)


@pytest.mark.load
@pytest.mark.parametrize("number", FORMATS)
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["plain", "encrypted"])
async def test_from_here_to_any_server_and_back(  # noqa: PLR0917  fixtures
    other: str, redis_url: str, number: int, passphrase: bytes | None, tmp_path: Path
) -> None:
    """Upwards, downwards, from Redis to Valkey and back; nothing that waits there waits in vain."""
    async with open_driver(redis_url) as source, open_driver(other) as there:
        await fill(source, number)
        there.time.ms = source.time.ms
        taken = await copied(source, there, tmp_path / "one", passphrase)
        whole = await contents(there.redis, without=OF_THE_MOMENT)
        assert (taken.calls, taken.kept) == (CALLS + 10, 0)
        assert set(await contents(source.redis, without=(*PLACES, *OF_THE_MOMENT))) <= set(whole)
        assert (await check(there.ledger, fix=False, memory_s=60)).faults == []

        await source.redis.flushall()
        await copied(there, source, tmp_path / "two", passphrase)
        assert await contents(source.redis, without=OF_THE_MOMENT) == whole

        there.time.pass_s(120)
        await there.tick("crm", "intake")
        seen = 0
        while taken_now := await there.take():
            seen += len(taken_now)
            for claimed in taken_now:
                await there.end(claimed, "delivered")
        assert seen > CALLS * 0.9
        assert (await check(there.ledger, fix=False, memory_s=60)).faults == []
