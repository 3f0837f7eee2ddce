"""Bodies that hold no event: in the ledger, else in the spool, else nowhere, and never a fault for the sender."""

import asyncio
from dataclasses import dataclass, field

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import ReadOnlyError

from receiver.quarantine import MAX_WAITING, Quarantine
from receiver.redis_breaker import RedisBreaker
from receiver.spool.file import Body, SpoolError
from tests.receiver.scripted import FakeLedger


@dataclass
class FakeSpool:
    """Keeps bodies, or fails, or is full."""

    bodies: list[Body] = field(default_factory=list)
    fault: Exception | None = None
    full: bool = False

    async def keep(self, body: Body) -> bool:
        """Keep a body."""
        if self.fault is not None:
            raise self.fault
        if not self.full:
            self.bodies.append(body)
        return not self.full


def quarantine_of(
    ledger: FakeLedger, spool: FakeSpool | None = None, breaker: RedisBreaker | None = None
) -> Quarantine:
    """Return a quarantine with a receipt of its own."""
    return Quarantine(ledger=ledger, spool=spool, breaker=breaker or RedisBreaker(), receipt_us=lambda: 7)


async def keep(quarantine: Quarantine, body: bytes = b"junk") -> bool:
    """Keep a body."""
    return await quarantine.keep(body, reason="the body is not JSON", path_kind="create")


async def test_a_body_goes_into_the_ledger():
    """With its reason and its path."""
    ledger, spool = FakeLedger(), FakeSpool()

    assert await keep(quarantine_of(ledger, spool))
    assert [(b"junk", "the body is not JSON", "create")] == ledger.bodies
    assert [] == spool.bodies


@pytest.mark.parametrize(
    ("fault", "trips"),
    [(RedisConnectionError("gone"), True), (ReadOnlyError("READONLY"), True), (ValueError("ours"), False)],
)
async def test_a_body_goes_into_the_spool_while_redis_takes_none(fault, trips):
    """A Redis that takes no write trips the breaker; an error of ours does not."""
    breaker, spool = RedisBreaker(), FakeSpool()

    assert await keep(quarantine_of(FakeLedger(fault=fault), spool, breaker))
    assert [Body(7, "create", "the body is not JSON", b"junk")] == spool.bodies
    assert trips is not breaker.is_closed


async def test_a_tripped_breaker_spares_redis_the_question():
    """The body goes to the spool at once."""
    ledger, spool, breaker = FakeLedger(), FakeSpool(), RedisBreaker()
    breaker.trip(RedisConnectionError("gone"))

    assert await keep(quarantine_of(ledger, spool, breaker))
    assert [] == ledger.bodies
    assert 1 == len(spool.bodies)


@pytest.mark.parametrize("spool", [None, FakeSpool(full=True), FakeSpool(fault=SpoolError("the disk is full"))])
async def test_a_body_that_nothing_takes_is_not_kept(spool):
    """The sender gets the same answer."""
    assert not await keep(quarantine_of(FakeLedger(fault=RedisConnectionError("gone")), spool))


async def test_a_flood_beyond_what_may_wait_is_not_kept():
    """Those that wait for their write are kept once Redis answers."""
    ledger = FakeLedger()
    ledger.free.clear()
    quarantine = quarantine_of(ledger)
    waiting = [asyncio.create_task(keep(quarantine, b"%d" % number)) for number in range(MAX_WAITING)]
    await asyncio.sleep(0)
    beyond = await keep(quarantine)
    ledger.free.set()

    assert not beyond
    assert [True] * MAX_WAITING == await asyncio.gather(*waiting)
