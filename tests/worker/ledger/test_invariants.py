"""The check of the ledger: each fault is found, told, and mended where it can be; a sound ledger has none."""

from collections.abc import Awaitable, Callable

import pytest

from tests.ledgers import Driver, ids
from worker.ledger import keys
from worker.ledger.invariants import FAULTS, Checked, check

DAY_S = 86_400.0
START = 's{"a":"1"}'


async def checked(driver: Driver, *, fix: bool = False) -> Checked:
    """Check, as the command does."""
    return await check(driver.ledger, fix=fix, memory_s=DAY_S)


async def build(driver: Driver) -> None:
    """Make a ledger with a call in every state."""
    for name in ("queued", "flight", "done", "dead"):
        await driver.make(name, group="61400000001" if name == "flight" else "")
    for claimed in await driver.take():
        if claimed.key.call_id in {"done", "dead"}:
            await driver.end(claimed, "delivered" if claimed.key.call_id == "done" else "dead", memory='{"a":"b"}')
        elif claimed.key.call_id == "queued":
            await driver.end(claimed, "failed", delay_ms=60_000)
    await driver.make("parked", group="61400000001")
    await driver.take()
    await driver.make("queued", action="update-2", after="create")
    await driver.accept("waiting")
    await driver.plan("waiting", state="w", wait_until_ms=driver.time.ms + 60_000)
    await driver.accept("nowhere")
    await driver.plan("nowhere", state="u")
    await driver.accept("lost", 'e{"u":"busy"}')
    await driver.plan("lost", state="x")
    await driver.ledger.quarantine(b"{", reason="no JSON", path_kind="create", received_us=1)


async def test_a_sound_ledger_has_no_fault(driver: Driver):
    """Whatever state a call is in, nothing is told of it."""
    await build(driver)

    found = await checked(driver)

    assert (found.faults, found.calls, found.wrong) == ([], 8, 0)


def call(name: str) -> str:
    """Return the key of a call."""
    return f"{keys.CALL_KEY}{name}"


Spoil = Callable[[Driver], Awaitable[object]]
SPOILT: dict[str, tuple[Spoil, int]] = {
    "waits_nowhere": (lambda d: d.redis.zrem(keys.WAITS_KEY, "waiting"), 1),
    "due_nowhere": (lambda d: d.redis.zrem(f"{keys.DUE_KEY}crm", "queued:create"), 1),
    "leased_nowhere": (lambda d: d.redis.zrem(keys.LEASES_KEY, "flight:crm:create"), 1),
    "call_not_listed": (lambda d: d.redis.zrem(keys.CALLS_KEY, "done", "dead"), 2),
    "unrouted_but_not_listed": (lambda d: d.redis.zrem(keys.UNROUTED_KEY, "nowhere"), 1),
    "listed_but_not_unrouted": (lambda d: d.redis.zadd(keys.UNROUTED_KEY, {"done": 1}), 1),
    "listed_but_not_without_start": (lambda d: d.redis.zadd(keys.NO_START_KEY, {"done": 1}), 1),
    "destination_not_listed": (lambda d: d.redis.hset(call("done"), "d:old:create", "C|0|0|0|1||x\n"), 1),
    "waits_for_what_is_final": (lambda d: d.redis.hset(call("queued"), "d:crm:create", "C|1|1|0|1||x\n"), 2),
    "dead_but_not_listed": (lambda d: d.redis.delete(f"{keys.DEAD_KEY}crm"), 1),
    "listed_but_not_dead": (lambda d: d.redis.zadd(f"{keys.DEAD_KEY}crm", {"done:create": 1}), 1),
    "open_miscounted": (lambda d: d.redis.hset(call("done"), "o", 3), 1),
    "place_without_record": (lambda d: d.redis.zadd(f"{keys.DUE_KEY}crm", {"gone:create": 1}), 1),
    "lease_without_claim": (lambda d: d.redis.zadd(keys.LEASES_KEY, {"queued:crm:create": 9e12}), 1),
    "line_without_holder": (lambda d: d.redis.hdel(f"{keys.HOLDERS_KEY}crm", "61400000001"), 1),
    "line_held_by_nobody": (lambda d: d.redis.hset(f"{keys.HOLDERS_KEY}crm", "61400000009", "done:create"), 1),
    "without_events": (lambda d: d.redis.hset(call("empty"), "jr", 1), 1),
    "body_without_place": (lambda d: d.redis.delete(keys.QUARANTINE_KEY), 2),
    "bytes_miscounted": (lambda d: d.redis.set(keys.BODY_BYTES_KEY, 7), 1),
    "kept_for_good": (lambda d: d.redis.set(f"{keys.REMEMBERED_KEY}old", ""), 1),
    "unreadable": (lambda d: d.redis.hset(call("queued"), "d:crm:create", "Z|0|0|0|0||\n"), 1),
}  # fmt: skip


@pytest.mark.parametrize("fault", SPOILT)
async def test_a_fault_is_found_and_mended(driver: Driver, fault: str):
    """It is told once, left as it is without --fix, mended with it, and not found again."""
    spoil, count = SPOILT[fault]
    await build(driver)
    await spoil(driver)

    told = await checked(driver)
    again = await checked(driver)
    mended = await checked(driver, fix=True)
    after = await checked(driver)

    assert fault in FAULTS
    assert told.counts[fault] >= 1
    assert told.wrong == count
    assert (again.counts, again.fixed) == (told.counts, 0)
    assert mended.fixed == count
    assert after.wrong == 0


async def test_what_nobody_would_have_looked_at_is_delivered_after_the_check(driver: Driver):
    """A delivery that stood nowhere, and a line without a holder, go on."""
    await build(driver)
    await driver.redis.zrem(f"{keys.DUE_KEY}crm", "queued:create")
    await driver.redis.delete(keys.LEASES_KEY, f"{keys.HOLDERS_KEY}crm")

    await checked(driver, fix=True)
    driver.time.pass_s(120)
    await driver.tick()
    taken = []
    while claimed := await driver.take():
        for one in claimed:
            taken.append(one)
            await driver.end(one, "delivered")

    assert sorted(ids(taken)) == ["flight", "parked", "queued", "queued"]


async def test_what_is_set_aside_is_shown_and_no_fault(driver: Driver):
    """A record of a later version is told by its key; it makes nothing wrong."""
    await build(driver)
    await driver.redis.hset(call("queued"), "d:crm:create", "Z|0|0|0|0||\n")
    driver.time.pass_s(120)
    await driver.take()

    found = await checked(driver)

    assert [(one.key, one.fault) for one in found.faults] == [("queued:crm:create", "set_aside")]
    assert found.wrong == 0


async def test_what_can_be_read_again_goes_back_at_once(driver: Driver):
    """A later version's check puts back what it can read, without waiting for the clock."""
    await driver.make("odd")
    text = str(await driver.redis.hget(call("odd"), "d:crm:create"))
    await driver.redis.hset(call("odd"), "d:crm:create", "3:" + text)
    await driver.take()
    await driver.redis.hset(call("odd"), "d:crm:create", text)

    await checked(driver, fix=True)

    assert ids(await driver.take()) == ["odd"]


async def test_a_foreign_key_is_told_and_left(driver: Driver):
    """What is no call is nobody's to mend."""
    await driver.redis.set(call("odd"), "x")

    found = await checked(driver, fix=True)

    assert [(one.key, one.fault, one.fixed) for one in found.faults] == [("odd", "not_a_call", False)]
    await driver.redis.delete(call("odd"))
