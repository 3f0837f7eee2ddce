"""What one call may hold: 200 events and 256 KB; what comes beyond is folded, and else quarantined."""

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.delacon.events import Event, StoredEvent, merge, parse_record, read_event
from tests.ledgers import NOON, Driver, open_driver
from worker.ledger import admin, queries
from worker.ledger.ledger import Bounds
from worker.ledger.records import Accepted, Incoming, StoredCall

NOON_US = NOON * 1000
NEW, SAME, QUARANTINED = Accepted.NEW, Accepted.SAME, Accepted.QUARANTINED


def event(kind: str, place: int, /, **values: str) -> Incoming:
    """Make an event of the call ``c1``, received at its place."""
    return Incoming("c1", NOON_US + place, Event("c1", kind, values).record())


def merged(call: StoredCall) -> Mapping[str, str]:
    """Merge a stored call as the workers do."""
    return merge("c1", call.events, default_region="AU").call.raw


async def held_bytes(driver: Driver) -> int:
    """Count the bytes of a call's events and folded values."""
    fields: Any = await driver.redis.hgetall("sb:c:c1")
    return sum(len(text.encode()) for name, text in fields.items() if name[0] in "ex")


async def reasons(driver: Driver) -> list[str]:
    """Return the reasons of what is in quarantine."""
    return [body.reason async for body in queries.quarantined(driver.ledger)]


async def test_events_beyond_two_hundred_are_folded_key_by_key(driver: Driver):
    """Values are kept whatever order they come in, and the later received one of a key stands."""
    items = [event("e", i, PLA_CID=str(i), **{f"k{i}": "1"}) for i in range(300)]
    Random(1).shuffle(items)

    assert {NEW} == set(await driver.ledger.accept(items))
    call = await driver.call("c1")
    values = merged(call)
    assert 195 == len(call.texts)
    assert 300 == call.version == call.arrivals.revision
    assert len(call.listed) <= 200
    assert "299" == values["PLA_CID"]
    assert {f"k{i}" for i in range(300)} <= values.keys()
    assert call.arrivals.first_end_us == NOON_US


async def test_the_later_received_of_folded_events_stands_in_whatever_order_they_come(driver: Driver):
    """Events of the same keys replace one another by their receipt, not by their place in the line."""
    items = [event("e", i, PLA_CID=str(i)) for i in range(300)]
    await driver.ledger.accept(items[:195])
    late = items[195:]
    Random(2).shuffle(late)
    late.remove(items[299])
    await driver.ledger.accept([items[299], *late])

    assert "299" == merged(await driver.call("c1"))["PLA_CID"]


async def test_folding_an_event_again_changes_nothing(driver: Driver):
    """A repeat is known, received at the same moment or later, also when another value stands by now."""
    items = [event("e", i, PLA_CID=str(i)) for i in range(250)]
    await driver.ledger.accept(items)
    before = await driver.redis.hgetall("sb:c:c1")

    again = [Incoming("c1", item.received_us + 1000, item.record) for item in items]
    assert {SAME} == set(await driver.ledger.accept(items))
    assert {SAME} == set(await driver.ledger.accept(again))
    assert before == await driver.redis.hgetall("sb:c:c1")


async def test_the_first_end_of_a_call_with_hundreds_of_starts_is_stored(driver: Driver):
    """The first event of each kind finds room, be there hundreds of others or as many bytes as they may be."""
    starts = [event("s", i, PLA_CID=str(i), PLA_URL="u" * 2000) for i in range(400)]
    answers = set(await driver.ledger.accept(starts))
    end = event("e", 500, PLA_Duration="50s", PLA_RecordingFile="r" * 40_000)

    assert {NEW, QUARANTINED} == answers
    assert [NEW] == await driver.ledger.accept([end])
    call = await driver.call("c1")
    assert "e" in call.texts[-1].split(" ", 1)[1][0]
    assert call.arrivals.whole
    assert len(call.texts) <= 200


