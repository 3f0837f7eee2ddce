"""The circuit of a destination: what opens it, how it is probed, and what closes it (contract, section 6)."""

import pytest

from tests.ledgers import Driver, ids, verdict

TEN_MINUTES_S = 600.0


async def open_circuit(driver: Driver, *names: str) -> None:
    """Open the circuit with these deliveries, which are due again at once."""
    await driver.make(*names)
    held = {one.key.call_id: one for one in await driver.take()}
    for i in range(10):
        name = names[i % len(names)]
        await driver.end(held.pop(name), "failed")
        if i < 9 and name not in held:
            held |= {one.key.call_id: one for one in await driver.take()}
    for one in held.values():
        await driver.end(one, "unclaimed")


async def test_ten_failures_of_two_deliveries_open_the_circuit(driver: Driver):
    """Nine do not; the tenth does, and is told once."""
    await driver.make("c1", "c2")
    first, second = await driver.take()
    for _ in range(8):
        assert "" == (await driver.end(first, "failed")).gate_event
        [first] = await driver.take()
    assert "" == (await driver.end(second, "failed")).gate_event

    assert "circuit_open" == (await driver.end(first, "failed")).gate_event
    assert ("open", ()) == (await verdict(driver), await driver.tick())


async def test_a_single_delivery_that_always_fails_never_opens_the_circuit(driver: Driver):
    """One payload that a vendor answers with 500 holds nobody else."""
    await driver.make("c1")
    for _ in range(30):
        assert "" == (await driver.end(await driver.take_one(), "failed")).gate_event
    await driver.make("c2")

    assert ["c1", "c2"] == ids(await driver.take())


@pytest.mark.parametrize("between", ["delivered", "dead", "refused"])
async def test_any_answer_begins_the_count_of_failures_anew(driver: Driver, between: str):
    """In a row means that no answer came in between."""
    await driver.make("c1", "c2", "c3")
    first, second, third = await driver.take()
    for _ in range(9):
        await driver.end(first, "failed")
        [first] = await driver.take()
    await driver.end(second, between)

    assert "" == (await driver.end(third, "failed")).gate_event
    assert "" == (await driver.end(first, "failed")).gate_event


async def test_an_open_circuit_is_probed_after_30_s_doubling_to_5_minutes(driver: Driver):
    """Each probe is an ordinary attempt, of another delivery than the last; only one is under way."""
    await open_circuit(driver, "c1", "c2", "c3")
    last = ""
    for wait_s in (30, 60, 120, 240, 300, 300):
        driver.time.pass_s(wait_s - 1)
        assert ([], ()) == (await driver.take(), await driver.tick())
        driver.time.pass_s(1)
        assert ("crm",) == await driver.tick()
        [probe] = await driver.take(clear_wakeup=True)
        assert ([], ()) == (await driver.take(), await driver.tick())
        assert last != probe.key.call_id
        last = probe.key.call_id
        step = probe.step
        assert "" == (await driver.end(probe, "failed")).gate_event
        assert step + 1 == (await driver.delivery(last)).step


async def test_the_first_success_closes_the_circuit_and_releases_all(driver: Driver):
    """What was held is due in the order it was, and no wait was used up by being held."""
    await open_circuit(driver, "c1", "c2")
    await driver.make("c3", "c4")
    steps = [(await driver.delivery(name)).step for name in ("c3", "c4")]
    driver.time.pass_s(30)
    [probe] = await driver.take()

    assert "opened" == (await driver.end(probe, "delivered")).gate_event
    assert ("crm",) == await driver.tick()
    assert [0, 0] == steps
    assert 3 == len(await driver.take())
    assert {} == await driver.redis.hgetall("sb:gate:crm")


async def test_a_success_of_an_attempt_that_was_under_way_closes_the_circuit_too(driver: Driver):
    """The first success is a success, whoever brings it."""
    await driver.make("slow")
    slow = await driver.take_one()
    await open_circuit(driver, "c1", "c2")

    assert "opened" == (await driver.end(slow, "delivered")).gate_event


async def test_a_probe_that_was_not_sent_is_replaced_at_once(driver: Driver):
    """A skipped call says nothing of the vendor, so the next one probes."""
    await open_circuit(driver, "c1", "c2")
    driver.time.pass_s(30)
    [probe] = await driver.take()
    await driver.end(probe, "skipped")

    assert ("crm",) == await driver.tick()
    assert 1 == len(await driver.take())


async def test_a_probe_whose_worker_died_is_followed_after_its_lease(driver: Driver):
    """Nobody waits for an answer that cannot come."""
    await open_circuit(driver, "c1", "c2")
    driver.time.pass_s(30)
    await driver.take()
    driver.time.pass_s(50)
    await driver.tick()

    assert 1 == len(await driver.take())


async def test_the_only_delivery_is_probed_again(driver: Driver):
    """A different one each time, where there is one."""
    await open_circuit(driver, "c1", "c2")
    driver.time.pass_s(30)
    [probe] = await driver.take()
    await driver.end(probe, "skipped")
    for wait_s in (0, 60, 120):
        driver.time.pass_s(wait_s)
        [again] = await driver.take()
        assert probe.key != again.key
        await driver.end(again, "failed")


async def test_a_circuit_that_meets_a_refused_key_is_blocked(driver: Driver):
    """Then the ten minutes of a block hold, and one success opens both."""
    await open_circuit(driver, "c1", "c2")
    driver.time.pass_s(30)
    [probe] = await driver.take()
    assert "blocked" == (await driver.end(probe, "blocked")).gate_event
    driver.time.pass_s(TEN_MINUTES_S - 1)
    assert "blocked" == await verdict(driver)
    driver.time.pass_s(1)
    [probe] = await driver.take()
    await driver.end(probe, "delivered")

    assert {} == await driver.redis.hgetall("sb:gate:crm")
