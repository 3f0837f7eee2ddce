"""Accepting: what is stored, what is the same, and what one bad item does to its group."""

import pytest
from redis import RedisError

from tests.ledgers import NOON, Driver
from worker.ledger.ledger import Ledger
from worker.ledger.records import Accepted, Incoming
from worker.ledger.sign_ins import Patience, SignIn


async def test_an_event_makes_a_waiting_call(driver: Driver):
    """The first event makes the call; it is stored as it was received."""
    assert Accepted.NEW == await driver.accept("c1", 's{"a":"1"}', received_us=17)

    call = await driver.call("c1")
    [event] = call.events
    assert ("c1", 1, "waiting", 0) == (call.call_id, call.version, call.state, call.planned_version)
    assert (17, "s", {"PLA_CID": "1"}) == (event.received_us, event.kind, event.values)


async def test_the_same_event_changes_nothing(driver: Driver):
    """An event equal to any stored one is the same, whenever it was received."""
    await driver.accept("c1", 's{"a":"1"}', received_us=1)
    await driver.accept("c1", 'e{"b":"1"}', received_us=2)

    assert Accepted.SAME == await driver.accept("c1", 's{"a":"1"}', received_us=3)
    assert Accepted.SAME == await driver.accept("c1", 'e{"b":"1"}', received_us=4)
    assert [1, 2] == [event.received_us for event in (await driver.call("c1")).events]


async def test_a_record_may_hold_blanks_and_another_may_begin_alike(driver: Driver):
    """Events are compared whole, and not by a part of them."""
    await driver.accept("c1", 's{"a":"1 2"}')

    assert Accepted.NEW == await driver.accept("c1", 's{"a":"1"}')
    assert Accepted.NEW == await driver.accept("c1", 's{"a":"2"}')
    assert Accepted.NEW == await driver.accept("c1", 'e{"a":"1 2"}')
    assert Accepted.SAME == await driver.accept("c1", 's{"a":"1 2"}')


async def test_a_group_is_answered_in_its_order(driver: Driver):
    """One round trip takes many events, of one call too."""
    group = [Incoming("c1", 1, "s{}"), Incoming("c2", 2, "s{}"), Incoming("c1", 3, "s{}"), Incoming("c1", 4, "e{}")]

    assert [Accepted.NEW, Accepted.NEW, Accepted.SAME, Accepted.NEW] == await driver.ledger.accept(group)


async def test_nothing_is_accepted_from_an_empty_group(driver: Driver):
    """An empty group has no answers."""
    assert [] == await driver.ledger.accept([])


@pytest.mark.parametrize("call_id", ["a:b", "a:b:create", "%s|%d", "späte Anrufe", "x" * 100, "*", "[a-z]?", '"', "\\"])
async def test_any_usable_id_is_a_call(driver: Driver, call_id: str):
    """An id is a text: colons, patterns and letters of any script go through every operation."""
    await driver.accept(call_id)
    await driver.make(call_id)
    claimed = await driver.take_one()

    assert call_id == claimed.key.call_id
    assert (await driver.end(claimed, "failed", delay_ms=1000)).applied
    assert "retrying" == (await driver.delivery(call_id)).state
    driver.time.pass_s(1)
    await driver.take_one()
    driver.time.pass_s(60)
    assert ("crm",) == await driver.tick()
    assert (await driver.end(await driver.take_one(), "dead")).applied
    assert ["dead"] == await driver.states(call_id)


async def test_a_foreign_key_of_the_wrong_type_spoils_its_own_item_only(driver: Driver):
    """One bad item never spoils its group."""
    await driver.redis.set("sb:c:bad", "foreign")
    group = [Incoming("c1", 1, "s{}"), Incoming("bad", 2, "s{}"), Incoming("c2", 3, "s{}")]

    assert [Accepted.NEW, Accepted.FAILED, Accepted.NEW] == await driver.ledger.accept(group)
    assert 2 == len(await driver.ledger.load(["c1", "c2"]))


async def test_a_redis_without_memory_refuses_the_group(redis):
    """A fault of the whole Redis is an error, never a false acknowledgement of part of a group."""
    ledger = Ledger(redis)
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(RedisError, match="maxmemory"):
            await ledger.accept([Incoming("c1", 1, "s{}")])
    finally:
        await redis.config_set("maxmemory", "0")

    assert [] == await ledger.load(["c1"])


