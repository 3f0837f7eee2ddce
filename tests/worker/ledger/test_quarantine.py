"""Quarantine: bodies that hold no event are kept, within bounds (contract, section 4)."""

from tests.ledgers import NOON, Driver
from worker.ledger.ledger import MAX_QUARANTINED, MAX_QUARANTINED_BYTES
from worker.ledger.queries import quarantined
from worker.ledger.retention import Retention, sweep


async def bodies(driver: Driver) -> list[bytes]:
    """Return the bodies kept, the oldest first."""
    found = [one.body async for one in quarantined(driver.ledger)]
    return found[::-1]


async def keep(driver: Driver, body: bytes, *, received_us: int = NOON * 1000) -> str:
    """Put a body into quarantine."""
    return await driver.ledger.quarantine(body, reason="not JSON", path_kind="create", received_us=received_us)


async def test_a_body_is_kept_byte_for_byte(driver: Driver):
    """Whatever it holds, with the reason and the moment of its receipt."""
    body = bytes(range(256)) + "späte".encode()
    body_id = await keep(driver, body, received_us=NOON * 1000 + 7)
    [kept] = [one async for one in quarantined(driver.ledger)]

    assert (body_id, body, "not JSON", "create", NOON * 1000 + 7) == (
        kept.body_id, kept.body, kept.reason, kept.path_kind, kept.received_us,
    )  # fmt: skip


async def test_the_same_push_is_kept_once(driver: Driver):
    """A write that was repeated because its answer was lost gives the same id."""
    assert await keep(driver, b"one") == await keep(driver, b"one")
    assert await keep(driver, b"one") != await keep(driver, b"two")

    assert 2 == (await driver.ledger.overview()).quarantined


async def test_the_oldest_bodies_make_room_for_new_ones(driver: Driver):
    """At most so many bodies."""
    for i in range(5):
        await keep(driver, str(i).encode(), received_us=NOON * 1000 + i * 1000)
    driver.time.pass_s(1)
    await driver.ledger.scripts.run("quarantine", 3, 1_000_000, "late", NOON - 1, "x")

    assert [b"2", b"3", b"4"] == await bodies(driver)
    assert 3 == await driver.redis.hlen("sb:bodies")


async def test_large_bodies_are_bounded_by_their_bytes(driver: Driver):
    """At most so many bytes, counted right through every removal."""
    for i in range(30):
        await driver.ledger.scripts.run("quarantine", 10_000, 10_000, str(i), NOON + i, "x" * (900 + i))
    stored = [len(text) for text in (await driver.redis.hgetall("sb:bodies")).values()]

    assert sum(stored) == int(await driver.redis.get("sb:bodybytes") or 0)
    assert 8_000 < sum(stored) <= 10_000
    assert len(stored) == (await driver.ledger.overview()).quarantined


async def test_the_contract_names_the_bounds():
    """At most 10,000 bodies of 64 MB together."""
    assert (10_000, 64 * 1024 * 1024) == (MAX_QUARANTINED, MAX_QUARANTINED_BYTES)


async def test_bodies_go_with_the_dead_letters(driver: Driver):
    """Ninety days after their receipt."""
    await keep(driver, b"old")
    driver.time.pass_s(86_400)
    await keep(driver, b"new", received_us=driver.time.ms * 1000)
    driver.time.pass_s(89 * 86_400 + 1)
    await sweep(driver.ledger, Retention(calls_s=1, dead_s=90 * 86_400, remember_s=1))

    assert [b"new"] == await bodies(driver)
