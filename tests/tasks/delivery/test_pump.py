"""The pump: slots, handed keys, rates, and no wake-up lost."""

import asyncio
import time
from random import Random

from schemas.delivery import DeliveryKey
from tasks.delivery.pump import CLAIM_LIMIT
from tests.ledgers import Driver, key_of
from tests.tasks.delivery.fake_deliverer import FakeDeliverer, finished, make_pump
from worker.ledger.ledger import Ledger


async def test_never_more_are_under_way_than_the_destination_allows(driver: Driver, fake: FakeDeliverer):
    """A slot is claimed for when it is free; one that is never free holds up no other."""
    names = [f"c{i:02}" for i in range(20)]
    await driver.make(*names)
    fake.hold(*names)
    run = asyncio.create_task(make_pump(fake).run())
    await fake.until(under_way=3)
    assert ["in_flight"] * 3 + ["queued"] * 17 == await driver.states(*names)
    for name in names[1:]:
        await fake.until(under_way=3 if name < "c18" else 2 if name < "c19" else None)
        fake.let_go(name)
        await fake.until(delivered=names.index(name))
    fake.let_go()
    await finished(run)

    assert 3 == fake.most
    assert ["delivered"] * 20 == await driver.states(*names)


async def test_a_backlog_larger_than_a_claim_is_worked_off_in_one_run(driver: Driver, fake: FakeDeliverer):
    """One message is enough for any backlog."""
    names = [f"c{i:03}" for i in range(140)]
    await driver.make(*names)
    fake.hold(*names)
    run = asyncio.create_task(make_pump(fake, concurrency=CLAIM_LIMIT + 16).run())
    await fake.until(under_way=CLAIM_LIMIT + 16)
    fake.let_go()
    await finished(run)

    assert names == sorted(fake.delivered)
    assert CLAIM_LIMIT + 16 == fake.most


async def test_a_run_without_work_ends_at_once(fake: FakeDeliverer):
    """A message that came late does nothing."""
    await finished(asyncio.create_task(make_pump(fake).run([key_of("gone")])))

    assert [] == fake.delivered


async def test_a_second_task_hands_its_keys_over_and_returns(driver: Driver, fake: FakeDeliverer):
    """A destination that hangs holds one thread, and takes what it has room for."""
    await driver.make("hung", "new")
    fake.hold("hung")
    pump = make_pump(fake, concurrency=1)
    run = asyncio.create_task(pump.run([key_of("hung")]))
    await fake.until(under_way=1)
    await finished(asyncio.create_task(pump.run([key_of("new")])))
    assert [] == fake.delivered
    fake.let_go()
    await finished(run)

    assert ["hung", "new"] == fake.delivered


async def test_keys_handed_over_start_while_another_attempt_hangs(driver: Driver, fake: FakeDeliverer):
    """A hung attempt keeps its own slot only."""
    await driver.make("hung")
    fake.hold("hung")
    pump = make_pump(fake)
    run = asyncio.create_task(pump.run())
    await fake.until(under_way=1)
    await driver.make("new")
    await pump.run([key_of("new")])
    await fake.until(delivered=1)
    assert ["new"] == fake.delivered
    fake.let_go()
    await finished(run)


async def test_every_task_handed_over_answers_the_wake_up(driver: Driver, fake: FakeDeliverer):
    """While one attempt hangs, what becomes due waits for the next tick, and not for the wake-up to lapse."""
    await driver.make("hung")
    fake.hold("hung")
    pump = make_pump(fake)
    run = asyncio.create_task(pump.run())
    await fake.until(under_way=1)
    for i in range(3):
        await driver.make(f"due-{i}")
        assert ("crm",) == await driver.tick()
        await pump.run()
        await fake.until(delivered=i + 1)
    fake.let_go()
    await finished(run)


