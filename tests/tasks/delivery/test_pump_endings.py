"""How a pump's run ends: stopped, cut, without Redis, before a shut destination, after a bug of ours."""

import asyncio

import pytest

from schemas.captorra import SPEC
from tasks.delivery.finish_writer import FinishWriter
from tasks.delivery.pump import Pump
from tests.destinations import make_destination
from tests.ledgers import LEASE_MS, Driver, key_of
from tests.tasks.delivery.fake_deliverer import FakeDeliverer, finished, make_pump
from worker.ledger.records import Claimed, Finish, Verdict


async def test_stop_claims_nothing_more_and_lets_attempts_end(driver: Driver, fake: FakeDeliverer):
    """SIGTERM: what is under way gets its time, what is due stays due."""
    await driver.make("c1", "c2", "c3", "c4")
    fake.hold("c1", "c2", "c3")
    pump = make_pump(fake)
    run = asyncio.create_task(pump.run())
    await fake.until(under_way=3)
    pump.stop()
    fake.let_go("c1")
    await fake.until(delivered=1)
    assert not run.done()
    fake.let_go()
    await finished(run)
    await finished(asyncio.create_task(pump.run([key_of("c4")])))

    assert ["delivered"] * 3 + ["queued"] == await driver.states("c1", "c2", "c3", "c4")


async def test_whoever_waits_for_the_end_sees_the_last_attempt_end(driver: Driver, fake: FakeDeliverer):
    """Also beside the run, which waits for the same: of two that were woken by one end, one thought its time over."""
    await driver.make("c1", "c2", "c3")
    fake.hold("c1", "c2", "c3")
    pump = make_pump(fake)
    run = asyncio.create_task(pump.run())
    await fake.until(under_way=3)
    pump.stop()
    ends = [asyncio.create_task(pump.ended()) for _ in range(2)]
    for count, name in enumerate(("c1", "c2"), start=1):
        fake.let_go(name)
        await fake.until(delivered=count)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [False] * 3 == [one.done() for one in (run, *ends)]
    fake.let_go()
    await finished(run)
    await asyncio.gather(*ends)

    assert ["delivered"] * 3 == await driver.states("c1", "c2", "c3")


async def test_stop_ends_a_run_that_waits_for_its_rate(driver: Driver, fake: FakeDeliverer):
    """A slow rate does not hold up a shutdown."""
    await driver.make("c1", "c2")
    pump = make_pump(fake, rate_per_s=1 / 3600)
    run = asyncio.create_task(pump.run())
    await fake.until(delivered=1)
    assert not run.done()
    pump.stop()
    await finished(run)


async def test_cut_ends_what_is_under_way(driver: Driver, fake: FakeDeliverer):
    """Each attempt records for itself that nobody saw its outcome."""
    await driver.make("c1", "c2")
    fake.hold("c1", "c2")
    pump = make_pump(fake)
    run = asyncio.create_task(pump.run())
    await fake.until(under_way=2)
    pump.stop()
    pump.cut()
    await finished(run)

    assert ["c1", "c2"] == sorted(fake.cut)
    assert ["retrying", "retrying"] == await driver.states("c1", "c2")


async def test_cut_ends_the_run_though_nothing_can_be_recorded(driver: Driver):
    """A shutdown does not wait for a Redis that is away: it is then as if the worker had been killed."""
    finish_writer = FinishWriter(driver.ledger)
    began, recorded = asyncio.Event(), asyncio.Event()

    async def deliver(claimed: Claimed) -> bool:
        assert driver.server is not None
        driver.server.connected = False
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await finish_writer.write(Finish(key=claimed.key, fence=claimed.fence, verdict=Verdict.INTERRUPTED))
            recorded.set()
        return False

    await driver.make("c1")
    pump = Pump(make_destination(SPEC), ledger=driver.ledger, deliver=deliver, lease_ms=LEASE_MS)
    run = asyncio.create_task(pump.run())
    await began.wait()
    pump.stop()
    pump.cut()
    await finished(run)
    assert driver.server is not None
    driver.server.connected = True
    async with asyncio.timeout(5):
        await recorded.wait()

    assert ["retrying"] == await driver.states("c1")


