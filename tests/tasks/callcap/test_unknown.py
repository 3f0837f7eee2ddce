"""What is not known of a provisioning is looked up, and never sent a second time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError

from deploy.local.standins.app import StandIns
from schemas.callcap.requests import Kind, Lookup, RequestState
from schemas.delivery import Request, Response
from tasks.callcap.exchange import TIMEOUT_S
from tasks.callcap.requests import SETTLE_PAUSES_S, NotNoted
from tests.tasks.callcap.callcap_harness import EXACT, CallcapHarness, open_harness, outcome_of
from worker.ledger.numbers import LEASE_MS, Numbers


@pytest.fixture
async def harness(standins: StandIns, redis_url: str) -> AsyncIterator[CallcapHarness]:
    """Return a harness on a real Redis."""
    async with open_harness(standins, redis_url) as opened:
        yield opened


@pytest.mark.parametrize(
    ("fault", "reason", "lookup"),
    [
        ({"mode": "store_then_drop"}, "reset", Lookup.NOT_OFFERED),
        ({"mode": "drop"}, "reset", Lookup.OFFERED),
        ({"status": 502, "store": True}, "unavailable", Lookup.NOT_OFFERED),
        ({"status": 504}, "unavailable", Lookup.OFFERED),
        ({"body": "<html>ok</html>", "store": True}, "unreadable", Lookup.NOT_OFFERED),
        ({"body": '{"status": "pending"}'}, "unreadable", Lookup.OFFERED),
    ],
)
async def test_an_unknown_outcome_is_looked_up_and_never_sent_again(
    harness: CallcapHarness, fault: dict[str, Any], reason: str, lookup: Lookup
):
    """GET with ``fullNumber`` tells whether the number is still offered; a lost reply is posted exactly once."""
    harness.lay(times=1, **fault)
    outcome = await harness.provision()
    again = await harness.provision()

    assert (RequestState.UNKNOWN, reason, lookup) == (outcome.state, outcome.reason, outcome.lookup)
    assert outcome == again
    assert (1, 2) == (harness.sent("POST"), harness.sent("GET"))


async def test_a_timeout_is_unknown(harness: CallcapHarness):
    """Callcap may have provisioned the number and not said so in time."""
    harness.lay(mode="store_then_hang", times=1)
    await harness.write(Kind.PROVISION, EXACT)

    class Impatient:
        async def send(self, request: Request, *, timeout_s: float) -> Response:
            return await harness.http.send(request, timeout_s=timeout_s / 100)

    outcome = outcome_of(await harness.carry_out(http=Impatient()))
    assert (RequestState.UNKNOWN, "timeout", Lookup.NOT_OFFERED) == (outcome.state, outcome.reason, outcome.lookup)
    assert 1 == harness.sent("POST")


async def test_a_number_that_callcap_chose_cannot_be_looked_up(harness: CallcapHarness):
    """After a lost reply nobody here knows which one it was."""
    harness.lay(mode="store_then_drop", times=1)
    outcome = await harness.provision({"account": "L-3", "areaCode": "415"})

    assert (RequestState.UNKNOWN, Lookup.NONE) == (outcome.state, outcome.lookup)
    assert (1, 0) == (harness.sent("POST"), harness.sent("GET"))


async def test_a_look_up_that_failed_is_made_again(harness: CallcapHarness):
    """With the same key, which posts nothing."""
    harness.lay(mode="store_then_drop", times=1)
    harness.lay(status=503, times=1)
    first = await harness.provision()
    second = await harness.provision()

    assert [Lookup.FAILED, Lookup.NOT_OFFERED] == [first.lookup, second.lookup]
    assert 1 == harness.sent("POST")


async def test_what_was_surely_not_sent_may_be_tried_again(harness: CallcapHarness, free_port: int):
    """A refused connection reached nobody; the same key then sends it."""
    account = harness.account
    harness.account = harness.account_with(url=f"http://127.0.0.1:{free_port}/v3")
    first = await harness.provision()
    harness.account = account
    second = await harness.provision()

    assert [(RequestState.WAITING, "connect"), (RequestState.DONE, "")] == [
        (outcome.state, outcome.reason) for outcome in (first, second)
    ]
    assert 1 == harness.sent("POST")


async def test_a_cancelled_provisioning_is_unknown_at_once(harness: CallcapHarness):
    """Ctrl-C or a worker's end between request and reply; the next look tells more."""
    harness.lay(mode="store_then_hang", times=1)
    await harness.write(Kind.PROVISION, EXACT)
    task = asyncio.create_task(harness.carry_out())
    await harness.wait_for_number()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    outcome = outcome_of(await harness.carry_out())
    assert (RequestState.UNKNOWN, "interrupted", Lookup.NOT_OFFERED) == (outcome.state, outcome.reason, outcome.lookup)
    assert 1 == harness.sent("POST")


async def test_two_at_once_with_one_key_post_once(harness: CallcapHarness):
    """The second one is told that it is under way."""
    harness.lay(latency_ms=200)
    await harness.write(Kind.PROVISION, EXACT)
    records = await asyncio.gather(*(harness.carry_out() for _ in range(5)))

    assert 1 == harness.sent("POST") == len(harness.kept())
    assert 4 == sum(record.state is RequestState.IN_FLIGHT for record in records)


async def test_an_update_whose_reply_is_lost_is_unknown_and_not_looked_up(harness: CallcapHarness):
    """A search tells whether a number is offered, not how it is routed."""
    await harness.provision()
    harness.lay(mode="store_then_drop", times=1)
    await harness.write(Kind.UPDATE, {"memo1": "456"}, key="u", number="3165550142")
    outcome = outcome_of(await harness.carry_out(Kind.UPDATE, key="u"))

    assert (RequestState.UNKNOWN, Lookup.NONE) == (outcome.state, outcome.lookup)
    assert 0 == harness.sent("GET")


async def test_an_answer_that_redis_does_not_take_is_told(harness: CallcapHarness):
    """After several tries, for nobody else knows it; the ledger then says "unknown"."""
    await harness.write(Kind.PROVISION, EXACT)

    class BrokenNumbers(Numbers):
        async def settle(self, *_: Any) -> bool:
            raise RedisConnectionError("gone")

    whole, harness.numbers = harness.numbers, BrokenNumbers(harness.driver.ledger)
    with pytest.raises(NotNoted) as caught:
        await harness.carry_out()

    assert (RequestState.DONE, "3165550142") == (caught.value.outcome.state, caught.value.outcome.number)
    assert list(SETTLE_PAUSES_S) == harness.pauses
    harness.numbers = whole
    harness.driver.time.pass_s(LEASE_MS / 1000)
    assert RequestState.UNKNOWN is outcome_of(await harness.carry_out()).state
    assert 1 == harness.sent("POST")


async def test_a_fault_of_ours_is_unknown(harness: CallcapHarness):
    """Nobody can say whether it was before or after the request went out."""
    await harness.write(Kind.PROVISION, EXACT)

    class Broken:
        async def send(self, request: Request, *, timeout_s: float) -> Response:
            if request.method == "POST":
                raise ZeroDivisionError
            return await harness.http.send(request, timeout_s=timeout_s)

    outcome = outcome_of(await harness.carry_out(http=Broken()))
    assert (RequestState.UNKNOWN, "unexpected", Lookup.OFFERED) == (outcome.state, outcome.reason, outcome.lookup)


def test_a_lease_is_longer_than_what_it_covers():
    """A claim must not be given up while its request is under way."""
    assert TIMEOUT_S * 1000 < LEASE_MS
