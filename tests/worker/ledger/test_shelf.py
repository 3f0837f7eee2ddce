"""Records of another version: readable as far as they are known, set aside where they are not, and never in the way."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.delivery import State
from tests.ledgers import LEASE_MS, Driver, ids, key_of, open_driver
from worker.errors import UnreadableError
from worker.ledger.admin import erase_calls
from worker.ledger.history import Attempt, History
from worker.ledger.keys import CALL_KEY, DUE_KEY, SHELF_KEY, WAITS_KEY
from worker.ledger.records import DeliveryRecord, StoredCall, read_stored

LOG = History(attempts=(Attempt(number=1, at_ms=1, elapsed_ms=2, status=200, outcome="retry"),)).dump()


async def rewrite(driver: Driver, call_id: str, text: str, *, destination: str = "crm", action: str = "create") -> None:
    """Put a delivery in another form into the ledger, as another version writes it."""
    await driver.redis.hset(f"{CALL_KEY}{call_id}", f"d:{destination}:{action}", text)


async def stored(driver: Driver, call_id: str, action: str = "create") -> str:
    """Return a delivery as it stands in the ledger."""
    return str(await driver.redis.hget(f"{CALL_KEY}{call_id}", f"d:crm:{action}"))


@pytest.mark.parametrize(
    "text",
    [
        "Z|1|1|0|1772452800000||\n",  # a state of a later version
        "3:q|0|0|0|1772452800000||\n",  # a form that says its version
        "q|0|0|0|soon||\n",  # another time
        "q|0|0\n",
        '{"state":"q"}\n',
        "",
    ],
)
async def test_what_cannot_be_read_holds_up_no_neighbour(driver: Driver, text: str):
    """A claim takes the neighbours, and sets aside what it cannot read, as it stands."""
    await driver.make("a", "odd", "b")
    await rewrite(driver, "odd", text)

    taken = await driver.take()

    assert ids(taken) == ["a", "b"]
    assert await stored(driver, "odd") == text
    assert await driver.redis.zrange(SHELF_KEY, 0, -1) == ["odd:crm:create"]
    assert await driver.redis.zscore(f"{DUE_KEY}crm", "odd:create") is None


@pytest.mark.parametrize("log", ["{", "[1,2,3,4,5]", '{"attempts":[]}', '[[[1]],[],0,"",""]'])
async def test_a_log_that_cannot_be_read_holds_up_no_neighbour(driver: Driver, log: str):
    """The claim of such a delivery is undone; its neighbours are delivered, and nothing of it is lost."""
    await driver.make("a", "odd", "b")
    header = (await stored(driver, "odd")).split("\n")[0]
    await rewrite(driver, "odd", f"{header}\n{log}")

    claim = await driver.claim()

    assert ids(list(claim.items)) == ["a", "b"]
    assert claim.verdict == "limited"  # whoever claimed asks again: something else may be due
    assert (await stored(driver, "odd")).split("\n") == ["q|1|0|0|" + str(driver.time.ms) + "||set_aside", log]
    assert await driver.redis.zrange(SHELF_KEY, 0, -1) == ["odd:crm:create"]
    assert await driver.take() == []


async def test_a_log_with_more_values_is_read_and_keeps_them(driver: Driver):
    """What a next version adds at the end of a log, and of an attempt, is written back."""
    attempts, *rest = orjson.loads(LOG)
    later = orjson.dumps([[[*attempts[0], "more"]], *rest, {"next": 1}]).decode()
    await driver.make("a")
    await rewrite(driver, "a", "r|1|1|1|1772452800000||failed|next\n" + later)

    claimed = await driver.take_one()
    await driver.end(claimed, "failed", delay_ms=1000)

    kept: Any = orjson.loads((await stored(driver, "a")).split("\n")[1])
    assert kept[0][0][-1] == "more"
    assert kept[5:] == [{"next": 1}]
    assert claimed.reason.split("|")[0] == "failed"


async def test_what_becomes_readable_is_delivered(driver: Driver):
    """A minute later it is looked at again: whoever can read it by then delivers it."""
    await driver.make("odd")
    text = await stored(driver, "odd")
    await rewrite(driver, "odd", "3:" + text)
    assert await driver.take() == []
    await rewrite(driver, "odd", text)

    await driver.tick()
    assert await driver.take() == []
    driver.time.pass_s(61)
    await driver.tick()

    assert ids(await driver.take()) == ["odd"]
    assert await driver.redis.zcard(SHELF_KEY) == 0


async def test_what_stays_unreadable_is_looked_at_ever_less_often(driver: Driver):
    """After a minute, two, four ... and at most an hour."""
    await driver.make("odd")
    await rewrite(driver, "odd", "Z|0|0|0|0||\n")
    await driver.take()
    waits = []
    for _ in range(9):
        due = int(await driver.redis.zscore(SHELF_KEY, "odd:crm:create") or 0)
        waits.append((due - driver.time.ms) // 60_000)
        driver.time.ms = due
        await driver.tick()

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_an_unreadable_lease_is_not_forgotten(driver: Driver):
    """A next version's claim whose lease ends in the hands of this one is set aside, not lost."""
    await driver.make("odd")
    await driver.take()
    await rewrite(driver, "odd", "Z|1|1|0|0||\n")
    driver.time.pass_s(LEASE_MS / 1000 + 1)

    await driver.tick()

    assert await driver.redis.zrange(SHELF_KEY, 0, -1) == ["odd:crm:create"]


