"""What an operator does to the ledger: replay, drop, pause, resume, suppress and erase."""

from schemas.delivery import DeliveryKey, State
from tests.ledgers import NOON, ids, key_of
from worker.ledger import admin
from worker.ledger.records import Accepted

CALLER = "+61491570156"


async def _dead(driver, *call_ids, **changes):
    await driver.make(*call_ids, **changes)
    for claimed in await driver.take():
        await driver.end(claimed, "dead")


async def test_a_replayed_dead_letter_is_due_at_once(driver):
    """Queued, at the first wait of its schedule, and its attempts and fences go on."""
    await driver.make("a-1")
    await driver.end(await driver.take_one(), "failed", delay_ms=0)
    await driver.end(await driver.take_one(), "dead")

    assert [True] == await admin.replay(driver.ledger, [key_of("a-1")])

    record = await driver.delivery("a-1")
    assert (State.QUEUED, 0, "replayed", 2, 2) == (
        record.state, record.step, record.reason, record.number, record.fence,
    )  # fmt: skip
    claimed = await driver.take_one()
    assert (3, 3, 0) == (claimed.number, claimed.fence, claimed.step)


async def test_what_is_not_dead_is_not_replayed(driver):
    """Queued, delivered, unknown, of no call, and one already replayed: nothing changes."""
    await _dead(driver, "a-1")
    await driver.make("a-2")
    await admin.replay(driver.ledger, [key_of("a-1")])
    keys = [key_of("a-1"), key_of("a-2"), key_of("a-3"), key_of("a-1", destination="law"), DeliveryKey("", "", "")]

    assert [False] * 5 == await admin.replay(driver.ledger, keys)
    assert [False] * 5 == await admin.drop(driver.ledger, keys)
    assert 2 == await driver.redis.zcard("sb:due:crm")


async def test_a_replayed_call_counts_as_open_work_again(driver):
    """So its retention waits for it."""
    await _dead(driver, "a-1")
    assert "0" == await driver.redis.hget("sb:c:a-1", "o")

    await admin.replay(driver.ledger, [key_of("a-1")])
    assert "1" == await driver.redis.hget("sb:c:a-1", "o")
    assert 0 == await driver.redis.zcard("sb:dead:crm")

    await driver.end(await driver.take_one(), "delivered")
    assert "0" == await driver.redis.hget("sb:c:a-1", "o")


async def test_a_replay_wakes_its_destination_at_the_next_tick(driver):
    """Though a wake-up may be outstanding."""
    await _dead(driver, "a-1")
    await driver.make("a-2")
    assert ("crm",) == await driver.tick()
    assert () == await driver.tick()

    await admin.replay(driver.ledger, [key_of("a-1")])

    assert ("crm",) == await driver.tick()


async def test_a_replayed_update_waits_for_its_replayed_create(driver):
    """Whatever their order in the list: the create goes first."""
    await _dead(driver, "a-1")
    await _dead(driver, "a-1", action="update-2")

    assert [True, True] == await admin.replay(driver.ledger, [key_of("a-1", "update-2"), key_of("a-1")])

    [create] = await driver.take()
    assert "create" == create.key.action
    await driver.end(create, "delivered")
    [update] = await driver.take()
    assert "update-2" == update.key.action


async def test_a_call_without_a_start_is_dispatched_again(driver):
    """Its key is CALL_ID:calls:start; nothing else of calls is a dead letter."""
    await driver.accept("a:1")
    await driver.plan("a:1", state="x")
    assert [] == await driver.ledger.calls_due(limit=10)

    keys = [key_of("a:1", "start", destination="calls"), key_of("a:1", destination="calls")]
    assert [True, False] == await admin.replay(driver.ledger, keys)

    assert ["a:1"] == await driver.ledger.calls_due(limit=10)
    assert [True, False] == await admin.drop(driver.ledger, keys)
    assert [False, False] == await admin.replay(driver.ledger, keys)


async def test_a_dropped_dead_letter_is_cancelled(driver):
    """It keeps its attempts, and nothing sends it again."""
    await _dead(driver, "a-1")

    assert [True] == await admin.drop(driver.ledger, [key_of("a-1")])

    record = await driver.delivery("a-1")
    assert (State.CANCELLED, "dropped", 1) == (record.state, record.reason, record.number)
    assert 0 == await driver.redis.zcard("sb:dead:crm")
    assert [] == await driver.take()


async def test_pause_and_resume(driver):
    """A paused destination is not claimed from and not woken; resuming wakes it at the next tick."""
    await driver.make("a-1")
    await driver.tick()

    assert await admin.pause(driver.ledger, "crm")
    assert not await admin.pause(driver.ledger, "crm")
    assert "paused" == (await driver.claim()).verdict
    assert {"paused": str(NOON + 1)} == await admin.resume(driver.ledger, "crm")
    assert {} == await admin.resume(driver.ledger, "crm")
    assert ("crm",) == await driver.tick()
    assert ["a-1"] == ids(await driver.take())


