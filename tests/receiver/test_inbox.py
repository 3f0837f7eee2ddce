"""Group commit: who waits for what, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

from receiver.inbox import EventOutcome, Inbox, InboxFull
from receiver.redis_breaker import RedisBreaker
from receiver.spool.file import SpoolError
from tests.receiver.scripted import FakeLedger, until
from worker.ledger.records import Accepted, Incoming
from worker.ledger.scripts import NotConfirmedError


class FakeSpool:
    """A spool in memory; ``fault`` is raised instead, ``hangs`` never answers."""

    def __init__(self) -> None:
        self.items: list[Incoming] = []
        self.fault: Exception | None = None
        self.volatile = False
        self.hangs = False

    async def put(self, items):
        """Keep, or do what the test asked for."""
        if self.hangs:
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault
        self.items += items


@asynccontextmanager
async def running(ledger: FakeLedger, **changes) -> AsyncIterator[Inbox]:
    """Run an inbox whose clock stands still."""
    options = {"spool": None, "breaker": RedisBreaker(), "wake": lambda _: None, "now_us": lambda: 1000}
    inbox = Inbox(ledger=ledger, **options | changes)
    task = asyncio.create_task(inbox.run())
    try:
        yield inbox
    finally:
        ledger.free.set()
        inbox.close()
        await task


async def test_large_events_go_a_few_at_a_time_and_delay_no_small_one():
    """Of what waits the small ones go first, with the oldest; every event goes, the large ones in their order."""
    ledger = FakeLedger()
    ledger.free.clear()
    async with running(ledger) as inbox:
        answers = [inbox.put("0", "s0")]
        await until(lambda: ledger.groups)
        answers += [inbox.put(f"large{i}", "s" * 200_000) for i in range(5)]
        answers += [inbox.put(f"small{i}", "s") for i in range(3)]
        ledger.free.set()

        assert {EventOutcome.STORED} == set(await asyncio.gather(*answers))

    small = ["small0", "small1", "small2"]
    assert [["0"], ["large0", *small, "large1"], ["large2", "large3"], ["large4"]] == [
        [item.call_id for item in group] for group in ledger.groups
    ]


async def test_an_event_that_its_call_has_no_room_for_is_answered_and_wakes_nobody():
    """It is kept in quarantine, and is no failure."""
    ledger, woken = FakeLedger(full="1"), list[str]()
    async with running(ledger, wake=woken.extend) as inbox:
        assert EventOutcome.QUARANTINED is await inbox.put("1", "s1")
        assert EventOutcome.STORED is await inbox.put("2", "s2")

    assert ["2"] == woken


async def test_an_event_whose_call_waits_for_another_is_stored_and_wakes_nobody():
    """It is acknowledged and journaled as every new event is."""
    ledger, woken, journaled = FakeLedger(waiting="1"), list[str](), list[Incoming]()
    async with running(ledger, wake=woken.extend, journal=journaled.extend) as inbox:
        assert EventOutcome.STORED is await inbox.put("1", "s1")
        assert [] == woken
        assert EventOutcome.STORED is await inbox.put("2", "s2")

    assert ["2"] == woken
    assert ["1", "2"] == [item.call_id for item in journaled]


async def test_what_arrives_during_a_write_goes_as_one_group():
    """The first event goes alone, everything that came meanwhile goes together, in order."""
    ledger = FakeLedger()
    ledger.free.clear()
    async with running(ledger) as inbox:
        answers = [inbox.put("0", "s0")]
        await until(lambda: ledger.groups)
        answers += [inbox.put(str(i), f"s{i}") for i in range(1, 100)]
        ledger.free.set()
        outcomes = await asyncio.gather(*answers)

    assert {EventOutcome.STORED} == set(outcomes)
    assert [1, 99] == [len(group) for group in ledger.groups]
    assert [str(i) for i in range(1, 100)] == [item.call_id for item in ledger.groups[1]]


async def test_a_group_is_bounded():
    """However much waits, one script takes a bounded list."""
    ledger = FakeLedger()
    async with running(ledger, max_group=40) as inbox:
        await asyncio.gather(*(inbox.put(str(i), "s") for i in range(100)))

    assert [40, 40, 20] == [len(group) for group in ledger.groups]


async def test_receipts_grow_even_while_the_clock_stands_still():
    """Two events of one microsecond still have an order."""
    ledger = FakeLedger()
    async with running(ledger) as inbox:
        await asyncio.gather(*(inbox.put("1", f"s{i}") for i in range(3)))

    assert [1000, 1001, 1002] == [item.received_us for group in ledger.groups for item in group]


async def test_tells_new_from_same_from_remembered_and_wakes_only_what_is_new():
    """All three are acknowledged; only the first is work."""
    woken: list[str] = []
    ledger = FakeLedger(remembered=frozenset({"old"}))
    async with running(ledger, wake=woken.extend) as inbox:
        outcomes = [await inbox.put("1", "s"), await inbox.put("1", "s"), await inbox.put("old", "s")]

    assert [EventOutcome.STORED, EventOutcome.SAME, EventOutcome.REMEMBERED] == outcomes
    assert ["1"] == woken


@pytest.mark.parametrize(
    "fault", [RedisConnectionError("gone"), OutOfMemoryError("OOM"), ValueError("a bug"), OSError("gone")]
)
async def test_what_redis_refuses_goes_to_the_spool_and_the_next_ones_straight_there(fault):
    """After one refused group nobody waits for Redis again until a probe succeeds."""
    ledger, spool, breaker = FakeLedger(fault=fault), FakeSpool(), RedisBreaker()
    async with running(ledger, spool=spool, breaker=breaker) as inbox:
        outcomes = [await inbox.put(str(i), "s") for i in range(3)]

    assert [EventOutcome.SPOOLED] * 3 == outcomes
    assert ["0", "1", "2"] == [item.call_id for item in spool.items]
    assert 1 == len(ledger.groups)
    assert not breaker.is_closed


async def test_a_volatile_spool_keeps_and_acknowledges_nothing():
    """Its events are told apart from those that are safe and from those that are nowhere."""
    ledger, spool = FakeLedger(fault=RedisConnectionError("gone")), FakeSpool()
    spool.volatile = True
    async with running(ledger, spool=spool) as inbox:
        kept = await inbox.put("0", "s")
        spool.fault = SpoolError("full")
        nowhere = await inbox.put("1", "s")

    assert (EventOutcome.KEPT, EventOutcome.REFUSED) == (kept, nowhere)
    assert ["0"] == [item.call_id for item in spool.items]


async def test_an_item_that_fails_alone_spoils_no_other():
    """The others are stored; it goes to the spool, and the breaker stays closed."""
    ledger, spool, breaker = FakeLedger(failing="bad"), FakeSpool(), RedisBreaker()
    async with running(ledger, spool=spool, breaker=breaker) as inbox:
        outcomes = await asyncio.gather(*(inbox.put(call_id, "s") for call_id in ("1", "bad", "2")))

    assert [EventOutcome.STORED, EventOutcome.SPOOLED, EventOutcome.STORED] == outcomes
    assert ["bad"] == [item.call_id for item in spool.items]
    assert breaker.is_closed


async def test_without_a_spool_a_refused_group_is_refused():
    """Never a false acknowledgement."""
    async with running(FakeLedger(fault=RedisConnectionError("gone"))) as inbox:
        assert EventOutcome.REFUSED is await inbox.put("1", "s")


async def test_a_full_disk_refuses():
    """Neither Redis nor the spool has it."""
    spool = FakeSpool()
    spool.fault = SpoolError("disk full")
    async with running(FakeLedger(fault=RedisConnectionError("gone")), spool=spool) as inbox:
        assert EventOutcome.REFUSED is await inbox.put("1", "s")


@pytest.mark.parametrize("disk_hangs", [False, True])
async def test_answers_within_two_seconds_when_redis_hangs(disk_hangs):
    """The write under way, the one behind it and a hanging disk: all have their answer in time."""
    ledger, spool = FakeLedger(), FakeSpool()
    ledger.free.clear()
    spool.hangs = disk_hangs
    loop = asyncio.get_running_loop()
    async with running(ledger, spool=spool) as inbox:
        begun = loop.time()
        first = inbox.put("1", "s")
        await until(lambda: ledger.groups)
        second = inbox.put("2", "s")
        expected = EventOutcome.REFUSED if disk_hangs else EventOutcome.SPOOLED

        assert expected is await first
        assert loop.time() - begun < 2.0
        assert expected is await second
        assert loop.time() - begun < (2.3 if disk_hangs else 2.0)


async def test_waits_are_bounded_in_number_and_in_size():
    """Beyond it the sender is told to come back, and memory stays what it is."""
    ledger = FakeLedger()
    ledger.free.clear()
    async with running(ledger, max_waiting=3, max_waiting_chars=100) as inbox:
        waiting = [inbox.put("1", "x" * 90)]
        with pytest.raises(InboxFull):
            inbox.put("2", "x" * 11)
        waiting += [inbox.put(str(i), "x") for i in range(2)]
        with pytest.raises(InboxFull):
            inbox.put("3", "x")
        ledger.free.set()
        await asyncio.gather(*waiting)

        assert EventOutcome.STORED is await inbox.put("4", "x" * 90)


async def test_what_waits_at_the_close_is_stored_and_nothing_more_is_taken():
    """A receiver that ends answers everybody first."""
    ledger = FakeLedger()
    async with running(ledger) as inbox:
        answers = [inbox.put(str(i), "s") for i in range(5)]
        inbox.close()
        outcomes = await asyncio.gather(*answers)
        with pytest.raises(InboxFull):
            inbox.put("9", "s")

    assert [EventOutcome.STORED] * 5 == outcomes


async def test_a_notifier_that_breaks_its_promise_costs_no_acknowledgement():
    """The answers are given before the wake-up, and the inbox lives on."""

    def wake(ids):
        raise RuntimeError("broken")

    async with running(FakeLedger(), wake=wake) as inbox:
        assert EventOutcome.STORED is await inbox.put("1", "s")
        assert EventOutcome.STORED is await inbox.put("2", "s")


async def test_somebody_who_left_disturbs_nobody():
    """A cancelled answer is passed over."""
    ledger = FakeLedger()
    ledger.free.clear()
    async with running(ledger) as inbox:
        first, second = inbox.put("1", "s"), inbox.put("2", "s")
        first.cancel()
        ledger.free.set()

        assert EventOutcome.STORED is await second


async def test_what_no_replica_has_goes_to_the_spool_as_well():
    """It is in the ledger, so whom it concerns is woken; the breaker stays closed, and a refusal needs no spool."""
    ledger, spool, breaker = FakeLedger(), FakeSpool(), RedisBreaker()
    woken: list[str] = []
    ledger.fault = NotConfirmedError([Accepted.NEW, Accepted.FOREIGN, Accepted.SAME])
    ledger.free.clear()
    async with running(ledger, spool=spool, breaker=breaker, wake=woken.extend) as inbox:
        answers = [inbox.put(call_id, "s{}") for call_id in ("new", "theirs", "same")]
        ledger.free.set()
        outcomes = [await answer for answer in answers]

    assert [EventOutcome.SPOOLED, EventOutcome.FOREIGN, EventOutcome.SPOOLED] == outcomes
    assert (["new", "same"], ["new"], True) == ([i.call_id for i in spool.items], woken, breaker.is_closed)


async def test_what_no_replica_has_is_refused_where_there_is_no_spool():
    """Redis has it, and yet it is no promise."""
    ledger = FakeLedger(fault=NotConfirmedError([Accepted.NEW]))
    async with running(ledger) as inbox:
        assert EventOutcome.REFUSED is await inbox.put("1", "s{}")
