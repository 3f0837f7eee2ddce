"""The missed-call follow-up: an answered call takes back the leads of its caller (contract, section 6)."""

import pytest

from tests.ledgers import NOON, Driver, ids, key_of
from worker.ledger.admin import replay
from worker.ledger.records import FollowUp, NewDelivery

CANCEL = "cancel"


async def actions(driver: Driver, call_id: str) -> dict[str, str]:
    """Return the states of a call's deliveries by their action."""
    return {action: str(d.state) for (_, action), d in (await driver.call(call_id)).deliveries.items()}


@pytest.mark.parametrize("answered_s", [0, 30, 60])
async def test_a_lead_that_was_not_sent_is_cancelled(driver: Driver, answered_s: float):
    """No request is made for it; both ends of the window count."""
    await driver.follow("missed", answered=False)
    await driver.follow("answered", answered=True, started_s=answered_s)

    delivery = await driver.delivery("missed")
    assert ("cancelled", "answered_since") == (str(delivery.state), delivery.reason)
    assert ((), []) == (await driver.tick(), await driver.take(keys=[key_of("missed")]))


@pytest.mark.parametrize("answered_s", [0, 30, 60])
async def test_a_lead_that_comes_after_its_answer_is_never_sent(driver: Driver, answered_s: float):
    """The order in which the two calls arrive changes nothing."""
    await driver.follow("answered", answered=True, started_s=answered_s)
    await driver.follow("missed", answered=False)

    assert {"create": "cancelled"} == await actions(driver, "missed")
    assert [] == await driver.take()


@pytest.mark.parametrize("answered_s", [-0.001, 60.001])
@pytest.mark.parametrize("answered_first", [True, False])
async def test_a_call_outside_the_window_withdraws_nothing(driver: Driver, answered_s: float, answered_first: bool):
    """A millisecond before the missed call, or after the window, is outside."""
    if answered_first:
        await driver.follow("answered", answered=True, started_s=answered_s)
    await driver.follow("missed", answered=False)
    if not answered_first:
        await driver.follow("answered", answered=True, started_s=answered_s)

    assert ["missed"] == ids(await driver.take())


async def test_another_caller_and_another_destination_withdraw_nothing(driver: Driver):
    """The follow-up is of one caller at one destination."""
    await driver.follow("missed", answered=False)
    await driver.follow("other", answered=True, caller="+61491570157")
    await driver.accept("elsewhere")
    part = FollowUp(destination="law", caller="+61491570156", started_ms=NOON, window_ms=60_000, answered=True)
    await driver.plan("elsewhere", follow_ups=(part,))

    assert ["missed"] == ids(await driver.take())


async def test_a_lead_of_ours_is_withdrawn(driver: Driver):
    """What was delivered gets a cancel, and only one however often the caller gets through."""
    await driver.follow("missed", answered=False)
    await driver.end(await driver.take_one(), "delivered", reason="")
    await driver.follow("answered", answered=True, started_s=10)
    [cancel] = await driver.take()
    assert (key_of("missed", CANCEL), "delivered") == (cancel.key, cancel.siblings["create"].state)
    await driver.end(cancel, "delivered", reason="")
    await driver.follow("again", answered=True, started_s=20)

    assert [] == await driver.take()
    assert {"create": "delivered", CANCEL: "delivered"} == await actions(driver, "missed")


async def test_a_lead_whose_answer_was_a_duplicate_is_not_withdrawn(driver: Driver):
    """It is not ours."""
    await driver.follow("missed", answered=False)
    await driver.end(await driver.take_one(), "delivered", reason="duplicate")
    await driver.follow("answered", answered=True)

    assert {"create": "delivered"} == await actions(driver, "missed")


@pytest.mark.parametrize("how", ["delivered", "dead", "skipped"])
async def test_a_lead_under_way_is_withdrawn_once_its_outcome_is_known(driver: Driver, how: str):
    """The withdrawal waits for the attempt, and then looks at what became of it."""
    await driver.follow("missed", answered=False)
    under_way = await driver.take_one()
    await driver.follow("answered", answered=True)
    assert [] == await driver.take()
    await driver.end(under_way, how)
    [cancel] = await driver.take()

    assert (CANCEL, under_way.key) == (cancel.key.action, cancel.siblings["create"].key)