async def test_resume_opens_a_block_and_a_circuit(driver):
    """Everything waiting is taken at once, and failures are counted from none."""
    await driver.make("a-1", "a-2", "a-3")
    await driver.end(await driver.take_one(), "unknown_type")
    assert "blocked" == (await driver.claim()).verdict

    assert "blocked" in await admin.resume(driver.ledger, "crm")

    assert ["a-2", "a-3"] == ids(await driver.take())
    assert {} == await driver.redis.hgetall("sb:gate:crm")


async def test_suppressed_numbers(driver):
    """Added once, removed once."""
    assert [True, False] == [await admin.suppress(driver.ledger, CALLER) for _ in range(2)]
    assert await driver.ledger.is_suppressed(CALLER)
    assert [True, False] == [await admin.unsuppress(driver.ledger, CALLER) for _ in range(2)]


async def test_an_erased_call_leaves_only_its_id(driver):
    """Whatever its deliveries were: queued, dead, in flight, parked behind another of its caller."""
    await _dead(driver, "a-1", destination="law")
    await driver.make("a-1", "a-2", group="61491570156")
    [under_way] = await driver.take()

    assert [True, True, False] == await admin.erase_calls(driver.ledger, ["a-1", "a-2", "a-3"], remember_s=60)

    assert {"sb:m:a-1", "sb:m:a-2", "sb:dests"} == set(await driver.redis.keys("*"))
    assert [Accepted.REMEMBERED, Accepted.NEW] == [await driver.accept(call_id) for call_id in ("a-1", "a-3")]
    assert not (await driver.end(under_way, "delivered", memory="{}")).applied
    assert [] == await driver.redis.keys("sb:memo:*")
    assert [] == await driver.ledger.load(["a-1"])


async def test_erasing_a_call_lets_the_next_of_its_caller_go(driver):
    """A call under way that is erased holds up no other of its caller."""
    await driver.make("a-1", "a-2", group="61491570156")
    assert ["a-1"] == ids(await driver.take())

    await admin.erase_calls(driver.ledger, ["a-1"], remember_s=60)

    assert ["a-2"] == ids(await driver.take())


async def test_a_plan_made_before_the_erasure_makes_nothing(driver):
    """A dispatch that had read the call already."""
    await driver.accept("a-1")
    await admin.erase_calls(driver.ledger, ["a-1"], remember_s=60)

    assert not (await driver.plan("a-1", version=1)).applied
    assert ["sb:m:a-1"] == await driver.redis.keys("*")


async def test_memory_is_erased_by_caller(driver):
    """At the destinations named; another caller's stays."""
    await driver.follow("a-1", answered=False)
    await driver.follow("b-1", answered=False, caller="+61491570157")
    await driver.redis.set("sb:memo:crm:61491570156", "{}")

    assert 2 == await admin.erase_memory(driver.ledger, CALLER, ["crm", "law"])
    assert 0 == await admin.erase_memory(driver.ledger, CALLER, [])
    assert ["sb:follow:crm:+61491570157"] == await driver.redis.keys("sb:follow:*")


async def test_one_calls_part_in_the_follow_up_is_erased(driver):
    """An erased missed call is not withdrawn by an answered one, and an erased answered one withdraws nothing."""
    await driver.follow("a-1", answered=False)
    await driver.follow("a-2", answered=False, started_s=1)

    await admin.erase_follow_up(driver.ledger, CALLER, "a-1", ["crm", "law"])

    assert ["ma-2"] == await driver.redis.zrange(f"sb:follow:crm:{CALLER}", 0, -1)


async def test_bodies_leave_quarantine(driver):
    """With the count of their bytes."""
    keep = driver.ledger.quarantine
    kept = [await keep(body, reason="no", path_kind="create", received_us=NOON * 1000) for body in (b"{", b"[")]

    assert [True, False] == await admin.forget_bodies(driver.ledger, [kept[0], "nobody"])
    assert [kept[1]] == await driver.redis.zrange("sb:quarantine", 0, -1)
    await admin.forget_bodies(driver.ledger, kept)
    assert "0" == await driver.redis.get("sb:bodybytes")


async def test_wake_lets_the_next_tick_wake(driver):
    """Of the destinations named; none is fine."""
    await driver.make("a-1")
    await driver.tick()
    await admin.wake(driver.ledger, [])
    assert () == await driver.tick()

    await admin.wake(driver.ledger, ["crm"])

    assert ("crm",) == await driver.tick()
