"""A ledger with random records of a made-up next version: none of it holds up a call of this one, and none is lost."""

from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from schemas.delivery import State
from tasks.dispatch.dispatcher import dispatch
from tasks.dispatch.planner import Planner
from tasks.vendors.registry import VENDORS
from tests.ledgers import Driver, open_driver
from tests.tasks.dispatch.planned import END, START, record
from tests.worker.config.configured import load
from worker.build import LEDGER_FORMAT
from worker.ledger.invariants import check
from worker.ledger.keys import CALL_KEY, SHELF_KEY
from worker.ledger.schema import note

WHOLE = record("c", START | END)
NEXT = LEDGER_FORMAT + 1
MORE_VALUES = st.dictionaries(st.text("xyz", min_size=1, max_size=4), st.integers(0, 9), max_size=3)
EVENTS = st.one_of(
    st.builds(lambda us, values: f"{NEXT}:{us} s{orjson.dumps(values).decode()}", st.integers(1, 10**15), MORE_VALUES),
    st.builds(
        lambda us, kind, values: f"{us} {kind}{orjson.dumps(values).decode()}",
        st.integers(1, 10**15), st.sampled_from("gtvz"), MORE_VALUES,
    ),
)  # fmt: skip
"""A version before the event, or a kind of event that this version does not know."""
CALL_STATES = st.sampled_from(["g", "next", "h|1"])
HEADERS = st.one_of(
    st.builds(
        lambda state, more: f"{state}|1|1|0|1772452800000||{more}", st.sampled_from("ABEGZ"), st.text("|x", max_size=5)
    ),
    st.builds(lambda rest: f"{NEXT}:q|0|0|0|1772452800000||{rest}", st.text("|x1", max_size=9)),
)  # fmt: skip
LOGS = st.sampled_from(["", "[]", '[[],[],0,"",""]', '[[],[],0,"","",{"next":1}]', "{}", "next"])
FIELDS = st.dictionaries(st.text("klm", min_size=2, max_size=3), st.text("0a", max_size=3), max_size=3)
ODD = st.one_of(
    st.tuples(st.just("event"), EVENTS, FIELDS),
    st.tuples(st.just("state"), CALL_STATES, FIELDS),
    st.tuples(st.just("delivery"), st.builds("{}\n{}".format, HEADERS, LOGS), FIELDS),
    st.tuples(st.just("fields"), st.just(""), FIELDS),
)


async def written_by_the_next(driver: Driver, call_id: str, odd: tuple[str, str, dict[str, str]]) -> str:
    """Make of a call one that the next version wrote; return the field that this one cannot read."""
    kind, text, fields = odd
    key = f"{CALL_KEY}{call_id}"
    await driver.redis.hset(key, mapping={"zz": "next", **{f"z{name}": value for name, value in fields.items()}})
    match kind:
        case "event":
            await driver.redis.hset(key, mapping={"n": "2", "e2": text})
            return "e2"
        case "state":
            await driver.redis.hset(key, "st", text)
            return "st"
        case "delivery":
            await driver.redis.hset(key, "d:crm:create", text)
            return "d:crm:create"
        case _:
            return ""


async def work(driver: Driver, planner: Planner) -> None:
    """Do what a worker does: plan, and deliver whatever comes."""
    await driver.tick("crm", "smith-law")
    await dispatch([], ledger=driver.ledger, planner=planner)
    for destination in ("crm", "smith-law"):
        while taken := await driver.take(destination):
            for claimed in taken:
                await driver.end(claimed, "delivered")


async def has_been_delivered(driver: Driver, *call_ids: str) -> bool:
    """Say whether these calls are planned and delivered everywhere."""
    calls = await driver.ledger.load(list(call_ids))
    return len(calls) == len(call_ids) and all(
        call.state == "ready" and [one.state for one in call.deliveries.values()] == [State.DELIVERED] * 2
        for call in calls
    )


@settings(
    max_examples=40, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(odd=st.lists(ODD, min_size=1, max_size=6))
async def test_no_other_is_delayed_and_none_is_lost(
    redis_url: str, tmp_path: Path, odd: list[tuple[str, str, dict[str, str]]]
) -> None:
    """Events, states of calls and deliveries, fields more; the next version reads each again as it wrote it."""
    planner = Planner(settings=load(tmp_path), vendors=VENDORS)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
    async with open_driver(redis_url) as driver:
        await note(driver.ledger, format=NEXT, epoch="next")
        names = [f"odd{place}" for place in range(len(odd))]
        ours = [f"ours{place}" for place in range(len(odd) + 1)]
        for name in (*names, *ours):
            await driver.accept(name, WHOLE)
        planned = [name for name, (kind, _, _) in zip(names, odd, strict=True) if kind in {"delivery", "state"}]
        await dispatch(planned, ledger=driver.ledger, planner=planner)
        before: dict[str, tuple[str, Any]] = {}
        for name, one in zip(names, odd, strict=True):
            held: Any = await driver.redis.hgetall(f"{CALL_KEY}{name}")
            field = await written_by_the_next(driver, name, one)
            before[name] = field, held.get(field)
        driver.time.pass_s(2)

        await work(driver, planner)

        assert await has_been_delivered(driver, *ours)  # at once, whatever stood beside them
        assert {fault.fault for fault in (await check(driver.ledger, fix=False, memory_s=60)).faults} <= {"set_aside"}
        shelf: Any = await driver.redis.zrange(SHELF_KEY, 0, -1)
        shelved = {key.split(":")[0] for key in shelf}
        for name, (kind, text, fields) in zip(names, odd, strict=True):
            now: Any = await driver.redis.hgetall(f"{CALL_KEY}{name}")
            field, earlier = before[name]
            assert (now["zz"], {k: now[f"z{k}"] for k in fields}) == ("next", fields)
            if kind == "delivery":
                assert now[field] == text
                assert name in shelved
            elif kind in {"event", "state"}:
                assert now[field] == text
            if kind != "fields":  # the next version makes of it what this one reads
                if earlier is None:
                    await driver.redis.hdel(f"{CALL_KEY}{name}", field)
                    await driver.redis.hset(f"{CALL_KEY}{name}", "n", "1")
                else:
                    await driver.redis.hset(f"{CALL_KEY}{name}", field, earlier)
        for _ in range(3):
            driver.time.pass_s(3601)
            await work(driver, planner)

        assert await has_been_delivered(driver, *names)
        assert (await check(driver.ledger, fix=False, memory_s=60)).faults == []
