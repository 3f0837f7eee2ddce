"""Requests about Callcap's numbers in the ledger, on a fake and on a real Redis."""

from collections.abc import AsyncIterator

import pytest

from schemas.callcap.requests import Kind, NumberOutcome, NumberRequest, RequestState
from tests.ledgers import Driver, open_driver
from worker.ledger.numbers import KEEP_SEARCH_MS, LEASE_MS, PAGE, NumberClaim, Numbers, Written

PROVISION = NumberRequest(kind=Kind.PROVISION, parameters={"account": "L-3", "phoneNumber": "3165550142"})
SEARCH = NumberRequest(kind=Kind.SEARCH, parameters={"areaCode": "316"})
DONE = NumberOutcome(state=RequestState.DONE, number="3165550142")
UNKNOWN = NumberOutcome(state=RequestState.UNKNOWN, reason="timeout")
NOT_SENT = NumberOutcome(state=RequestState.WAITING, reason="connect")


@pytest.fixture(params=["fake", "real"])
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    """Return a ledger whose time stands still."""
    url = request.getfixturevalue("redis_url") if request.param == "real" else None
    async with open_driver(url) as opened:
        yield opened


@pytest.fixture
def numbers(driver: Driver) -> Numbers:
    """Return the requests of that ledger."""
    return Numbers(driver.ledger)


async def state_of(numbers: Numbers, key: str = "k") -> RequestState:
    """Return the state of a request."""
    record = await numbers.read(key)
    assert record is not None
    return record.state


async def test_a_key_stands_for_one_request(numbers: Numbers):
    """The same request again is the same; a different one under the key is refused and changes nothing."""
    answers = [await numbers.write("k", request) for request in (PROVISION, PROVISION, SEARCH)]
    record = await numbers.read("k")

    assert [Written.NEW, Written.SAME, Written.OTHER] == answers
    assert record is not None
    assert (PROVISION, RequestState.WAITING, None) == (record.request, record.state, record.outcome)
    assert await numbers.read("other") is None


async def test_one_claim_at_a_time(numbers: Numbers):
    """A second claimer is told to wait; the first one asking again, its answer lost, has its claim still."""
    await numbers.write("k", PROVISION)

    assert NumberClaim.ABSENT is await numbers.claim("other", "a")
    assert NumberClaim.OURS is await numbers.claim("k", "a")
    assert NumberClaim.BUSY is await numbers.claim("k", "b")
    assert NumberClaim.OURS is await numbers.claim("k", "a")
    assert RequestState.IN_FLIGHT is await state_of(numbers)


@pytest.mark.parametrize("outcome", [DONE, UNKNOWN, NumberOutcome(state=RequestState.FAILED, reason="rejected")])
async def test_an_outcome_is_settled_for_good(numbers: Numbers, outcome: NumberOutcome):
    """The request is never claimed again, and its outcome is kept."""
    await numbers.write("k", PROVISION)
    await numbers.claim("k", "a")

    assert await numbers.settle("k", "a", outcome)
    assert NumberClaim.SETTLED is await numbers.claim("k", "b")
    record = await numbers.read("k")
    assert record is not None
    assert outcome == record.outcome


async def test_what_was_surely_not_sent_may_be_claimed_again(numbers: Numbers):
    """Its reason is kept."""
    await numbers.write("k", PROVISION)
    await numbers.claim("k", "a")
    await numbers.settle("k", "a", NOT_SENT)
    record = await numbers.read("k")

    assert record is not None
    assert NOT_SENT == record.outcome
    assert NumberClaim.OURS is await numbers.claim("k", "b")


async def test_a_sender_that_never_came_back_leaves_the_outcome_unknown(numbers: Numbers, driver: Driver):
    """When its lease is over, not before, and it is not sent again."""
    await numbers.write("k", PROVISION)
    await numbers.claim("k", "a")
    driver.time.pass_s(LEASE_MS / 1000 - 0.001)
    early = await numbers.claim("k", "b")
    driver.time.pass_s(0.001)

    assert [NumberClaim.BUSY, NumberClaim.SETTLED] == [early, await numbers.claim("k", "b")]
    record = await numbers.read("k")
    assert record is not None
    assert record.outcome is not None
    assert (RequestState.UNKNOWN, "interrupted") == (record.state, record.outcome.reason)


async def test_a_search_whose_sender_never_came_back_is_sent_again(numbers: Numbers, driver: Driver):
    """It changes nothing at Callcap; the old sender's answer is not taken."""
    await numbers.write("k", SEARCH)
    await numbers.claim("k", "a")
    driver.time.pass_s(LEASE_MS / 1000)

    assert NumberClaim.OURS is await numbers.claim("k", "b")
    assert not await numbers.settle("k", "a", DONE)


async def test_a_late_yes_settles_what_was_unknown_and_nothing_unsettles_a_yes(numbers: Numbers, driver: Driver):
    """A slow sender may bring its answer; but what somebody was told is unknown never waits again."""
    await numbers.write("k", PROVISION)
    await numbers.claim("k", "a")
    driver.time.pass_s(LEASE_MS / 1000)
    await numbers.claim("k", "b")

    assert not await numbers.settle("k", "a", NOT_SENT)
    assert await numbers.settle("k", "a", UNKNOWN)
    assert not await numbers.settle("k", "b", DONE)
    assert await numbers.settle("k", "a", DONE)
    assert not await numbers.settle("k", "a", UNKNOWN)
    assert RequestState.DONE is await state_of(numbers)


async def test_what_costs_money_is_kept_and_a_search_is_not(numbers: Numbers, driver: Driver):
    """Requests are listed in the order in which they were written, however many; searches are not listed."""
    await numbers.write("search", SEARCH)
    for place in range(PAGE + 1):
        driver.time.pass_s(1)
        await numbers.write(f"k{place}", PROVISION)

    assert [f"k{place}" for place in range(PAGE + 1)] == [record.key async for record in numbers.records()]
    assert -1 == await driver.redis.pttl("sb:number:k0")
    assert KEEP_SEARCH_MS - 60_000 < await driver.redis.pttl("sb:number:search") <= KEEP_SEARCH_MS
