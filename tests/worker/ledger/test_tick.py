"""The clock's tick: leases that ran out, and who has to be woken."""

import pytest
from redis import ResponseError

from tests.ledgers import LEASE_MS, NOON, Driver, ids, key_of, open_driver
from worker.ledger.keys import DUE_KEY, MEMORY_KEY
from worker.ledger.ledger import Timings
from worker.ledger.sign_ins import SignIn, differing


async def test_an_expired_lease_makes_the_delivery_due_again_and_says_why(driver: Driver):
    """A worker that was killed shows as an interruption; every clock may look, one finds it."""
    await driver.make("c1")
    await driver.take_one()
    driver.time.pass_s(LEASE_MS / 1000 - 0.001)
    assert 0 == (await driver.ledger.tick([])).expired
    driver.time.pass_s(0.001)
    assert [1, 0] == [(await driver.ledger.tick([])).expired for _ in range(2)]
    claimed = await driver.take_one()

    assert ("interrupted", 2, 2, 0) == (claimed.reason, claimed.number, claimed.fence, claimed.step)


async def test_more_expired_leases_than_one_tick_takes_are_taken_by_the_next(driver: Driver):
    """A tick is bounded; nothing is left behind for that."""
    await driver.make(*(f"c{i}" for i in range(7)))
    await driver.take()
    driver.time.pass_s(LEASE_MS / 1000)

    assert [3, 3, 1, 0] == [(await driver.ledger.tick(["crm"], limit=3)).expired for _ in range(4)]
    assert 7 == len(await driver.take())


async def test_what_becomes_due_is_woken_once_until_a_run_answers(driver: Driver):
    """However large the backlog, one message a destination is outstanding."""
    await driver.make("c1", "c2")
    await driver.make("c3", destination="law")
    assert ("crm", "law") == await driver.tick("crm", "law", "idle")
    assert () == await driver.tick("crm", "law", "idle")
    await driver.take("law", clear_wakeup=True)
    await driver.take(want=1, clear_wakeup=True)

    assert ("crm",) == await driver.tick("crm", "law", "idle")


async def test_a_lost_wake_up_is_sent_again(driver: Driver):
    """An unanswered wake-up stands for 10 s: then another is sent."""
    await driver.make("c1")
    await driver.tick()

    assert 9_000 < await driver.redis.pttl("sb:wake:crm") <= 10_000
    await driver.redis.delete("sb:wake:crm")
    assert ("crm",) == await driver.tick()


@pytest.mark.parametrize("gate", ["paused", "blocked", "open"])
async def test_a_destination_that_is_shut_is_not_woken(driver: Driver, gate: str):
    """Being held costs no Celery message, however much becomes due."""
    await driver.make("c1")
    await driver.redis.hset("sb:gate:crm", mapping={gate: "1", "probe_at": str(driver.time.ms + 1)})

    assert () == await driver.tick()
    driver.time.pass_s(0.001)
    assert (() if gate == "paused" else ("crm",)) == await driver.tick()


async def test_a_destination_that_no_clock_serves_is_not_woken(driver: Driver):
    """A clock asks for the destinations of its own configuration alone; the others keep."""
    await driver.make("c1", destination="gone")

    assert () == await driver.tick("crm")
    assert ("gone",) == await driver.tick("crm", "gone")


async def test_what_is_not_yet_due_is_not_woken(driver: Driver):
    """A retry is woken when its wait is over."""
    await driver.make("c1")
    await driver.end(await driver.take_one(), "failed", delay_ms=5000)
    assert () == await driver.tick()
    driver.time.pass_s(5)

    assert ("crm",) == await driver.tick()
    assert ["c1"] == ids(await driver.take(keys=[key_of("c1")]))


async def test_shorter_waits_may_be_handed_in():
    """The short chaos run probes and wakes within its minutes."""
    async with open_driver(None, Timings(accept_grace=5, probe=10, probe_max=20, blocked_probe=40)) as driver:
        await driver.accept("c1")
        driver.time.pass_s(0.005)
        assert (await driver.ledger.tick([])).wake_calls
        await driver.make("c1")
        await driver.end(await driver.take_one(), "blocked")

        assert str(driver.time.ms + 40) == await driver.redis.hget("sb:gate:crm", "probe_at")
        assert NOON < driver.time.ms


async def test_workers_that_tick_are_counted_for_ten_seconds(driver: Driver):
    """A process that has not ticked for 10 s is none; after an hour it is forgotten."""
    await driver.ledger.sign_in(SignIn(name="one"))
    driver.time.pass_s(8)
    await driver.ledger.sign_in(SignIn(name="two"))

    assert 2 == (await driver.ledger.overview()).workers
    driver.time.pass_s(8)
    assert 1 == (await driver.ledger.overview()).workers
    driver.time.pass_s(3600)
    await driver.ledger.sign_in(SignIn(name="two"))
    assert ["two"] == await driver.redis.zrange("sb:workers", 0, -1)


def of(name: str, config: str, changed_ms: int, *queues: str) -> SignIn:
    """Return a sign-in; without queues of a worker that plans."""
    return SignIn(name=name, config=config, changed_ms=changed_ms, queues=queues or ("calls", "kapture"))


