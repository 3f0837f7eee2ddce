"""Claiming: who gets what, in which order, and for how long."""

import pytest

from tests.ledgers import LEASE_MS, Driver, ids, key_of
from worker.ledger.records import Claim


async def test_a_claim_hands_over_all_that_an_attempt_needs(driver: Driver):
    """The events, the fence, the number of the attempt and the moment the call was ready come in one round trip."""
    await driver.accept("c1", 's{"a":"1"}', received_us=1)
    await driver.accept("c1", 'e{"b":"1"}', received_us=2)
    await driver.make("c1")
    ready_ms = driver.time.ms - 1
    claimed = await driver.take_one()

    assert (key_of("c1"), 1, 1, 0, "") == (claimed.key, claimed.fence, claimed.number, claimed.step, claimed.reason)
    assert ('1 s{"a":"1"}', '2 e{"b":"1"}') == claimed.events
    assert (ready_ms, "", {}) == (claimed.ready_at_ms, claimed.memory, claimed.siblings)
    delivery = await driver.delivery("c1")
    assert ("in_flight", driver.time.ms + LEASE_MS) == (str(delivery.state), delivery.at_ms)


async def test_what_is_claimed_is_in_no_second_hand(driver: Driver):
    """A claimed delivery is not due, not even for who asks for it by its key."""
    await driver.make("c1")
    await driver.take_one()

    assert Claim("empty", 0, 0, 0, ()) == await driver.claim(keys=[key_of("c1")])


async def test_a_claim_takes_as_many_as_it_wants_the_longest_due_first(driver: Driver):
    """Order of becoming due, bounded by the free slots."""
    await driver.make("c3", "c1", "c2")

    assert ["c3", "c1"] == ids(await driver.take(want=2))
    assert ["c2"] == ids(await driver.take(want=2))


async def test_a_claim_tells_what_is_left_and_how_late_it_is(driver: Driver):
    """Only what is due counts; a retry that waits does not."""
    await driver.make("later")
    await driver.end(await driver.take_one(), "failed", delay_ms=60_000)
    await driver.make("c1", "c2")
    made_ms = driver.time.ms
    driver.time.pass_s(3)
    first, last = await driver.claim(want=1), await driver.claim(want=1)

    assert 1 == first.left
    assert driver.time.ms - made_ms == pytest.approx(first.behind_ms, abs=10)
    assert (0, 0) == (last.left, last.behind_ms)


async def test_keys_that_were_handed_over_go_first(driver: Driver):
    """They are claimed before what is longer due, and counted within what is wanted."""
    await driver.make("c1", "c2", "c3")

    assert ["c3", "c1"] == ids(await driver.take(want=2, keys=[key_of("c3"), key_of("gone")]))


async def test_a_key_that_is_not_yet_due_is_not_taken(driver: Driver):
    """A doubled or late wake-up does not shorten a wait."""
    await driver.make("c1")
    await driver.end(await driver.take_one(), "failed", delay_ms=5000)

    assert [] == await driver.take(keys=[key_of("c1")])
    driver.time.pass_s(5)
    assert ["c1"] == ids(await driver.take(keys=[key_of("c1")]))


async def test_keys_of_another_destination_are_not_taken(driver: Driver):
    """A claim is for one destination."""
    await driver.make("c1", destination="law")

    assert [] == await driver.take(keys=[key_of("c1", destination="law")])
    assert ["c1"] == ids(await driver.take("law"))


async def test_more_deliveries_than_a_batch_are_claimed_whole(driver: Driver):
    """Sixty-four claims in one round trip keep their events apart."""
    await driver.make(*(f"c{i:02}" for i in range(70)))

    assert [f"c{i:02}" for i in range(64)] == ids(await driver.take(want=64))


async def test_a_rate_holds_over_several_claimers(driver: Driver):
    """The bucket stands in the ledger: two a second are two a second, whoever asks."""
    await driver.make(*(f"c{i}" for i in range(9)))
    first = await driver.take(rate_per_s=2.0)
    second = await driver.claim(rate_per_s=2.0)

    assert 2 == len(first)
    assert ("limited", 500) == (second.verdict, second.wait_ms)
    driver.time.pass_s(0.5)
    assert 1 == len(await driver.take(rate_per_s=2.0))
    assert "limited" == (await driver.claim(rate_per_s=2.0)).verdict
    driver.time.pass_s(60)
    assert 2 == len(await driver.take(rate_per_s=2.0))


async def test_a_slow_rate_is_kept_between_its_claims(driver: Driver):
    """One in two hours stays one in two hours, although an idle bucket is forgotten after an hour or when full."""
    await driver.make("c1", "c2")
    await driver.take(rate_per_s=1 / 7200)

    assert 7_100_000 < await driver.redis.pttl("sb:rate:crm")
    answer = await driver.claim(rate_per_s=1 / 7200)
    assert ("limited", 7_200_000) == (answer.verdict, answer.wait_ms)


async def test_an_empty_claim_uses_nothing_of_the_rate(driver: Driver):
    """Only what was handed out counts."""
    assert "empty" == (await driver.claim(rate_per_s=1.0)).verdict
    await driver.make("c1")

    assert ["c1"] == ids(await driver.take(rate_per_s=1.0))


async def test_the_whole_of_an_hour_is_within_its_rate(driver: Driver):
    """Many small steps of time add up to the rate and its first burst, not to more."""
    await driver.make(*(f"c{i:03}" for i in range(60)))
    taken = 0
    for _ in range(100):
        taken += len(await driver.take(rate_per_s=3.0))
        driver.time.pass_s(0.1)

    assert 32 <= taken <= 33


@pytest.mark.parametrize("first", [True, False])
async def test_the_first_claim_of_a_run_answers_the_wake_up(driver: Driver, first: bool):
    """Then the clock may send the next; a claim in the middle of a run leaves it."""
    await driver.make("c1", "c2")
    assert ("crm",) == await driver.tick()
    await driver.take(want=1, clear_wakeup=first)

    assert (("crm",) if first else ()) == await driver.tick()


async def test_a_claim_of_what_is_no_longer_there_goes_on_to_the_next(driver: Driver):
    """A member without its delivery takes no slot."""
    await driver.redis.zadd("sb:due:crm", {f"gone-{i}:create": 1 for i in range(3)})
    await driver.make("c1")

    assert ["c1"] == ids(await driver.take(want=1)) + ids(await driver.take(want=1))
