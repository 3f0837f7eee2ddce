"""A blocked destination: by what, how it is probed, and how it opens (contract, section 6)."""

import pytest

from tests.ledgers import Driver, ids, verdict
from worker.ledger.admin import resume
from worker.ledger.records import Verdict

TEN_MINUTES_S = 600.0


async def test_a_refused_key_blocks_at_once(driver: Driver):
    """One 401 is enough; every delivery is held from then on, and nothing is woken."""
    await driver.make("c1", "c2")
    finished = await driver.end(await driver.take_one(), "blocked")

    assert ("blocked", Verdict.HOLD) == (finished.gate_event, finished.verdict)
    assert ("blocked", ()) == (await verdict(driver), await driver.tick())
    [status] = (await driver.ledger.overview(["crm"])).destinations
    assert ("unauthorized", False, False, 2) == (status.blocked, status.open, status.served, status.due)


async def test_the_second_refusal_of_a_key_says_nothing_new(driver: Driver):
    """Attempts that were under way at the block add no second alarm."""
    await driver.make("c1", "c2", "c3")
    held = await driver.take()

    assert ["blocked", "", ""] == [(await driver.end(one, "blocked")).gate_event for one in held]


async def test_a_blocked_destination_is_probed_every_ten_minutes_with_another_delivery(driver: Driver):
    """Each probe is one delivery; each time a different one, in the order of waiting."""
    await driver.make("c1", "c2", "c3")
    await driver.end(await driver.take_one(), "blocked")
    probes = []
    for _ in range(6):
        driver.time.pass_s(TEN_MINUTES_S - 1)
        assert ([], ()) == (await driver.take(), await driver.tick())
        driver.time.pass_s(1)
        assert ("crm",) == await driver.tick()
        [probe] = await driver.take(clear_wakeup=True)
        assert ([], ()) == (await driver.take(), await driver.tick())
        await driver.end(probe, "blocked")
        probes.append(probe.key.call_id)

    assert ["c2", "c3", "c1", "c2", "c3", "c1"] == probes
    assert ["retrying"] * 3 == await driver.states("c1", "c2", "c3")


async def test_the_first_success_opens_a_blocked_destination(driver: Driver):
    """Then all that was held is due, and is woken at once."""
    await driver.make("c1", "c2", "c3")
    await driver.end(await driver.take_one(), "blocked")
    driver.time.pass_s(TEN_MINUTES_S)
    await driver.tick()
    [probe] = await driver.take()

    assert "opened" == (await driver.end(probe, "delivered")).gate_event
    assert ("crm",) == await driver.tick()
    assert ["c3", "c1"] == ids(await driver.take())


async def test_resume_opens_and_the_next_block_is_told_again(driver: Driver):
    """An operator who has put the key right does not wait for the probe."""
    await driver.make("c1", "c2")
    await driver.end(await driver.take_one(), "blocked")
    assert {"blocked": "unauthorized"} == await resume(driver.ledger, "crm")

    [first, _] = await driver.take()
    assert "blocked" == (await driver.end(first, "blocked")).gate_event


async def test_a_single_403_is_retried_and_blocks_nothing(driver: Driver):
    """One payload that is always refused is its own trouble, however often it comes."""
    await driver.make("c1")
    for _ in range(5):
        assert "" == (await driver.end(await driver.take_one(), "refused")).gate_event

    assert ("crm",) == await driver.tick()
    assert 5 == (await driver.delivery("c1")).step


async def test_two_different_deliveries_refused_in_a_row_block(driver: Driver):
    """The second one proves that it is the destination; it is held, and its wait is not used up."""
    await driver.make("c1", "c2")
    first, second = await driver.take()
    assert "" == (await driver.end(first, "refused", delay_ms=5000)).gate_event
    finished = await driver.end(second, "refused", delay_ms=5000)

    assert ("blocked", "h") == (finished.gate_event, finished.verdict)
    assert [1, 0] == [(await driver.delivery(name)).step for name in ("c1", "c2")]
    assert driver.time.ms == (await driver.delivery("c2")).at_ms


@pytest.mark.parametrize("between", ["delivered", "dead", "failed"])
async def test_another_answer_between_two_refusals_clears_the_first(driver: Driver, between: str):
    """In a row means without another answer in between."""
    await driver.make("c1", "c2", "c3")
    first, second, third = await driver.take()
    await driver.end(first, "refused")
    await driver.end(second, between)

    assert "" == (await driver.end(third, "refused")).gate_event


@pytest.mark.parametrize("between", ["skipped", "unclaimed", "interrupted"])
async def test_what_was_not_answered_says_nothing_of_the_destination(driver: Driver, between: str):
    """A call that was not sent stands between no two refusals."""
    await driver.make("c1", "c2", "c3")
    first, second, third = await driver.take()
    await driver.end(first, "refused")
    await driver.end(second, between)

    assert "blocked" == (await driver.end(third, "refused")).gate_event


async def test_nothing_dies_of_a_refusal_while_the_destination_is_blocked(driver: Driver):
    """A probe that meets 403 is held, even where its schedule would be at its end."""
    await driver.make("c1", "c2")
    for one in await driver.take():
        await driver.end(one, "refused")
    for _ in range(30):
        driver.time.pass_s(TEN_MINUTES_S)
        [probe] = await driver.take()
        finished = await driver.end(probe, "refused", verdict=Verdict.DEAD, reason="rejected", delay_ms=28_800_000)
        assert ("", "h") == (finished.gate_event, finished.verdict)

    assert ["retrying", "retrying"] == await driver.states("c1", "c2")
    assert 1 >= max([(await driver.delivery(name)).step for name in ("c1", "c2")])
    assert 0 == (await driver.ledger.overview(["crm"])).destinations[0].dead
    await resume(driver.ledger, "crm")
    assert 2 == len(await driver.take())


async def test_an_unknown_type_is_never_probed(driver: Driver):
    """The vendor saved the lead, so another try would save another; only resume opens it."""
    await driver.make("c1", "c2")
    assert "blocked" == (await driver.end(await driver.take_one(), "unknown_type")).gate_event
    driver.time.pass_s(30 * 86_400)

    assert (["dead", "queued"], (), "blocked") == (
        await driver.states("c1", "c2"), await driver.tick(), await verdict(driver),
    )  # fmt: skip
    await resume(driver.ledger, "crm")
    assert ["c2"] == ids(await driver.take())


@pytest.mark.parametrize("how", ["delivered", "blocked", "refused", "failed", "skipped", "dead", "unclaimed"])
async def test_attempts_that_were_under_way_do_not_open_an_unknown_type_to_probes(driver: Driver, how: str):
    """Whatever they come to, a delivery more would be saved and lost."""
    await driver.make("c1", "c2", "c3", "c4")
    first, second, third = await driver.take(want=3)
    await driver.end(first, "unknown_type")
    await driver.end(second, how)
    await driver.end(third, how)
    driver.time.pass_s(86_400)

    assert ("blocked", ()) == (await verdict(driver), await driver.tick())


async def test_a_blocked_destination_whose_probe_fails_waits_ten_minutes_more(driver: Driver):
    """A vendor that is down as well is not asked more often for it."""
    await driver.make("c1", "c2")
    await driver.end(await driver.take_one(), "blocked")
    for _ in range(12):
        driver.time.pass_s(TEN_MINUTES_S)
        [probe] = await driver.take()
        assert "" == (await driver.end(probe, "failed")).gate_event
        driver.time.pass_s(TEN_MINUTES_S - 1)
        assert "blocked" == await verdict(driver)
        driver.time.pass_s(1 - TEN_MINUTES_S)