async def test_a_lead_that_is_retried_is_withdrawn_after_its_last_attempt(driver: Driver):
    """A failed attempt may have landed, so the lead runs its course first."""
    await driver.follow("missed", answered=False)
    await driver.end(await driver.take_one(), "failed", delay_ms=5000)
    await driver.follow("answered", answered=True)
    driver.time.pass_s(5)
    [again] = await driver.take()
    assert "create" == again.key.action
    await driver.end(again, "delivered", reason="")

    assert [CANCEL] == [claimed.key.action for claimed in await driver.take()]


async def test_a_withdrawal_is_not_forgotten_when_its_lead_is_cancelled_unsent(driver: Driver):
    """The lead was under way, went back unsent, and was then cancelled by a second answered call."""
    await driver.follow("missed", answered=False)
    under_way = await driver.take_one()
    await driver.follow("answered", answered=True)
    await driver.end(under_way, "unclaimed")
    await driver.follow("again", answered=True)
    assert {"create": "cancelled", CANCEL: "queued"} == await actions(driver, "missed")

    assert [CANCEL] == [claimed.key.action for claimed in await driver.take()]


async def test_of_several_leads_of_one_number_one_is_withdrawn(driver: Driver):
    """One cancel a number: the vendor cancels by number, and the newest lead stands for all."""
    for i in range(3):
        await driver.follow(f"missed-{i}", answered=False, started_s=i)
        await driver.end(await driver.take_one(), "delivered", reason="")
    await driver.follow("answered", answered=True, started_s=10)

    assert [key_of("missed-2", CANCEL)] == [claimed.key for claimed in await driver.take()]


async def test_a_call_that_turns_out_missed_is_not_withdrawn_by_itself(driver: Driver):
    """A call counts as it stands: what it was before it was corrected is forgotten."""
    await driver.follow("call", answered=True)
    await driver.accept("call", 'e{"PLA_CallResult":"unanswered"}')
    await driver.follow("call", answered=False)

    assert ["call"] == ids(await driver.take())


async def test_a_call_that_turns_out_answered_takes_its_own_lead_back(driver: Driver):
    """Nobody has to call back who got through."""
    await driver.follow("call", answered=False)
    await driver.accept("call", 'e{"PLA_CallResult":"answered"}')
    await driver.follow("call", answered=True)

    assert {"create": "cancelled"} == await actions(driver, "call")


async def test_a_plan_that_is_repeated_withdraws_once(driver: Driver):
    """Dispatch may run twice."""
    await driver.follow("missed", answered=False)
    await driver.end(await driver.take_one(), "delivered", reason="")
    for _ in range(2):
        await driver.follow("answered", answered=True)

    assert 1 == len(await driver.take())
    assert [] == await driver.take()


async def test_a_lead_that_was_dead_and_is_replayed_is_withdrawn_when_it_has_landed(driver: Driver):
    """The withdrawal that found no lead is made up for by the replay."""
    await driver.follow("missed", answered=False)
    under_way = await driver.take_one()
    await driver.follow("answered", answered=True)
    await driver.end(under_way, "dead")
    [cancel] = await driver.take()
    await driver.end(cancel, "skipped", reason="no_create")
    assert [True] == await replay(driver.ledger, [under_way.key])
    [again] = await driver.take()
    assert "create" == again.key.action
    await driver.end(again, "delivered", reason="")

    assert [CANCEL] == [claimed.key.action for claimed in await driver.take()]


async def test_a_follow_up_is_forgotten_a_week_after_its_window(driver: Driver):
    """Late arrivals still meet; a caller is not kept for ever."""
    await driver.follow("missed", answered=False)

    kept_ms = await driver.redis.pttl("sb:follow:crm:+61491570156")
    assert 7 * 86_400_000 < kept_ms <= 7 * 86_400_000 + 60_000