async def test_each_worker_is_told_of_the_newest_configuration(driver: Driver):
    """By its file's time, and by its digest where two files are of one time; whoever signs in last."""
    first = of("one", "bbb", 2)
    assert ("bbb", 2) == _newest(await driver.ledger.sign_in(first))
    assert ("bbb", 2) == _newest(await driver.ledger.sign_in(of("two", "ccc", 1)))
    assert ("bbb", 2) == _newest(await driver.ledger.sign_in(of("three", "aaa", 2)))
    assert ("aaa", 10) == _newest(await driver.ledger.sign_in(of("four", "aaa", 10)))
    assert ("aaa", 10) == _newest(await driver.ledger.sign_in(first))


async def test_a_worker_that_plans_nothing_owns_no_planning(driver: Driver):
    """One with the queue of a vendor alone has the newest file, and the calls are planned all the same."""
    await driver.ledger.sign_in(of("vendor", "zzz", 9, "captorra"))

    assert ("aaa", 1) == _newest(await driver.ledger.sign_in(of("one", "aaa", 1)))


async def test_a_worker_that_has_gone_owns_no_planning(driver: Driver):
    """After 10 s without a tick the next newest plans, as after a rolling back."""
    await driver.ledger.sign_in(of("newer", "bbb", 2))
    driver.time.pass_s(11)

    assert ("aaa", 1) == _newest(await driver.ledger.sign_in(of("older", "aaa", 1)))


async def test_a_worker_of_an_earlier_version_is_counted_and_owns_nothing(driver: Driver):
    """It writes its name alone."""
    await driver.redis.zadd("sb:workers", {"earlier": driver.time.ms})
    assert ("aaa", 1) == _newest(await driver.ledger.sign_in(of("one", "aaa", 1)))
    overview = await driver.ledger.overview()

    assert (2, {"earlier": "", "one": "aaa"}) == (overview.workers, {one.name: one.config for one in overview.sign_ins})
    assert {} == differing(overview.sign_ins)


async def test_what_a_worker_said_is_told_and_forgotten_with_it(driver: Driver):
    """Its queues and its version too; after an hour nothing is left of it."""
    said = of("one", "aaa", 1_772_452_800_000, "calls", "chores")
    await driver.ledger.sign_in(said)
    [told] = (await driver.ledger.overview()).sign_ins
    assert (said.queues, said.changed_ms, True) == (told.queues, told.changed_ms, bool(told.version))
    driver.time.pass_s(3601)
    await driver.ledger.sign_in(of("two", "aaa", 1))

    assert ["two"] == await driver.redis.hkeys("sb:signins")


@pytest.mark.parametrize(
    ("own", "newest", "yields"),
    [
        (("aaa", 1), ("bbb", 2), True),
        (("bbb", 1), ("aaa", 2), True),
        (("aaa", 2), ("bbb", 2), True),
        (("bbb", 2), ("aaa", 2), False),
        (("aaa", 1), ("aaa", 9), False),  # the same file, laid down later on another machine
        (("aaa", 1), ("aaa", 1), False),
        (("aaa", 1), ("", 0), False),
    ],
)
def test_only_another_and_newer_configuration_is_yielded_to(own, newest, yields):
    """The time orders files, the digest those of one time; the same file is the same whenever it was written."""
    assert yields is of("one", *own).yields_to(of("two", *newest))


def test_configurations_that_differ_are_told_with_their_workers():
    """The asking process has one too; where all are equal there is nothing to tell."""
    workers = [of("one", "aaa", 1), of("two", "aaa", 1), of("three", "bbb", 1)]

    assert {"aaa": ["one", "two"], "bbb": ["three"]} == differing(workers)
    assert {"ccc": [], "aaa": ["one"]} == differing(workers[:1], "ccc")
    assert {} == differing(workers[:2], "aaa")


def _newest(worker: SignIn) -> tuple[str, int]:
    return worker.config, worker.changed_ms


async def test_of_the_clocks_of_one_configuration_one_looks(driver: Driver):
    """The others are told that they need not; a clock with another configuration looks for itself."""
    await driver.make("c1")
    looks = [await driver.ledger.tick(["crm"], config=config) for config in ("a", "a", "b")]

    assert [True, False, True] == [tick.looked for tick in looks]
    assert [("crm",), (), ()] == [tick.wake for tick in looks]
    assert 0 < await driver.redis.pttl("sb:tick:a") <= 400


async def test_few_due_destinations_are_found_among_thousands(driver: Driver):
    """Wherever they stand in the list, at its ends and where a command's keys end too."""
    names = [f"crm-{number}" for number in range(2500)]
    due = ["crm-0", "crm-1", "crm-999", "crm-1000", "crm-1777", "crm-2499"]
    for place, name in enumerate(due):
        await driver.make(f"c{place}", destination=name)

    assert tuple(due) == await driver.tick(*names)
    overview = await driver.ledger.overview(names)
    assert due == [one.name for one in overview.destinations if one.queued]


async def test_a_foreign_key_in_the_place_of_a_memory_strands_no_delivery(driver: Driver):
    """The tick that finds it fails; what it took back is due, and the next one goes on."""
    await driver.make("bad", group="61491570156")
    await driver.take_one()
    await driver.redis.rpush(f"{MEMORY_KEY}crm:61491570156", "a list")
    driver.time.pass_s(LEASE_MS / 1000 + 1)
    with pytest.raises(ResponseError):
        await driver.tick()

    assert ["retrying"] == await driver.states("bad")
    assert await driver.redis.zscore(f"{DUE_KEY}crm", "bad:create") is not None
    await driver.redis.delete(f"{MEMORY_KEY}crm:61491570156")
