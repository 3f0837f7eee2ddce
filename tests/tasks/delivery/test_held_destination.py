"""A destination that refuses everything, and one that refuses one payload: from the pump to the vendor's words."""

import asyncio

import pytest

from schemas.delivery import Request, Response
from tasks.delivery.pump import Pump
from tests.fakes import FakeHttp, reply
from tests.ledgers import LEASE_MS, Driver
from tests.tasks.delivery_harness import SAVED, Desk, make_desk
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


def make_pump(desk: Desk) -> Pump:
    """Make the pump of the desk's destination."""
    return Pump(desk.destination, ledger=desk.driver.ledger, deliver=desk.deliverer.deliver, lease_ms=LEASE_MS)


async def pass_time(driver: Driver, pump: Pump, *, seconds: int) -> None:
    """Let time pass as the clock sees it: it wakes the pump when something may be taken."""
    for _ in range(0, seconds, STEP_S):
        driver.time.pass_s(STEP_S)
        if await driver.tick():
            await pump.run()


@pytest.mark.parametrize("vendor", WRONG_KEY)
async def test_a_wrong_key_for_an_hour_kills_nothing_and_asks_seldom(driver: Driver, vendor: str):
    """No dead letter, one request a slot and six probes; after ``resume`` all is delivered, once each."""
    desk = make_desk(driver, vendor, concurrency=CONCURRENCY)
    names = [f"c{number:02}" for number in range(CALLS)]
    for name in names:
        await desk.make(name)
    desk.http.always, desk.http.gate = WRONG_KEY[vendor], asyncio.Event()
    pump = make_pump(desk)
    run = asyncio.create_task(pump.run())
    await desk.http.hanging(CONCURRENCY)
    desk.http.gate.set()
    await run
    await pass_time(driver, pump, seconds=3600)

    assert CONCURRENCY < len(desk.http.requests) <= CONCURRENCY + 6
    assert [] == desk.watched.dead_letters
    assert {"retrying", "queued"} == set(await driver.states(*names))

    desk.http.always, desk.http.requests = YES[vendor], []
    await resume(driver.ledger, "crm")
    await pass_time(driver, pump, seconds=STEP_S)
    assert ["delivered"] * CALLS == await driver.states(*names)
    assert CALLS == len(desk.http.requests)


@pytest.mark.parametrize(("status", "reason"), [(403, "rejected"), (500, "exhausted")])
async def test_one_payload_that_is_always_refused_never_holds_the_destination(driver: Driver, status: int, reason: str):
    """Through its whole schedule the others go on, each at its first attempt; in the end it alone is dead."""
    desk = make_desk(driver, retry_s=LONG_SCHEDULE)
    pump = make_pump(desk)
    desk.http.always = _refusing("poison", status)
    await desk.make("poison")
    healthy: list[str] = []
    while not desk.watched.dead_letters:
        healthy.append(f"c{len(healthy):03}")
        await desk.make(healthy[-1])
        await pump.run()
        assert ["delivered"] == await driver.states(healthy[-1])
        assert "" == (await driver.ledger.overview(["crm"])).destinations[0].shut_by
        driver.time.pass_s(1200)

    assert [reason] == desk.watched.dead_letters
    assert ["dead"] == await driver.states("poison")
    assert len(LONG_SCHEDULE) + 1 == _asked(desk.http, "poison")
    assert [1] * len(healthy) == [_asked(desk.http, name) for name in healthy]


def _refusing(call_id: str, status: int):
    def answer(request: Request) -> Response:
        return reply("no", status=status) if call_id in str(request.json) else SAVED

    return answer


def _asked(http: FakeHttp, call_id: str) -> int:
    return sum(call_id in str(request.json) for request in http.requests)