async def test_an_unreadable_one_in_a_line_lets_the_next_pass(driver: Driver):
    """The line of a caller goes on; the one that cannot be read is set aside."""
    await driver.make("a", "odd", "b", group="61400000000")
    [first] = await driver.take()
    await rewrite(driver, "odd", "Z|0|0|0|0|61400000000|\n")

    await driver.end(first, "delivered")

    assert ids(await driver.take()) == ["b"]
    assert await driver.redis.zrange(SHELF_KEY, 0, -1) == ["odd:crm:create"]


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("st", "z", "state"),
        ("e1", '1 z{"a":"1"}', "event"),
        ("e1", '3:1 s{"a":"1"}', "event"),
        ("d:crm:create", "Z|0|0|0|0||\n", "header"),
        ("d:crm:create", "q|0|0|0|0||\n{", "header"),
    ],
)
async def test_a_call_says_which_part_cannot_be_read(driver: Driver, name: str, text: str, part: str):
    """Such a call is read and shown as far as it goes, beside its neighbours, and nothing is decided from it."""
    await driver.make("a", "odd")
    await driver.redis.hset(f"{CALL_KEY}odd", name, text)

    good, odd = await driver.ledger.load(["a", "odd"])

    assert (good.unreadable, odd.unreadable) == ("", part)
    assert len(good.events) == 1
    with pytest.raises(UnreadableError):
        _ = odd.arrivals


async def test_a_call_that_cannot_be_planned_waits_on_the_shelf(driver: Driver):
    """It stands no longer among those that wait, the rescue leaves it alone, and the clock brings it back."""
    await driver.accept("odd")
    await driver.ledger.set_aside_calls({"odd": "event", "gone": "event"})

    assert await driver.redis.zcard(WAITS_KEY) == 0
    assert await driver.redis.zrange(SHELF_KEY, 0, -1) == ["odd:calls:plan"]
    assert await driver.ledger.scripts.run("rescue", 500, 1, 1) == 0
    driver.time.pass_s(61)
    await driver.tick()
    assert await driver.redis.zrange(WAITS_KEY, 0, -1) == ["odd"]


async def test_an_erased_call_leaves_the_shelf(driver: Driver):
    """Nothing of it stays there."""
    await driver.make("odd")
    await rewrite(driver, "odd", "Z|0|0|0|0||\n")
    await driver.take()

    await erase_calls(driver.ledger, ["odd"], remember_s=1)

    assert await driver.redis.zcard(SHELF_KEY) == 0


NEXT_STATES = st.sampled_from("ABEGHIJKLMNOPQRTUVWYZ")
NEXT_HEADERS = st.one_of(
    st.builds(lambda state, more: f"{state}|1|1|0|1772452800000||{more}", NEXT_STATES, st.sampled_from(["", "x|y"])),
    st.builds(lambda number, rest: f"{number}:{rest}", st.integers(3, 99), st.sampled_from(["q|0|0|0|0||", "f", ""])),
    st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=40).filter(
        lambda text: text[:2] not in {f"{s}|" for s in "qfrDXSC"}
    ),
)
NEXT_LOGS = st.one_of(
    st.just(""),
    st.text(max_size=30),
    st.builds(
        lambda more: orjson.dumps([*orjson.loads(LOG), *more]).decode(),
        st.lists(st.one_of(st.integers(0, 9), st.text(max_size=5)), max_size=3),
    ),
)
NEXT_DELIVERIES = st.builds(lambda header, log: f"{header}\n{log}", NEXT_HEADERS, NEXT_LOGS)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(odd=st.lists(NEXT_DELIVERIES, min_size=1, max_size=5))
async def test_records_of_a_made_up_next_version(odd: list[str]):
    """Fields more, states unknown: no other record is delayed, and the next version finds its own as they were."""
    async with open_driver(None) as driver:
        names = [f"odd{place}" for place in range(len(odd))]
        ours = [f"ours{place}" for place in range(len(odd) + 1)]
        for pair in zip(ours, names, strict=False):
            await driver.make(*pair)
        await driver.make(ours[-1])
        for name, text in zip(names, odd, strict=True):
            await rewrite(driver, name, text)

        taken = await driver.take()
        for claimed in taken:
            if claimed.key.call_id in ours:
                await driver.end(claimed, "delivered")

        assert sorted(one for one in ids(taken) if one in ours) == ours
        assert await driver.states(*ours) == [State.DELIVERED] * len(ours)
        shelved = await driver.redis.zrange(SHELF_KEY, 0, -1)
        for name, text in zip(names, odd, strict=True):
            if f"{name}:crm:create" in shelved:
                assert (await stored(driver, name)).split("\n", 1)[1] == text.split("\n", 1)[1]
            else:
                assert name in ids(taken)


@given(text=st.text(max_size=60))
def test_no_text_breaks_a_reader(text: str):
    """Whatever stands there, a reader reads it or says that it cannot."""
    for read in (
        lambda: DeliveryRecord.parse(key_of("c"), text),
        lambda: History.load(text),
        lambda: read_stored(text),
    ):
        try:
            read()
        except UnreadableError:
            continue
    call = StoredCall.parse("c", {"n": "1", "e1": text, "st": text, "d:crm:create": text})
    assert call is not None


async def test_that_the_attempt_before_was_cut_is_still_known_after_the_shelf(driver: Driver):
    """Its worker was killed, and only the next attempt logs it."""
    await driver.make("odd")
    await driver.take_one()
    driver.time.pass_s(LEASE_MS / 1000 + 1)
    await driver.tick()
    again = await driver.take_one()
    assert (again.reason, again.number) == ("interrupted", 2)
    await driver.ledger.set_aside(again.key, fence=again.fence, reason=again.reason, why="event")
    driver.time.pass_s(61)
    await driver.tick()

    assert [("interrupted", 2)] == [(one.reason, one.number) for one in await driver.take()]
