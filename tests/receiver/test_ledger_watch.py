"""The watch over the ledger: an emptied, replaced or put back Redis is noticed, once, by whoever is there."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from receiver.ledger_watch import FileKeeper, LedgerWatch, Seen, keeper_of
from tests.ledgers import Driver, open_driver
from worker.build import LEDGER_FORMAT
from worker.ledger.keys import SCHEMA_KEY
from worker.ledger.schema import note, read_schema


@pytest.fixture
async def driver(redis_url: str):
    """Return a driver of an empty ledger on a real Redis."""
    async with open_driver(redis_url) as made:
        yield made


def watch(driver: Driver, folder: Path) -> LedgerWatch:
    """Make the watch of a receiver that starts now."""
    return LedgerWatch(driver.ledger, FileKeeper(folder / "epoch.json"))


async def looked(driver: Driver, one: LedgerWatch, *, after_s: float = 2) -> list[dict[str, Any]]:
    """Look once, after a while; return what was logged."""
    driver.time.pass_s(after_s)
    with capture_logs() as logs:
        await one.look()
    return [{k: v for k, v in line.items() if k != "log_level"} for line in logs]


async def test_a_ledger_that_goes_on_is_not_told(driver: Driver, tmp_path: Path):
    """Nor to a receiver that starts again, nor to two that look by turns."""
    one, other = watch(driver, tmp_path), watch(driver, tmp_path)

    assert [await looked(driver, who) for who in (one, other, one, watch(driver, tmp_path), other)] == [[]] * 5
    assert one.parts == {}


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_emptied_redis_is_noticed(driver: Driver, tmp_path: Path, restarted: bool):
    """By a receiver that runs, and by one that was started later; the ledger keeps the fact for the others."""
    one = watch(driver, tmp_path)
    await looked(driver, one)
    last = driver.time.ms
    await driver.redis.flushall()
    await driver.accept("new")
    one = watch(driver, tmp_path) if restarted else one

    [line] = await looked(driver, one)
    later = await looked(driver, one)

    assert line == {
        "event": "ledger.changed",
        "what": "emptied",
        "last_seen_ms": last,
        "noticed_ms": driver.time.ms - 2000,
    }
    assert later == []
    assert one.parts["ledger"]["state"] == "emptied"
    assert (await read_schema(driver.redis)).format == LEDGER_FORMAT


async def test_an_older_state_is_noticed(driver: Driver, tmp_path: Path):
    """The same ledger, of an earlier time."""
    one = watch(driver, tmp_path)
    await looked(driver, one)
    older: Any = await driver.redis.hgetall(SCHEMA_KEY)
    at = driver.time.ms
    await looked(driver, one, after_s=60)
    await driver.redis.delete(SCHEMA_KEY)
    await driver.redis.hset(SCHEMA_KEY, mapping=older)

    [line] = await looked(driver, one)

    assert (line["what"], line["to_ms"], line["last_seen_ms"]) == ("put_back", at, at + 60_000)
    assert one.parts["ledger"]["state"] == "put_back"


async def test_a_new_primary_whose_clock_is_behind_is_no_older_state(driver: Driver, tmp_path: Path):
    """Nor for another receiver that looked before."""
    one, other = watch(driver, tmp_path), watch(driver, tmp_path)
    await looked(driver, one)
    await looked(driver, other)

    assert [await looked(driver, one, after_s=-60), await looked(driver, other, after_s=0)] == [[], []]


async def test_a_restored_ledger_is_not_told_again(driver: Driver, tmp_path: Path):
    """Whoever restored it knows; another ledger in its place is told."""
    one = watch(driver, tmp_path)
    await looked(driver, one)
    epoch = (await read_schema(driver.redis)).epoch
    await note(driver.ledger, epoch="restored", restored={"instead_of": ["older", epoch]}, beat=None)
    assert await looked(driver, one) == []

    await note(driver.ledger, epoch="elsewhere", restored={"instead_of": ["other"]})
    assert [line["what"] for line in await looked(driver, one)] == ["emptied"]


async def test_what_was_dealt_with_is_told_no_more(driver: Driver, tmp_path: Path):
    """`ledger check --fix`, an import of the journal and a restore end it."""
    one = watch(driver, tmp_path)
    await looked(driver, one)
    await driver.redis.flushall()
    await looked(driver, one)

    await note(driver.ledger, changed=None)

    assert await looked(driver, one) == []
    assert one.parts == {}


async def test_an_unknown_format_is_told_once_and_left(driver: Driver, tmp_path: Path):
    """The receiver says so, and writes nothing until this version may work with it again."""
    barred: list[bool] = []
    one = LedgerWatch(driver.ledger, FileKeeper(tmp_path / "epoch.json"), bar=barred.append)
    await note(driver.ledger, format=LEDGER_FORMAT + 2, epoch="e")

    assert [line["event"] for line in await looked(driver, one) + await looked(driver, one)] == ["ledger.barred"]
    assert one.parts == {"ledger": {"state": "unknown_format", "format": LEDGER_FORMAT + 2}}
    assert await driver.redis.hgetall(SCHEMA_KEY) == {"format": str(LEDGER_FORMAT + 2), "epoch": "e"}

    await note(driver.ledger, format=LEDGER_FORMAT, restoring=1)
    assert await looked(driver, one) == []
    assert one.parts == {"ledger": {"state": "restoring", "format": LEDGER_FORMAT}}
    await note(driver.ledger, restoring=None)
    assert [line["event"] for line in await looked(driver, one)] == ["ledger.unbarred"]
    assert (barred, one.parts) == ([True, False], {})


async def test_a_keeper_that_cannot_keep_stops_nothing(tmp_path: Path):
    """A full disk, a file of somebody else: as if there were none."""
    (tmp_path / "epoch.json").write_bytes(b"[]")
    assert await FileKeeper(tmp_path / "epoch.json").recall() is None
    assert await FileKeeper(tmp_path / "none").recall() is None
    await FileKeeper(tmp_path / "epoch.json" / "below").keep(Seen(epoch="e", format=2, beat_ms=1))

    assert keeper_of(None, None) is None
    made = [keeper_of(tmp_path, Path("spool.db")), keeper_of(None, tmp_path / "spool.db")]
    assert [one and one.path.name for one in made] == ["epoch.json", "spool.db.epoch.json"]
