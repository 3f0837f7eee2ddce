"""From the spool to the ledger, and the breaker between them."""

import asyncio
from contextlib import suppress

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from receiver.redis_breaker import RedisBreaker
from receiver.spool.drainer import DrainStopped, Pace, drain
from receiver.spool.file import Body, SpoolStatus
from receiver.spool.spool import Spool
from tests.receiver.scripted import FakeLedger, until
from tests.receiver.spool.draining import event, looking_after
from worker.ledger.records import Accepted, Incoming
from worker.ledger.scripts import NotConfirmedError


@pytest.fixture
async def spool(tmp_path):
    """Return an empty spool."""
    made = Spool.at(tmp_path / "spool.db")
    yield made
    await made.close()


async def test_moves_everything_in_order_and_tells_whom_to_wake(spool):
    """Batches follow one another until the spool is empty."""
    ledger = FakeLedger()
    moved: list[str] = []
    await spool.put([event(n) for n in range(600)])
    count = await drain(spool, ledger=ledger, now_us=lambda: 0, moved=moved.extend)

    assert 600 == count
    assert [event(n) for n in range(600)] == [item for group in ledger.groups for item in group]
    assert [256, 256, 88] == [len(group) for group in ledger.groups]
    assert [str(n) for n in range(600)] == moved
    assert 0 == (await spool.status()).events


async def test_a_spooled_event_whose_call_waits_for_another_wakes_nobody(spool):
    """It is moved all the same; what the ledger had before is looked at, for nobody may have been told of it."""
    ledger = FakeLedger(waiting="1")
    moved: list[str] = []
    await spool.put([event(1), event(2), event(2)])

    assert 3 == await drain(spool, ledger=ledger, now_us=lambda: 0, moved=moved.extend)
    assert ["2", "2"] == moved
    assert 0 == (await spool.status()).events


async def test_a_batch_that_was_moved_before_a_kill_is_known_the_second_time(spool):
    """Equal records are one event, so moving twice is harmless."""
    ledger = FakeLedger()
    await spool.put([event(1), event(1)])
    await drain(spool, ledger=ledger, now_us=lambda: 0)

    assert {"1": ["s1"]} == ledger.events


async def test_stops_when_redis_refuses_and_keeps_the_rest(spool):
    """Nothing leaves the spool before the ledger has it."""
    ledger = FakeLedger(fault=ResponseError("MISCONF Redis is configured to save RDB snapshots"))
    await spool.put([event(1), event(2)])
    with pytest.raises(DrainStopped):
        await drain(spool, ledger=ledger, now_us=lambda: 0)

    assert 2 == (await spool.status()).events
    assert 1 == len(ledger.groups)


@pytest.mark.parametrize("kind", ["failing", "poison"])
async def test_an_event_that_the_ledger_cannot_take_holds_up_no_other(spool, kind):
    """It is put back for later and never dropped, whether it fails alone or takes its group with it."""
    ledger = FakeLedger()
    setattr(ledger, kind, "0")
    await spool.put([event(n) for n in range(5)])
    count = await drain(spool, ledger=ledger, now_us=lambda: 0)

    assert 4 == count
    assert {"1", "2", "3", "4"} == set(ledger.events)
    assert 1 == (await spool.status()).events
    setattr(ledger, kind, "")
    assert 0 == await drain(spool, ledger=ledger, now_us=lambda: 59_000_000)
    assert 1 == await drain(spool, ledger=ledger, now_us=lambda: 61_000_000)


class Slow(FakeLedger):
    """Takes no write of more than ``most`` events or with one of ``never`` in its time, and lives."""

    most = 1_000
    never: frozenset[str] = frozenset()
    answers = True

    async def accept(self, items):
        """Take it, or let the caller wait for good."""
        if len(items) > self.most or not self.never.isdisjoint(item.call_id for item in items):
            self.groups.append(list(items))
            await asyncio.Event().wait()
        return await super().accept(items)

    async def ping(self):
        """Live, or be busy with the write that nobody waits for any more."""
        if not self.answers:
            raise ResponseError("BUSY Redis is busy running a script")