@pytest.mark.parametrize("body", [
    {"PLA_URL": "u" * 60_000}, {"unknown": "v" * 15_000}, {"nested": "[" * 7_000 + "]" * 7_000},
    {f"k{i}": "v" for i in range(1500)}, {"PLA_Keywords_Searched": "é" * 30_000}, {"odd": '"\\' * 7000},
])  # fmt: skip
async def test_a_call_holds_at_most_so_many_bytes(driver: Driver, body: Mapping[str, str]):
    """What does not fit is answered, kept in quarantine with its reason, and never grows the call."""
    items = [event("e", i, **{**body, "PLA_Duration": str(i)}) for i in range(260)]
    answers = [answer for item in items for answer in await driver.ledger.accept([item])]
    kept = [body async for body in queries.quarantined(driver.ledger)]

    assert await held_bytes(driver) <= 256 * 1024
    assert NEW == answers[0]
    assert answers.count(QUARANTINED) == len(kept) > 0
    assert {"call_too_large", "too_many_events"} >= {one.reason for one in kept}
    again = read_event(kept[0].body, path_kind="update")
    assert ("c1", items[kept[0].received_us - NOON_US].record) == (again.call_id, again.record())


async def test_one_event_larger_than_a_call_is_quarantined(driver: Driver):
    """It makes no call."""
    assert [QUARANTINED] == await driver.ledger.accept([event("s", 1, PLA_URL="u" * 300_000)])
    assert [] == await driver.ledger.load(["c1"])
    assert ["call_too_large"] == await reasons(driver)


async def test_what_is_quarantined_twice_is_kept_once(driver: Driver):
    """A write that is repeated after a timeout finds its body there."""
    await driver.ledger.accept([event("s", i, PLA_URL=str(i) + "u" * 50_000) for i in range(3)])
    late = event("s", 9, PLA_URL="x" * 60_000)

    assert [QUARANTINED, QUARANTINED] == await driver.ledger.accept([late, late])
    assert [QUARANTINED] == await driver.ledger.accept([late])
    assert 1 == len(await reasons(driver))


async def test_more_different_events_than_can_be_told_apart_are_quarantined(redis_url: str):
    """Digests are kept of as many as are taken; the first of a kind is taken all the same."""
    async with open_driver(redis_url, bounds=Bounds(events=8, taken=20)) as driver:
        answers = await driver.ledger.accept([event("s", i, PLA_CID=str(i)) for i in range(30)])
        assert [NEW] * 20 + [QUARANTINED] * 10 == answers
        assert {"too_many_events"} == set(await reasons(driver))
        assert [NEW] == await driver.ledger.accept([event("e", 40, PLA_Duration="1")])


async def test_events_of_an_older_version_are_known(driver: Driver):
    """A call that was stored without digests is digested once, and so is what an older process adds meanwhile."""
    for i in range(201):
        await driver.redis.hset("sb:c:c1", f"e{i + 1}", f"{NOON_US + i} {event('e', i, PLA_CID=str(i)).record}")
    await driver.redis.hset("sb:c:c1", "n", "201")
    assert [SAME, SAME] == await driver.ledger.accept([event("e", 900, PLA_CID="0"), event("e", 901, PLA_CID="200")])
    assert [NEW, SAME] == await driver.ledger.accept([event("e", 902, PLA_CID="x"), event("e", 903, PLA_CID="x")])
    await driver.redis.hset("sb:c:c1", "e202", f"{NOON_US + 950} {event('e', 0, PLA_CID='late').record}")
    await driver.redis.hset("sb:c:c1", "n", "202")

    assert [SAME] == await driver.ledger.accept([event("e", 951, PLA_CID="late")])
    assert "late" == merged(await driver.call("c1"))["PLA_CID"]


async def test_a_folded_event_is_planned_and_sent(driver: Driver):
    """It makes a plan of the call before it stale, and stands in what a claim gives."""
    await driver.ledger.accept([event("e", i, PLA_CID=str(i)) for i in range(200)])
    before = (await driver.call("c1")).version
    await driver.ledger.accept([event("e", 500, PLA_CID="last")])

    assert not (await driver.plan("c1", version=before)).applied
    await driver.make("c1")
    claimed = await driver.take_one()
    assert 201 == claimed.version == (await driver.call("c1")).planned_version
    assert set(claimed.events) == {*(await driver.call("c1")).texts, *(await driver.call("c1")).folded}


