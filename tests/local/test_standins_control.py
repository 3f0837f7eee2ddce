"""The control side of the stand-ins: records, requests, faults, clock, reset."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from deploy.local.standins.app import StandIns
from deploy.local.standins.store import VENDORS, Store

BODY = {"CaptorraId": "111111", "Name": "Smith", "ANI": "7702401011", "Date": "01/01/2018 4:00 PM", "ID": "one"}

Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
async def ask(standins: StandIns):
    """Ask the control side and return status and JSON answer."""
    async with aiohttp.ClientSession() as session:

        async def send(method: str, path: str, **options: Any) -> Any:
            async with session.request(method, f"{standins.url}/control/{path}", **options) as reply:
                return reply.status, await reply.json()

        yield send


@pytest.fixture
async def post(standins: StandIns):
    """Post a phone source to Captorra and return the status and text of its answer."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(2)) as session:

        async def send(**changes: Any) -> tuple[int, str]:
            url = f"{standins.url}/captorra/api/captorracalltracking/create"
            async with session.post(url, json=BODY | changes) as reply:
                return reply.status, await reply.text()

        yield send


async def test_records_count_how_often_each_was_posted(ask: Ask, post: Ask):
    """A record tells its posts and what they came to; without a vendor all are given."""
    await post()
    await post()
    _, kept = await ask("GET", "records", params={"vendor": "captorra"})
    _, everything = await ask("GET", "records")

    assert [("one", 2, ["added", "duplicate"])] == [(r["id"], r["posts"], r["history"]) for r in kept]
    assert kept == everything["captorra"]
    assert [] == everything["kapture"]


async def test_requests_are_counted_and_shown_raw(ask: Ask, post: Ask):
    """Counts go by vendor; the newest requests show headers, body and the status given."""
    await post()
    await post(ID="two")
    _, answer = await ask("GET", "requests", params={"vendor": "captorra", "limit": "1"})

    assert {"captorra": 2, **dict.fromkeys(VENDORS[1:], 0)} == answer["counts"]
    (shown,) = answer["requests"]
    assert ("POST", 200, True) == (shown["method"], shown["status"], '"two"' in shown["body"])
    assert "application/json" == shown["headers"]["Content-Type"]


async def test_request_history_is_bounded(standins: StandIns, post: Ask):
    """Only the newest 1,000 requests and 16 KB of each body are kept; the count goes on."""
    await asyncio.gather(*(post(ID=str(number)) for number in range(1100)))
    await post(Name="n" * 100_000)

    assert 1101 == standins.store.counts["captorra"]
    assert (1000, 16_384) == (len(standins.store.requests), len(standins.store.requests[-1].body))


async def test_a_reset_empties_everything(ask: Ask, post: Ask, standins: StandIns):
    """Records, counts, faults and clock are as at the start, and the vendor takes the same ID again."""
    await post()
    await ask("POST", "faults", json={"latency_ms": 1})
    await ask("POST", "clock", json={"advance_s": 60})

    assert (200, {"ok": True}) == await ask("POST", "reset")
    assert (0, [], 0) == (standins.store.counts["captorra"], standins.store.faults, standins.store.ahead_s)
    assert (200, '{"success":true}') == await post()


async def test_a_record_can_be_removed(ask: Ask, post: Ask):
    """One by its id, or all of a vendor."""
    for name in ("one", "two", "three"):
        await post(ID=name)

    assert (200, {"removed": 1}) == await ask("DELETE", "records", params={"vendor": "captorra", "id": "two"})
    assert (200, {"removed": 2}) == await ask("DELETE", "records", params={"vendor": "captorra"})
    assert 400 == (await ask("DELETE", "records"))[0]


@pytest.mark.parametrize(
    "fault",
    [
        [],
        3,
        {"vendor": "nobody"},
        {"mode": "explode"},
        {"vendor": "kapture", "says": "no word of its document"},
        {"latency": 3},
        {"latency_ms": "3"},
        {"fail_rate": "x"},
        {"status": None},
    ],
)
async def test_a_fault_that_means_nothing_is_refused(ask: Ask, fault: Any):
    """An unknown key, vendor or mode and a wrong type are status 400, said in words; nothing is laid."""
    status, answer = await ask("POST", "faults", json=[fault])

    assert 400 == status
    assert answer["error"]
    assert (200, []) == await ask("GET", "faults")


async def test_a_vendor_says_what_its_document_prints(ask: Ask, post: Ask):
    """An answer that no request brings about is asked for by its words, and stands for as many requests as wanted."""
    words = "Please check Captorrald."
    await ask("POST", "faults", json={"vendor": "captorra", "says": words, "times": 1})
    answers = [await post(), await post()]

    assert [(200, f'{{"success":false,"error":"{words}"}}'), (200, '{"success":true}')] == answers