async def test_a_batch_that_does_not_fit_its_time_is_halved(spool):
    """Until it fits; what fits goes on, in order, and grows again slowly."""
    ledger = Slow()
    ledger.most = 50
    await spool.put([event(n) for n in range(300)])
    count = await drain(spool, ledger=ledger, now_us=lambda: 0, write_s=0.01)

    assert 300 == count
    assert [str(n) for n in range(300)] == list(ledger.events)
    assert [256, 128, 64, 32, 33, 34] == [len(group) for group in ledger.groups][:6]


@pytest.mark.parametrize("places", [{128}, {0}, {299}, {7, 8, 200}])
async def test_an_event_that_never_fits_is_set_aside_and_holds_up_no_other(spool, places):
    """Found by halving, tried twice alone, kept, counted, and tried again a minute later."""
    ledger = Slow()
    ledger.never = frozenset(map(str, places))
    await spool.put([event(n) for n in range(300)])
    count = await drain(spool, ledger=ledger, now_us=lambda: 0, write_s=0.01)
    status = await spool.status()

    assert 300 - len(places) == count
    assert [str(n) for n in range(300) if n not in places] == list(ledger.events)
    assert (len(places), len(places)) == (status.events, status.set_aside)
    assert len(ledger.groups) < 16 * (len(places) + 1)
    assert 0 == await drain(spool, ledger=ledger, now_us=lambda: 59_000_000, write_s=0.01)
    ledger.never = frozenset()
    assert len(places) == await drain(spool, ledger=ledger, now_us=lambda: 61_000_000, write_s=0.01)
    assert (0, 0) == ((await spool.status()).events, (await spool.status()).set_aside)


async def test_large_events_go_in_smaller_batches(spool):
    """A batch holds as many bytes as Redis takes at a stroke."""
    ledger = FakeLedger()
    await spool.put([Incoming(str(n), n, "s" * 60_000) for n in range(40)])

    assert 40 == await drain(spool, ledger=ledger, now_us=lambda: 0)
    assert [17, 17, 6] == [len(group) for group in ledger.groups]


async def test_a_redis_that_stays_busy_stops_the_drain_and_the_next_goes_on_smaller(spool):
    """It is left alone meanwhile; the event that was at fault is found over several drains."""
    ledger, pace = Slow(), Pace()
    ledger.never, ledger.answers = frozenset({"100"}), False
    await spool.put([event(n) for n in range(256)])
    stops = 0
    while (await spool.status()).set_aside == 0:
        with suppress(DrainStopped):
            await drain(spool, ledger=ledger, now_us=lambda: 0, write_s=0.01, pace=pace)
        stops += 1
        assert stops < 20

    await drain(spool, ledger=ledger, now_us=lambda: 0, write_s=0.01, pace=pace)
    assert 255 == len(ledger.events)


async def test_moves_kept_bodies_to_quarantine(spool):
    """They go after the events."""
    ledger = FakeLedger()
    await spool.keep(Body(5, "create", "not JSON", b"\xff"))
    await drain(spool, ledger=ledger, now_us=lambda: 0)

    assert [(b"\xff", "not JSON", "create")] == ledger.bodies
    assert 0 == (await spool.status()).bodies


async def test_resets_the_breaker_when_redis_is_back_and_drains(spool):
    """While Redis is away nothing moves; then everything does, and the calls are woken."""
    ledger, breaker = FakeLedger(fault=RedisConnectionError("gone")), RedisBreaker()
    woken: list[str] = []
    depths: list[SpoolStatus] = []
    breaker.trip(RedisConnectionError("gone"))
    await spool.put([event(1), event(2)])
    async with looking_after(ledger, breaker, spool, woken=woken, depths=depths):
        await until(lambda: len(depths) > 2)
        assert not breaker.is_closed
        assert [] == ledger.groups
        ledger.fault = None
        await until(lambda: breaker.is_closed and depths[-1].events == 0)

    assert ["1", "2"] == woken
    assert 2 == depths[0].events


