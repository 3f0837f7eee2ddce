"""The ledger's format and epoch: what each version wrote is read, and an unknown ledger is refused."""

from collections.abc import AsyncIterator

import pytest

from schemas.delivery import State
from tests.ledgers import Driver, open_driver
from tests.worker.ledger.golden_records import FORMATS, load_golden
from worker.build import LEDGER_FORMAT
from worker.errors import SettingsError
from worker.ledger import queries
from worker.ledger.invariants import check
from worker.ledger.keys import SCHEMA_KEY
from worker.ledger.schema import Schema, begin, note, read_schema, require_known_format


@pytest.fixture(params=FORMATS)
async def golden(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Driver]:
    """Return a driver of a ledger that a version of each format wrote."""
    async with open_driver(redis_url) as driver:
        await load_golden(driver.redis, request.param)
        driver.time.pass_s(1)  # those events took a while
        yield driver


def test_every_format_has_golden_records():
    """Whoever raises the number adds the records of it."""
    assert FORMATS[-1] == LEDGER_FORMAT


async def test_golden_calls_are_read(golden: Driver):
    """Every call, event and delivery that a version wrote means what it meant."""
    calls = {
        call.call_id: call async for page in queries.call_ids(golden.ledger) for call in await golden.ledger.load(page)
    }

    assert {call.unreadable for call in calls.values()} == {""}
    assert {call_id: call.state for call_id, call in calls.items()} == {
        "delivered": "ready", "retrying": "ready", "dead": "ready", "flight": "ready", "parked": "ready",
        "updated": "ready", "missed": "ready", "waiting": "waiting", "lost": "no_start", "nowhere": "unrouted",
    }  # fmt: skip
    [start, end] = calls["delivered"].events
    assert (start.kind, end.kind, start.values["PLA_Dealer_Name"], end.values["PLA_Duration"]) == (
        "s",
        "e",
        "Smith Law",
        "50",
    )
    delivered = calls["delivered"].deliveries["intake", "create"]
    assert (delivered.state, delivered.history.notes, delivered.history.sent_fields) == (
        State.DELIVERED, ("String01 cut to 500",), "abc",
    )  # fmt: skip
    dead = calls["dead"].deliveries["intake", "create"]
    assert (dead.state, dead.reason, dead.history.attempts[0].status, dead.history.payload) == (
        State.DEAD, "rejected", 400, '{"Name":"x"}',
    )  # fmt: skip
    assert calls["retrying"].deliveries["intake", "create"].state is State.RETRYING
    assert calls["flight"].deliveries["crm", "create"].state is State.IN_FLIGHT
    assert calls["parked"].deliveries["crm", "create"].group == "61491570156"


async def test_golden_work_goes_on(golden: Driver):
    """What was open when a version ended is delivered by this one, the line of a caller one by one."""
    golden.time.pass_s(60)
    await golden.tick("crm", "intake")
    seen = []
    for destination in ("intake", "crm"):
        while taken := await golden.take(destination):
            seen.append({str(one.key) for one in taken})
            for one in taken:
                await golden.end(one, "delivered")

    assert seen[0] == {"retrying:intake:create", "flight:intake:create"}
    assert set().union(*seen[1:]) == {
        "missed:crm:create", "parked:crm:create", "flight:crm:create", "updated:crm:update-2",
    }  # fmt: skip
    of_one_caller = {"parked:crm:create", "flight:crm:create", "updated:crm:update-2"}
    assert [len(keys & of_one_caller) for keys in seen[1:]] == [1, 1, 1]
    assert (await check(golden.ledger, fix=False, memory_s=60)).faults == []


async def test_golden_ledgers_are_sound(golden: Driver):
    """The check finds nothing wrong with what a version wrote."""
    checked = await check(golden.ledger, fix=False, memory_s=60)

    assert checked.faults == []
    assert checked.calls == 10


async def test_a_ledger_without_a_number_has_the_first_format(golden: Driver):
    """A version that wrote none left it so; a process of this one gives it an epoch and leaves the format."""
    assert (await read_schema(golden.redis)).format == 1

    _, schema = await begin(golden.ledger)

    assert schema.format == 1
    assert len(schema.epoch) == 16


async def test_an_empty_ledger_begins_with_the_written_format(driver: Driver):
    """Its epoch stays the same from then on."""
    assert (await read_schema(driver.redis)).format == LEDGER_FORMAT  # before a receiver looked at it, too

    _, first = await begin(driver.ledger)
    before, second = await begin(driver.ledger, beats=True)
    driver.time.pass_s(2)
    after, _ = await begin(driver.ledger, beats=True)

    assert (first.format, first.epoch) == (LEDGER_FORMAT, second.epoch)
    assert (before, after) == (0, driver.time.ms - 2000)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (LEDGER_FORMAT - 2, "ledger migrate --apply` of the version before"),
        (LEDGER_FORMAT - 1, ""),
        (LEDGER_FORMAT, ""),
        (LEDGER_FORMAT + 1, ""),
        (LEDGER_FORMAT + 2, "run the version that wrote it"),
    ],
)
async def test_a_ledger_more_than_one_step_away_is_refused(driver: Driver, number: int, says: str):
    """The versions next to each other work side by side; others do not start, and say what to run."""
    await note(driver.ledger, format=number)

    if says:
        with pytest.raises(SettingsError, match="ledger: the ledger has format") as raised:
            await require_known_format(driver.redis)
        assert says in str(raised.value)
    else:
        await require_known_format(driver.redis)


async def test_a_half_restored_ledger_is_refused(driver: Driver):
    """Nobody delivers from a ledger of which a part is missing."""
    await note(driver.ledger, restoring=1, format=LEDGER_FORMAT)

    with pytest.raises(SettingsError, match="restore is under way"):
        await require_known_format(driver.redis)


async def test_fields_of_a_later_version_are_passed_over(driver: Driver):
    """What it says of itself besides is its own."""
    await driver.redis.hset(SCHEMA_KEY, mapping={"format": "3", "epoch": "abc", "since": "5"})

    assert await read_schema(driver.redis) == Schema(format=3, epoch="abc", since_ms=5)
    assert Schema.parse({"format": "3", "epoch": "abc", "colour": "red"}).format == LEDGER_FORMAT + 1