async def test_a_delivery_of_another_kind_is_left_alone(driver: Driver):
    """Only the leads of the destination that follows up are withdrawn."""
    await driver.follow("missed", answered=False)
    await driver.plan("missed", NewDelivery(destination="law", action="create"))
    await driver.follow("answered", answered=True)

    assert ["missed"] == ids(await driver.take("law"))


async def test_a_caller_who_got_through_after_his_lead_died_is_not_called_back_by_a_replay(driver: Driver):
    """An operator may replay a dead lead without knowing of the answered call."""
    await driver.follow("missed", answered=False)
    dead = await driver.take_one()
    await driver.end(dead, "dead")
    await driver.follow("answered", answered=True)
    await driver.end(await driver.take_one(), "skipped", reason="no_create")
    await replay(driver.ledger, [dead.key])
    await driver.end(await driver.take_one(), "delivered", reason="")

    assert [CANCEL] == [claimed.key.action for claimed in await driver.take()]


@pytest.mark.parametrize("answered_first", [True, False])
@pytest.mark.parametrize(("asks", "end"), [("r1", "cancelled"), ("r9 s7", "cancelled"), ("s8", "queued"),
                                           ("r9", "queued"), ("", "cancelled")])  # fmt: skip
async def test_only_a_call_that_shares_a_mark_is_meant(driver: Driver, asks: str, end: str, answered_first: bool):
    """Whichever is planned later asks; where it asks for nothing, any call of the caller is meant."""
    missed, answered = "r1 k2 s7", "r1 r3 k4 s7"
    if answered_first:
        await driver.follow("answered", answered=True, started_s=10, marks=answered)
        await driver.follow("missed", answered=False, marks=missed, asks=asks)
    else:
        await driver.follow("missed", answered=False, marks=missed)
        await driver.follow("answered", answered=True, started_s=10, marks=answered, asks=asks)

    assert {"create": end} == await actions(driver, "missed")


async def test_a_call_that_is_not_meant_leaves_the_next_one_to_withdraw(driver: Driver):
    """The first answered call is of another firm, the second of this one."""
    await driver.follow("elsewhere", answered=True, started_s=5, marks="r9")
    await driver.follow("here", answered=True, started_s=10, marks="r1")
    await driver.follow("missed", answered=False, marks="r1", asks="r1")

    assert ("cancelled", "here") == (str((await driver.delivery("missed")).state), await _cause(driver, "missed"))


@pytest.mark.parametrize("order", ["missed first", "answered first"])
async def test_a_call_without_marks_is_meant_as_before(driver: Driver, order: str):
    """It was planned by a version that wrote none, and both run side by side: who got through is not called back."""
    calls = [("missed", False), ("answered", True)]
    (first, answered), (second, also) = calls if order == "missed first" else calls[::-1]
    await driver.follow(first, answered=answered)
    await driver.redis.hdel(f"sb:c:{first}", "fm:crm")
    await driver.follow(second, answered=also, marks="r1", asks="r1")

    assert {"create": "cancelled"} == await actions(driver, "missed")


@pytest.mark.parametrize("how", ["queued", "under way", "delivered", "dead"])
async def test_the_missed_call_keeps_the_id_of_the_answered_one(driver: Driver, how: str):
    """Of the first that withdrew it, however far the lead was."""
    await driver.follow("missed", answered=False)
    if how != "queued":
        under_way = await driver.take_one()
        if how != "under way":
            await driver.end(under_way, how, reason="")
    await driver.follow("answered", answered=True)
    await driver.follow("again", answered=True, started_s=10)

    assert "answered" == await _cause(driver, "missed")
    assert {} == (await driver.call("answered")).answered_by


async def test_a_lead_that_was_a_duplicate_has_no_cause(driver: Driver):
    """Nothing was cancelled."""
    await driver.follow("missed", answered=False)
    await driver.end(await driver.take_one(), "delivered", reason="duplicate")
    await driver.follow("answered", answered=True)

    assert {} == (await driver.call("missed")).answered_by


async def _cause(driver: Driver, call_id: str) -> str | None:
    return (await driver.call(call_id)).answered_by.get("crm")