async def test_redis_that_lives_but_takes_no_writes_keeps_the_breaker_tripped(spool):
    """Draining is the proof: PING alone would reset the breaker for every group to be refused."""

    class ReadOnly(FakeLedger):
        async def ping(self):
            return

    ledger, breaker = (
        ReadOnly(fault=ResponseError("READONLY You can't write against a read only replica.")),
        RedisBreaker(),
    )
    breaker.trip(RedisConnectionError("gone"))
    await spool.put([event(1)])
    async with looking_after(ledger, breaker, spool):
        await until(lambda: len(ledger.groups) > 2)
        assert not breaker.is_closed
        ledger.fault = None
        await until(lambda: breaker.is_closed)

    assert {"1": ["s1"]} == ledger.events


async def test_resets_the_breaker_without_a_spool():
    """A platform without a disk has only the PING."""
    ledger, breaker = FakeLedger(), RedisBreaker()
    breaker.trip(RedisConnectionError("gone"))
    async with looking_after(ledger, breaker, None):
        await until(lambda: breaker.is_closed)


async def test_drains_what_an_earlier_life_left(spool):
    """The breaker never tripped in this life."""
    ledger, breaker = FakeLedger(), RedisBreaker()
    await spool.put([event(1)])
    async with looking_after(ledger, breaker, spool):
        await until(lambda: "1" in ledger.events)


async def test_leaves_the_draining_to_whoever_has_the_lock(spool):
    """The breaker is reset all the same, for new events need not wait."""
    ledger, breaker = FakeLedger(), RedisBreaker()
    breaker.trip(RedisConnectionError("gone"))
    await spool.put([event(1)])
    with spool.drain_lock() as mine:
        async with looking_after(ledger, breaker, spool):
            await until(lambda: breaker.is_closed)

    assert mine
    assert [] == ledger.groups


async def test_nothing_of_what_was_drained_stays_in_the_files(spool, tmp_path):
    """Neither in the file nor in its WAL, while the receiver has both open: be it bodies alone, or events."""
    for put in (spool.keep(Body(1, "create", "not JSON", b"0491570156")), spool.put([Incoming("1", 1, "s0491570156")])):
        await put
        assert [file.name for file in tmp_path.iterdir() if b"0491570156" in file.read_bytes()]
        await drain(spool, ledger=FakeLedger(), now_us=lambda: 0)

        assert [] == [file.name for file in tmp_path.iterdir() if b"0491570156" in file.read_bytes()]


async def test_what_no_replica_has_stays_in_the_spool_and_holds_up_no_other(spool):
    """Every batch is handed in, and again later, until it is confirmed; the breaker has nothing to do with it."""
    moved: list[str] = []
    await spool.put([event(n) for n in range(300)])
    ledger = Unconfirmed()
    assert 0 == await drain(spool, ledger=ledger, now_us=lambda: 0, moved=moved.extend)
    assert [256, 44] == [len(group) for group in ledger.groups]
    assert ([str(n) for n in range(300)], 300) == (moved, (await spool.status()).events)

    assert 0 == await drain(spool, ledger=ledger, now_us=lambda: 0)
    ledger.lags = False
    assert 300 == await drain(spool, ledger=ledger, now_us=lambda: 10_000_000)
    assert 0 == (await spool.status()).events
    assert {str(n): [f"s{n}"] for n in range(300)} == ledger.events


class Unconfirmed(FakeLedger):
    """Takes events while its replica ``lags``."""

    lags = True

    async def accept(self, items):
        """Keep them, and say that no replica has them."""
        answers = await super().accept(items)
        assert set(answers) <= {Accepted.NEW, Accepted.SAME}
        if self.lags:
            raise NotConfirmedError(answers)
        return answers
