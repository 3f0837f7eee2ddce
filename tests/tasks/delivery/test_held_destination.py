"""A destination that refuses everything, and one that refuses one payload: from the pump to the vendor's words."""

import asyncio

import pytest

from schemas.delivery import Request, Response
from tasks.delivery.pump import Pump
from tests.fakes import FakeHttp, reply
from tests.ledgers import LEASE_MS, Driver
from tests.tasks.delivery_harness import SAVED, DeliveryHarness, make_harness
from worker.ledger.admin import resume

CONCURRENCY = 20
CALLS = 60
STEP_S = 5
WRONG_KEY = {
    "captorra": reply('{"success": false, "error": "Please check CaptorraId."}'),
    "comunik8": reply('{"error": "Invalid Key"}', status=401),
    "kapture": reply('{"Message": "Auth Key Invalid", "Status": "Fail"}'),
}
YES = {
    "captorra": reply('{"success": true}'),
    "comunik8": SAVED,
    "kapture": reply(
        '{"message": "Customer Added Successfully", "status": "success", "Kapture Customer Id": "272930"}'
    ),
}
LONG_SCHEDULE = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 28800.0)


def make_pump(harness: DeliveryHarness) -> Pump:
    """Make the pump of the harness's destination."""
    return Pump(harness.destination, ledger=harness.driver.ledger, deliver=harness.runner.deliver, lease_ms=LEASE_MS)


async def pass_time(driver: Driver, pump: Pump, *, seconds: int) -> None:
    """Let time pass as the clock sees it: it wakes the pump when something may be taken."""
    for _ in range(0, seconds, STEP_S):
        driver.time.pass_s(STEP_S)
        if await driver.tick():
            await pump.run()


@pytest.mark.parametrize("vendor", WRONG_KEY)
async def test_a_wrong_key_for_an_hour_kills_nothing_and_asks_seldom(driver: Driver, vendor: str):
    """No dead letter, one request a slot and six probes; after ``resume`` all is delivered, once each."""
    harness = make_harness(driver, vendor, concurrency=CONCURRENCY)
    names = [f"c{number:02}" for number in range(CALLS)]
    for name in names:
        await harness.make(name)
    harness.http.always, harness.http.gate = WRONG_KEY[vendor], asyncio.Event()
    pump = make_pump(harness)
    run = asyncio.create_task(pump.run())
    await harness.http.hanging(CONCURRENCY)
    harness.http.gate.set()
    await run
    await pass_time(driver, pump, seconds=3600)

    assert CONCURRENCY < len(harness.http.requests) <= CONCURRENCY + 6
    assert [] == harness.watched.dead_letters
    assert {"retrying", "queued"} == set(await driver.states(*names))

    harness.http.always, harness.http.requests = YES[vendor], []
    await resume(driver.ledger, "crm")
    await pass_time(driver, pump, seconds=STEP_S)
    assert ["delivered"] * CALLS == await driver.states(*names)
    assert CALLS == len(harness.http.requests)


@pytest.mark.parametrize(("status", "reason"), [(403, "rejected"), (500, "exhausted")])
async def test_one_payload_that_is_always_refused_never_holds_the_destination(driver: Driver, status: int, reason: str):
    """Through its whole schedule the others go on, each at its first attempt; in the end it alone is dead."""
    harness = make_harness(driver, retry_s=LONG_SCHEDULE)
    pump = make_pump(harness)
    harness.http.always = _refusing("poison", status)
    await harness.make("poison")
    healthy: list[str] = []
    while not harness.watched.dead_letters:
        healthy.append(f"c{len(healthy):03}")
        await harness.make(healthy[-1])
        await pump.run()
        assert ["delivered"] == await driver.states(healthy[-1])
        assert "" == (await driver.ledger.overview(["crm"])).destinations[0].shut_by
        driver.time.pass_s(1200)

    assert [reason] == harness.watched.dead_letters
    assert ["dead"] == await driver.states("poison")
    assert len(LONG_SCHEDULE) + 1 == _asked(harness.http, "poison")
    assert [1] * len(healthy) == [_asked(harness.http, name) for name in healthy]


def _refusing(call_id: str, status: int):
    def answer(request: Request) -> Response:
        return reply("no", status=status) if call_id in str(request.json) else SAVED

    return answer


def _asked(http: FakeHttp, call_id: str) -> int:
    return sum(call_id in str(request.json) for request in http.requests)