async def test_a_status_is_answered_as_often_as_asked_and_nothing_stored(ask: Ask, post: Ask):
    """Status, body and headers of the fault stand instead of the vendor's answer, `times` times."""
    await ask("POST", "faults", json={"vendor": "captorra", "status": 429, "body": "slow", "times": 2})
    answers = [await post(), await post(), await post()]

    assert [(429, "slow"), (429, "slow"), (200, '{"success":true}')] == answers
    assert (200, []) == await ask("GET", "faults")


async def test_a_fault_strikes_only_what_it_matches(ask: Ask, post: Ask):
    """Match looks into the body, path into the path, vendor at the vendor."""
    faults = [
        {"match": '"two"', "status": 500},
        {"path": "/lead/add", "status": 501},
        {"vendor": "kapture", "status": 502},
    ]
    await ask("POST", "faults", json=faults)

    assert [200, 500] == [(await post(ID=name))[0] for name in ("one", "two")]
    assert (200, {"removed": 1}) == await ask("DELETE", "faults", params={"vendor": "kapture"})
    assert (200, {"removed": 2}) == await ask("DELETE", "faults")


async def test_a_refusal_may_come_after_the_deed(ask: Ask, post: Ask, standins: StandIns):
    """With `store` the request is carried out and the fault's answer given."""
    await ask("POST", "faults", json={"status": 500, "store": True, "times": 1})

    assert (500, "Service Unavailable") == await post()
    assert ["added"] == standins.store.records("captorra")[0]["history"]


@pytest.mark.parametrize(("mode", "stored"), [("drop", 0), ("store_then_drop", 1)])
async def test_a_dropped_connection(*, ask: Ask, post: Ask, standins: StandIns, mode: str, stored: int):
    """The client sees a broken connection, before or after the deed."""
    await ask("POST", "faults", json={"mode": mode, "times": 1})

    with pytest.raises(aiohttp.ClientConnectionError):
        await post()
    assert stored == len(standins.store.records("captorra"))


@pytest.mark.parametrize(("mode", "stored"), [("hang", 0), ("store_then_hang", 1)])
async def test_a_hanging_reply(*, ask: Ask, post: Ask, standins: StandIns, mode: str, stored: int):
    """Nothing is answered, before or after the deed, and then the connection breaks."""
    await ask("POST", "faults", json={"mode": mode, "hang_s": 0.05})

    with pytest.raises(aiohttp.ClientConnectionError):
        await post()
    assert stored == len(standins.store.records("captorra"))


async def test_a_hang_does_not_outlive_the_stand_ins():
    """Stopping cuts hanging requests at once."""
    stand_ins = StandIns()
    await stand_ins.start()
    async with aiohttp.ClientSession() as session:
        await session.post(f"{stand_ins.url}/control/faults", json={"mode": "hang"})
        hanging = asyncio.create_task(session.post(f"{stand_ins.url}/comunik8/lead/add", json={}))
        async with asyncio.timeout(5):
            while not stand_ins.store.counts["comunik8"]:  # noqa: ASYNC110  a count has no event
                await asyncio.sleep(0)
        began = time.monotonic()
        await stand_ins.stop()

        assert time.monotonic() - began < 5
        with pytest.raises(aiohttp.ClientConnectionError):
            await hanging


async def test_a_closed_connection_has_answered(ask: Ask, post: Ask):
    """Mode close answers, and closes a connection that promised to stay open; the next request opens another."""
    await ask("POST", "faults", json={"mode": "close", "times": 1})

    assert (200, '{"success":true}') == await post()
    assert 200 == (await post(ID="two"))[0]


async def test_latency_is_added(ask: Ask, post: Ask):
    """A fault that only delays answers as the vendor does, later."""
    await ask("POST", "faults", json={"latency_ms": 50})
    began = time.monotonic()

    assert (200, '{"success":true}') == await post()
    assert time.monotonic() - began >= 0.05


async def test_chance_follows_the_seed():
    """The same seed strikes the same requests; a rate without more is status 503."""

    async def failures(seed: int) -> list[int]:
        stand_ins = StandIns(store=Store(seed=seed))
        await stand_ins.start()
        async with aiohttp.ClientSession() as session:
            await session.post(f"{stand_ins.url}/control/faults", json={"vendor": "callcap", "fail_rate": 0.3})
            replies = [await session.get(f"{stand_ins.url}/callcap/v3/numbers") for _ in range(40)]
        await stand_ins.stop()
        return [place for place, reply in enumerate(replies) if reply.status == 503]

    first = await failures(7)

    assert first == await failures(7)
    assert 3 < len(first) < 25


async def test_the_clock_can_be_put_ahead(ask: Ask, standins: StandIns):
    """An advance moves the time that the vendors see."""
    before = standins.store.now_ms()
    status, answer = await ask("POST", "clock", json={"advance_s": 3600})

    assert 200 == status
    assert answer["now_ms"] - before >= 3_600_000
    assert 400 == (await ask("POST", "clock", json={"advance_s": "1h"}))[0]