async def test_a_redis_that_is_away_ends_the_run(driver: Driver, fake: FakeDeliverer):
    """What is due stays due: the clock wakes the destination when Redis is back."""
    await driver.make("c1")
    assert driver.server is not None
    driver.server.connected = False
    pump = make_pump(fake)
    await finished(asyncio.create_task(pump.run([key_of("c1")])))
    driver.server.connected = True
    await finished(asyncio.create_task(pump.run()))

    assert ["c1"] == fake.delivered


async def test_a_redis_that_goes_away_meanwhile_leaves_the_attempts_alone(driver: Driver, fake: FakeDeliverer):
    """The run ends when its attempts have."""
    await driver.make("c1", "c2")
    fake.hold("c1")
    pump = make_pump(fake, concurrency=1)
    run = asyncio.create_task(pump.run())
    await fake.until(under_way=1)
    assert driver.server is not None
    driver.server.connected = False
    await pump.run([key_of("c2")])
    driver.server.connected = True
    fake.let_go()
    await finished(run)

    assert ["c1", "c2"] == fake.delivered


async def test_a_shut_destination_ends_the_run(driver: Driver, fake: FakeDeliverer):
    """A paused destination takes nothing, whoever asks for it by key."""
    await driver.make("c1")
    await driver.redis.hset("sb:gate:crm", "paused", "1")
    await finished(asyncio.create_task(make_pump(fake).run([key_of("c1")])))

    assert ["queued"] == await driver.states("c1")


async def test_a_probe_is_one_attempt(driver: Driver, fake: FakeDeliverer):
    """However many slots are free; its success lets the next run take the others."""
    await driver.make("c1", "c2", "c3")
    await driver.end(await driver.take_one(), "blocked")
    driver.time.pass_s(600)
    fake.hold("c1", "c2", "c3")
    pump = make_pump(fake)
    run = asyncio.create_task(pump.run())
    await fake.until(under_way=1)
    await pump.run()
    await pump.run([key_of("c1")])
    await asyncio.sleep(0)
    assert {"c2"} == fake.under_way
    fake.let_go()
    await finished(run)
    await finished(asyncio.create_task(pump.run()))

    assert 3 == len(fake.delivered)


async def test_what_could_outlive_its_lease_is_not_begun(driver: Driver, fake: FakeDeliverer):
    """A process that was stopped between a claim and its attempts leaves them to whoever claims them next."""
    await driver.make("c1", "c2")
    destination = make_destination(SPEC)
    too_short_ms = round(destination.timeout_s * 1000) - 1
    pump = Pump(destination, ledger=driver.ledger, deliver=fake.deliver, lease_ms=too_short_ms)
    await finished(asyncio.create_task(pump.run()))
    assert ([], ["in_flight"] * 2) == (fake.delivered, await driver.states("c1", "c2"))
    driver.time.pass_s(too_short_ms / 1000)
    assert 2 == (await driver.ledger.tick([])).expired
    await finished(asyncio.create_task(make_pump(fake).run()))

    assert ["c1", "c2"] == sorted(fake.delivered)


async def test_a_delivery_that_raises_frees_its_slot_and_is_told(driver: Driver, fake: FakeDeliverer, capsys):
    """It should never happen; if it does, the run goes on and its delivery is tried again after the lease."""

    async def deliver(claimed: Claimed) -> bool:
        if claimed.key.call_id == "bad":
            raise RuntimeError("a bug of ours")
        return await fake.deliver(claimed)

    await driver.make("bad", "c1")
    pump = Pump(make_destination(SPEC, concurrency=1), ledger=driver.ledger, deliver=deliver, lease_ms=LEASE_MS)
    await finished(asyncio.create_task(pump.run()))

    assert ["c1"] == fake.delivered
    assert "delivery.failed" in capsys.readouterr().out
    driver.time.pass_s(LEASE_MS / 1000)
    assert 1 == (await driver.ledger.tick([])).expired


async def test_an_attempt_is_not_begun_when_the_process_stood_still_before_it(
    driver: Driver, fake: FakeDeliverer, monkeypatch: pytest.MonkeyPatch
):
    """Between the look at the lease and the attempt's first step: another worker may have the delivery by then."""
    await driver.make("c1")
    times = iter([0.0, 0.0])  # when it claims, and when the attempt is scheduled
    monkeypatch.setattr("tasks.delivery.pump.monotonic", lambda: next(times, LEASE_MS / 1000))
    run = asyncio.create_task(make_pump(fake).run())
    await finished(run)

    assert [] == fake.delivered
    assert ["in_flight"] == await driver.states("c1")  # and comes back after its lease