async def test_a_claim_hands_out_a_bounded_size(driver: Driver):
    """Calls of 200 KB each are claimed some at a time, none is left behind, and whoever claims is told to go on."""
    for number in range(12):
        call_id = f"c{number}"
        await driver.ledger.accept(
            [Incoming(call_id, NOON_US + i, f's{{"PLA_CID":"{i}{"x" * 1000}"}}') for i in range(150)]
        )
        await driver.make(call_id)
    sizes, taken = [], set()
    while (claim := await driver.claim(want=50)).items:
        sizes.append(sum(len(text) for one in claim.items for text in one.events))
        taken |= {one.key.call_id for one in claim.items}
        assert ("limited" if len(taken) < 12 else "ok", 0) == (claim.verdict, claim.wait_ms)

    assert {f"c{number}" for number in range(12)} == taken
    assert max(sizes) < 1_400_000


async def test_a_full_call_is_removed_whole(driver: Driver):
    """Erasing leaves nothing of it but the id."""
    await driver.ledger.accept([event("s", i, PLA_CID=str(i)) for i in range(300)])
    await driver.make("c1")
    await driver.end(await driver.take_one(), "dead")

    assert [True] == await admin.erase_calls(driver.ledger, ["c1"], remember_s=60)
    assert not await driver.redis.exists("sb:c:c1")
    assert [Accepted.REMEMBERED] == await driver.ledger.accept([event("s", 1, PLA_CID="1")])


KEYS = st.sampled_from(["PLA_CID", "PLA_City", "PLA_Duration", "PLA_RecordingFile", "a", "1", ".x", "url/ä\U0001f600"])
VALUES = st.sampled_from(["1", "2", ",", '"', "\\", "a/b", "\x7f", "\u2028", "3.0", "{}"])
EVENTS = st.lists(st.tuples(st.sampled_from("sepcq"), st.dictionaries(KEYS, VALUES, max_size=4)), max_size=30)


@settings(max_examples=150)
@given(events=EVENTS, order=st.randoms(use_true_random=False), repeats=st.lists(st.integers(0, 29), max_size=15))
@example(events=[("s", {"1": "1"})] * 9, order=Random(1), repeats=[1])
@example(events=[("e", {"a": str(n)}) for n in range(30)], order=Random(1), repeats=[1, 29])
@example(events=[("se"[n % 2], {"PLA_CID": str(n)}) for n in range(30)], order=Random(3), repeats=[0, 1])
def test_any_events_in_any_order_with_repeats_fold_to_the_merge_of_all(
    events: list[tuple[str, dict[str, str]]], order: Random, repeats: list[int]
):
    """Whatever is folded: the call, its arrivals and its revision are those of all its events."""
    items = [event(kind, place, **values) for place, (kind, values) in enumerate(events)]
    items += [
        Incoming("c1", NOON_US + 100 + again, items[place].record)
        for again, place in enumerate(repeats)
        if place < len(items)
    ]
    order.shuffle(items)
    kept = {item.record: item for item in reversed(items)}.values()

    async def run() -> StoredCall | None:
        async with open_driver(None, bounds=Bounds(events=8)) as driver:
            for item in items:
                await driver.ledger.accept([item])
            return next(iter(await driver.ledger.load(["c1"])), None)

    call = asyncio.run(run())
    if call is None:
        assert not items
        return
    wanted = merge(
        "c1", [StoredEvent(i.received_us, i.record[0], parse_record(i.record)[1]) for i in kept], default_region="AU"
    )
    assert len(call.texts) <= 8
    assert len(kept) == call.version
    assert wanted.arrivals == call.arrivals
    assert wanted.call == merge("c1", call.events, default_region="AU").call