async def test_no_wake_up_is_lost_however_runs_begin_and_end(driver: Driver, fake: FakeDeliverer):
    """Whatever is made before its task runs is delivered by that task or by the run that took it over."""
    pump = make_pump(fake, concurrency=2)
    rng = Random(7)
    names = [f"c{i:03}" for i in range(60)]

    async def one(name: str) -> None:
        for _ in range(rng.randrange(60)):
            await asyncio.sleep(0)
        await driver.make(name)
        for _ in range(rng.randrange(20)):
            await asyncio.sleep(0)
        await pump.run([key_of(name)] if rng.random() < 0.5 else ())

    async with asyncio.timeout(30):
        await asyncio.gather(*map(one, names))

    assert names == sorted(fake.delivered)


async def test_a_rate_is_waited_for_while_attempts_come_and_go(driver: Driver, fake: FakeDeliverer):
    """The run goes on at the rate until nothing is left: a second message is not needed."""
    names = [f"c{i:02}" for i in range(30)]
    await driver.make(*names)
    ledger = Ledger(driver.redis, clock_ms=lambda: driver.time.ms + round(time.monotonic() * 1000))
    began = time.monotonic()
    async with asyncio.timeout(20):
        await make_pump(fake, ledger, concurrency=50, rate_per_s=20.0).run()

    assert names == sorted(fake.delivered)
    assert 0.4 <= time.monotonic() - began


async def test_more_keys_than_a_claim_takes_are_not_collected(driver: Driver, fake: FakeDeliverer):
    """A destination that hangs keeps a bounded list; the others are found by the clock."""
    await driver.make("hung")
    fake.hold("hung")
    pump = make_pump(fake, concurrency=1)
    run = asyncio.create_task(pump.run())
    await fake.until(under_way=1)
    for start in range(0, 1000, 50):
        await pump.run([DeliveryKey(f"c{start + i}", "crm", "create") for i in range(50)])

    assert CLAIM_LIMIT >= len(pump._handed)
    fake.let_go()
    await finished(run)


async def test_the_next_in_line_is_taken_when_the_one_before_has_ended(driver: Driver, fake: FakeDeliverer):
    """Deliveries of one caller run one after the other in one run: none waits for the clock."""
    names = [f"c{i}" for i in range(5)]
    await driver.make(*names, group="61491570156")
    await finished(asyncio.create_task(make_pump(fake).run([key_of(name) for name in names])))

    assert names == fake.delivered
    assert 1 == fake.most


async def test_a_run_that_lingers_delivers_what_it_is_handed(driver: Driver, fake: FakeDeliverer):
    """A process that plans a call delivers it without a message to itself."""
    pump = make_pump(fake, linger_s=20.0)
    await driver.make("first")
    run = asyncio.create_task(pump.run([key_of("first")]))
    await fake.until(delivered=1, under_way=0)
    await driver.make("second")

    assert pump.hand([key_of("second")])
    await fake.until(delivered=2, under_way=0)
    pump.stop()
    await finished(run)
    assert ["first", "second"] == fake.delivered


async def test_a_run_that_lingers_ends_when_nothing_comes(driver: Driver, fake: FakeDeliverer):
    """A destination without work holds its thread for a moment only."""
    await driver.make("call")
    await finished(asyncio.create_task(make_pump(fake, linger_s=0.01).run([key_of("call")])))

    assert ["call"] == fake.delivered


async def test_keys_are_not_taken_without_a_run_or_without_room(driver: Driver, fake: FakeDeliverer):
    """What this process cannot begin at once is for another: the message goes out."""
    pump = make_pump(fake, concurrency=2, linger_s=20.0)
    without_a_run = pump.hand([key_of("slow")])
    await driver.make("slow")
    fake.hold("slow")
    run = asyncio.create_task(pump.run([key_of("slow")]))
    await fake.until(under_way=1)
    two_for_one_slot = pump.hand([key_of("one"), key_of("two")])
    with_room = pump.hand([key_of("one")])
    full = pump.hand([key_of("two")])
    fake.let_go()
    pump.stop()
    await finished(run)

    assert (False, False, True, False) == (without_a_run, two_for_one_slot, with_room, full)
    assert not pump.hand([key_of("late")])