async def test_an_accepted_call_is_dispatched_by_the_clock_when_its_wake_up_is_lost(driver: Driver):
    """The clock asks for dispatch 1.5 s after an event that nobody planned."""
    await driver.accept("c1")
    driver.time.pass_s(1.4)
    assert not (await driver.ledger.tick([])).wake_calls
    assert [] == await driver.ledger.calls_due(limit=10)
    driver.time.pass_s(0.1)

    assert (await driver.ledger.tick([])).wake_calls
    assert not (await driver.ledger.tick([])).wake_calls
    assert ["c1"] == await driver.ledger.calls_due(limit=10)
    assert not (await driver.ledger.tick([])).wake_calls
    driver.time.pass_s(10)
    assert (await driver.ledger.tick([])).wake_calls


async def test_calls_due_come_the_longest_overdue_first_and_bounded(driver: Driver):
    """A dispatch takes a slice for 10 s; what it has not planned by then is due again."""
    for call_id in ("c3", "c1", "c2"):
        await driver.accept(call_id)
        driver.time.pass_s(1)
    driver.time.pass_s(60)

    assert ["c3", "c1"] == await driver.ledger.calls_due(limit=2)
    assert ["c2"] == await driver.ledger.calls_due(limit=2)
    assert [] == await driver.ledger.calls_due(limit=2)
    driver.time.pass_s(11)
    assert {"c1", "c2", "c3"} == set(await driver.ledger.calls_due(limit=3))


async def test_a_forgotten_call_is_not_there(driver: Driver):
    """Unknown ids are left out of a load."""
    await driver.accept("c1")

    assert ["c1"] == [call.call_id for call in await driver.ledger.load(["nobody", "c1"])]
    await driver.ledger.forget_waits([])


async def test_the_ledger_goes_by_the_time_of_redis(redis):
    """Without a clock handed in every operation asks Redis, so that all machines share one time."""
    ledger = Ledger(redis)
    seconds, _ = await redis.time()
    now_ms = await ledger.now_ms()
    await ledger.accept([Incoming("c1", 1, "s{}")])

    assert 0 <= now_ms - seconds * 1000 < 60_000
    assert 0 <= await redis.zscore("sb:waits", "c1") - now_ms < 60_000
    assert now_ms > NOON


WAITS = Patience(end_ms=14_400_000, start_ms=120_000, early=False)


async def say(driver: Driver, patience: Patience | None, *, name: str = "one", changed_ms: int = 1) -> None:
    """Let a worker that plans sign in; without patience one of the version before, which does not say how it waits."""
    said = SignIn(name=name, config=name, changed_ms=changed_ms, queues=("calls",))
    await driver.ledger.sign_in(said, patience)


EARLY = Patience(end_ms=14_400_000, start_ms=120_000, early=True)
SOON = Patience(end_ms=1000, start_ms=120_000, early=False)


@pytest.mark.parametrize(
    ("patience", "answers", "wait_s"),
    [
        (None, "s:N", 1.5),
        (WAITS, "s:W", 14_400),
        (WAITS, "q:W", 14_400),
        (WAITS, "e:W", 120),
        (WAITS, "p:W", 120),
        (WAITS, "c:N", 1.5),
        (WAITS, "s:W e:N", 1.5),
        (WAITS, "e:W s:N", 1.5),
        (WAITS, "s:W p:W e:N", 1.5),
        (WAITS, "s:W p:W p:W", 14_400),
        (WAITS, "s:W s:W s:W", 14_400),
        (WAITS, "p:W s:W", 120),  # looked at once more than is needed, and then as late as its end may come
        (WAITS, "q:W e:N", 1.5),
        (WAITS, "s:W q:W c:N", 1.5),
        (EARLY, "s:N", 1.5),
        (EARLY, "q:N", 1.5),
        (EARLY, "p:W e:N s:N", 1.5),
        (SOON, "s:N", 1.5),
    ],
)
async def test_an_event_says_whether_its_call_waits_for_another(
    driver: Driver, patience: Patience | None, answers: str, wait_s: float
):
    """As the planner would: a start for its end, an end for its start; the clock looks when that wait is over."""
    await say(driver, patience)
    told = [f"{one[0]}:{await driver.accept('c1', record_of(one[0], n))}" for n, one in enumerate(answers.split())]

    assert answers.split() == told
    assert NOON + wait_s * 1000 == await driver.redis.zscore("sb:waits", "c1")


def record_of(kind: str, number: int) -> str:
    """Return an event that differs from those of other numbers."""
    return f'{kind}{{"a":"{number}"}}'


async def test_a_wait_is_counted_from_the_receipt(driver: Driver):
    """What lay in a spool waits the less; what lay there longer is looked at now."""
    await say(driver, WAITS)
    assert Accepted.WAITS == await driver.accept("c1", received_us=(NOON - 60_000) * 1000)
    assert Accepted.NEW == await driver.accept("c2", received_us=(NOON - 14_400_000) * 1000)
    assert Accepted.WAITS == await driver.accept("c1", 's{"a":"2"}', received_us=(NOON - 90_000) * 1000)
    assert Accepted.WAITS == await driver.accept("c1", 's{"a":"3"}')

    assert NOON + 14_400_000 - 90_000 == await driver.redis.zscore("sb:waits", "c1")
    driver.time.pass_s(14_400 - 91)
    assert ["c2"] == await driver.ledger.calls_due(limit=9)
    driver.time.pass_s(1)
    assert ["c1"] == [one for one in await driver.ledger.calls_due(limit=9) if one == "c1"]


@pytest.mark.parametrize("state", ["r", "u", "x"])
async def test_an_event_of_a_planned_call_is_looked_at(driver: Driver, state: str):
    """Its wait was over: what comes makes a revision, or the start that never came."""
    await say(driver, WAITS)
    await driver.accept("c1")
    await driver.plan("c1", state=state)

    assert Accepted.NEW == await driver.accept("c1", 'p{"b":"1"}')


async def test_a_call_waits_as_the_newest_configuration_says(driver: Driver):
    """The worker that plans has it; one that yields says nothing, whoever signs in last."""
    await say(driver, WAITS)
    await say(driver, Patience(end_ms=60_000, start_ms=5_000, early=False), name="newer", changed_ms=2)
    await say(driver, WAITS)
    assert Accepted.WAITS == await driver.accept("c1")

    assert NOON + 60_000 == await driver.redis.zscore("sb:waits", "c1")


async def test_a_worker_of_the_version_before_that_plans_is_woken_by_each_event(driver: Driver):
    """It does not say how long it lets calls wait; one of this version with its configuration knows."""
    await say(driver, WAITS)
    await say(driver, None, name="newer", changed_ms=2)
    assert Accepted.NEW == await driver.accept("c1")
    await say(driver, WAITS)
    assert Accepted.NEW == await driver.accept("c2")
    await driver.ledger.sign_in(SignIn(name="same", config="newer", changed_ms=2, queues=("calls",)), WAITS)
    assert Accepted.WAITS == await driver.accept("c3")


async def test_nothing_waits_where_no_worker_lives(driver: Driver):
    """What the last of them said goes with it; one that plans nothing has nothing to say."""
    await say(driver, WAITS)
    assert 0 < await driver.redis.pttl("sb:patience") <= 10_000
    driver.time.pass_s(11)
    await driver.ledger.sign_in(SignIn(name="vendor", config="one", changed_ms=1, queues=("captorra",)), WAITS)

    assert Accepted.NEW == await driver.accept("c1")


async def test_a_foreign_key_in_place_of_how_long_calls_wait_spoils_nothing(driver: Driver):
    """Each event is looked at then."""
    await driver.redis.hset("sb:patience", "foreign", "1")
    assert Accepted.NEW == await driver.accept("c1")
    await driver.redis.delete("sb:patience")


async def test_the_service_of_a_call_that_waits_is_kept(driver: Driver):
    """Its end, of another sender, is refused: as where nothing waits."""
    await say(driver, WAITS)
    assert Accepted.WAITS == await driver.accept("c1", '@law\n101\ns{"a":"101"}')

    assert "101" == await driver.redis.hget("sb:c:c1", "sv")
