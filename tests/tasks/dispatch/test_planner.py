"""Planning: when a call is ready, where it goes, and what its later events make (contract, section 5)."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.ledgers import NOON
from tests.tasks.dispatch.planned import (
    END,
    HOUR_MS,
    MINUTE_MS,
    PARTIAL_END,
    START,
    PlannerHarness,
    actions,
    record,
    stored,
)
from tests.worker.config.configured import CONTRACT
from worker.ledger.records import FollowUp, NewDelivery, Plan, StoredCall

WHOLE = START | END


@pytest.fixture
def harness(tmp_path) -> PlannerHarness:
    """Return a harness with the contract's own configuration."""
    return PlannerHarness(tmp_path)


def test_a_start_waits_four_hours_for_its_end(harness: PlannerHarness):
    """Counted from the receipt of the start, whenever it is planned."""
    plan = harness.plan(("s", START, 0), now_ms=NOON + 5)

    assert ("w", NOON + 4 * HOUR_MS, (), ()) == (plan.state, plan.wait_until_ms, plan.routes, plan.deliveries)
    late = harness.plan(("s", START, 0), state="w", planned=1, now_ms=NOON + 4 * HOUR_MS)
    assert ("r", 0, ("smith-law", "crm")) == (late.state, late.wait_until_ms, late.routes)


def test_a_call_with_both_its_events_is_ready_at_once(harness: PlannerHarness):
    """In either order of arrival."""
    for events in ([("s", START, 0), ("e", END, 1)], [("e", END, 0), ("s", START, 1)]):
        plan = harness.plan(*events)
        assert ("r", 0, ("smith-law", "crm")) == (plan.state, plan.wait_until_ms, plan.routes)


def test_an_end_that_carries_the_caller_is_a_whole_call(harness: PlannerHarness):
    """It needs no start."""
    assert "r" == harness.plan(("c", WHOLE, 0)).state


def test_an_end_waits_two_minutes_for_its_start(harness: PlannerHarness):
    """Then it is listed as no_start, and waits for nothing."""
    plan = harness.plan(("e", END, 0), now_ms=NOON)
    assert ("w", NOON + 2 * MINUTE_MS) == (plan.state, plan.wait_until_ms)
    plan = harness.plan(("e", END, 0), state="w", planned=1, now_ms=NOON + 2 * MINUTE_MS)

    assert ("x", 0, (), ()) == (plan.state, plan.wait_until_ms, plan.routes, plan.deliveries)


def test_a_start_that_still_comes_delivers_the_call_by_itself(harness: PlannerHarness):
    """However late."""
    plan = harness.plan(("e", END, 0), ("s", START, 50 * HOUR_MS), state="x", planned=1, now_ms=NOON + 50 * HOUR_MS)

    assert ("r", ["smith-law:create", "crm:create"]) == (plan.state, actions(plan))


@pytest.mark.parametrize("kind", ["p", "q"])
def test_a_part_of_an_end_does_not_make_a_call_ready(harness: PlannerHarness, kind: str):
    """A recording or an answering point alone adds to the call, which waits on for its end."""
    events = [("s", START, 0), (kind, PARTIAL_END, MINUTE_MS)]
    plan = harness.plan(*events, now_ms=NOON + MINUTE_MS)
    assert ("w", NOON + 4 * HOUR_MS) == (plan.state, plan.wait_until_ms)

    assert "r" == harness.plan(*events, ("e", END, 2 * MINUTE_MS), state="w", planned=2).state
    assert "r" == harness.plan(*events, state="w", planned=2, now_ms=NOON + 4 * HOUR_MS).state


def test_a_part_of_an_end_without_its_start_is_no_start_too(harness: PlannerHarness):
    """It waits as an end does."""
    plan = harness.plan(("p", PARTIAL_END, 0), now_ms=NOON + 2 * MINUTE_MS)

    assert ("x", 0) == (plan.state, plan.wait_until_ms)


def test_a_call_that_matches_no_route_is_unrouted_until_it_does(harness: PlannerHarness, tmp_path):
    """A changed configuration routes it; what is ready once stays ready."""
    text = harness.text.replace('to = ["smith-law", "crm"]', 'to = ["smith-law", "crm"]\nservice_ids = ["999"]')
    narrow = PlannerHarness(tmp_path, text)
    plan = narrow.plan(("c", WHOLE, 0))
    assert ("u", (), ()) == (plan.state, plan.routes, plan.deliveries)
    assert "u" == narrow.plan(("c", WHOLE, 0), state="u", planned=1).state

    again = harness.plan(("c", WHOLE, 0), state="u", planned=1)
    assert ("r", ["smith-law:create", "crm:create"]) == (again.state, actions(again))


def test_a_destination_of_several_routes_gets_one_delivery(tmp_path):
    """The routes that match are one list of destinations."""
    harness = PlannerHarness(tmp_path)
    twice = PlannerHarness(tmp_path, harness.text + '\n[[routes]]\nto = ["crm", "smith-law"]\nservice_ids = ["123"]\n')

    assert ["smith-law:create", "crm:create"] == actions(twice.plan(("c", WHOLE, 0)))


def test_a_missed_call_goes_to_the_dialler_too(harness: PlannerHarness):
    """Routes look at the result."""
    missed = WHOLE | {"PLA_CallResult": "Unanswered"}

    assert ["smith-law:create", "crm:create", "dialler:create"] == actions(harness.plan(("c", missed, 0)))


def test_deliveries_of_one_caller_are_one_group_where_the_vendor_wants_it(harness: PlannerHarness):
    """Kapture's by the caller's digits; Captorra's not at all; without a caller there is no group."""
    groups = {new.destination: new.group for new in harness.plan(("c", WHOLE, 0)).deliveries}
    assert {"smith-law": "", "crm": "61491570156"} == groups

    unknown = WHOLE | {"PLA_Caller_Phone_Number": "Private"}
    assert {""} == {new.group for new in harness.plan(("c", unknown, 0)).deliveries}


def test_a_changed_end_makes_an_update_where_the_vendor_can_update(harness: PlannerHarness):
    """Named for the revision, behind its create; the others get nothing more."""
    events = [("s", START, 0), ("e", END, 1), ("e", END | {"PLA_Duration": "9s"}, 2)]
    plan = harness.plan(*events, state="r", planned=2, made=["smith-law:create", "crm:create"])

    update = NewDelivery(destination="crm", action="update-2", group="61491570156", after="create")
    assert (update,) == plan.deliveries
    assert 2 == plan.revision


def test_a_plan_that_is_repeated_makes_no_update(harness: PlannerHarness):
    """Only an event that was not planned yet makes one."""
    events = [("s", START, 0), ("e", END, 1), ("e", END | {"PLA_Duration": "9s"}, 2)]

    assert () == harness.plan(*events, state="r", planned=3, made=["smith-law:create", "crm:create"]).deliveries


def test_several_events_since_the_last_plan_make_one_update(harness: PlannerHarness):
    """A delivery sends the call as it stands."""
    ends = [("e", END | {"PLA_Duration": f"{i}s"}, i) for i in range(1, 5)]
    plan = harness.plan(("s", START, 0), *ends, state="r", planned=2, made=["smith-law:create", "crm:create"])

    assert ["crm:update-4"] == actions(plan)


def test_the_end_of_a_call_that_was_delivered_without_it_is_an_update(harness: PlannerHarness):
    """After end_wait the call went out as it was; its first end is no new revision, and still news."""
    plan = harness.plan(
        ("s", START, 0), ("e", END, 5 * HOUR_MS), state="r", planned=1, made=["smith-law:create", "crm:create"]
    )

    assert (1, ["crm:update-1"]) == (plan.revision, actions(plan))


def test_no_event_is_lost_to_the_name_of_an_update_that_is_taken(harness: PlannerHarness):
    """An event that was received first and entered last may leave the revision as it was."""
    made = ["smith-law:create", "crm:create", "crm:update-2"]
    events = [("s", START, 2), ("c", WHOLE, 3), ("e", END | {"PLA_dtmf": "1"}, 1)]
    plan = harness.plan(*events, state="r", planned=2, made=made)

    assert (2, ["crm:update-3"]) == (plan.revision, actions(plan))


@pytest.mark.parametrize(("header", "made"), [
    ("q|0|0|0|0||\n", []), ("r|1|1|1|0||\n", []),
    ("f|1|1|0|0||\n", ["crm:update-2"]), ("D|1|1|0|0||\n", ["crm:update-2"]),
])  # fmt: skip
def test_a_folded_event_makes_no_update_while_one_waits(harness: PlannerHarness, header: str, made: list[str]):
    """The one that waits sends the call as it then stands, so a flood for one call makes no row of updates."""
    fields = {"n": "2", "xn": "1", "pn": "2", "st": "r", "d:crm:update-1": header}
    fields |= {f"d:{name}:create": "D|1|1|0|0||\n" for name in ("smith-law", "crm")}
    fields |= {"e1": f"{NOON}000 {record('s', START)}", "e2": f"{NOON}001 {record('e', END)}"}
    fields |= {"x:e": f"{NOON}002 e{{}}", "x:e:1": f"{NOON}002 {record('e', END | {'PLA_Duration': '9s'})}"}
    call = StoredCall.parse("c1", fields)
    assert call is not None

    assert made == actions(harness.planner.plan(call, now_ms=NOON))


def test_a_destination_that_takes_calls_at_their_start_gets_them_then(tmp_path):
    """The end makes an update; a destination that waits for the end gets its create then."""
    harness = PlannerHarness(tmp_path)
    early = PlannerHarness(tmp_path, harness.text.replace('vendor = "kapture"', 'vendor = "kapture"\nwhen = "start"'))
    plan = early.plan(("s", START, 0), now_ms=NOON)
    assert ("w", NOON + 4 * HOUR_MS, ["crm:create"]) == (plan.state, plan.wait_until_ms, actions(plan))
    assert () == plan.follow_ups
    plan = early.plan(("s", START, 0), ("e", END, 1), state="w", planned=1, made=["crm:create"])

    assert ("r", ["smith-law:create", "crm:update-1"]) == (plan.state, actions(plan))


def test_an_end_alone_gives_nothing_to_a_destination_that_takes_starts(tmp_path):
    """Without its start there is nobody to add."""
    harness = PlannerHarness(tmp_path)
    early = PlannerHarness(tmp_path, harness.text.replace('vendor = "kapture"', 'vendor = "kapture"\nwhen = "start"'))

    assert () == early.plan(("e", END, 0)).deliveries


@pytest.mark.parametrize(("result", "answered"), [("Unanswered", False), ("Busy", False), ("Answered", True)])
def test_a_call_of_known_result_takes_part_in_the_follow_up(harness: PlannerHarness, result: str, answered: bool):
    """Whether the route takes answered calls is left aside for an answered one."""
    plan = harness.plan(("c", WHOLE | {"PLA_CallResult": result}, 0))

    [part] = plan.follow_ups
    assert ("dialler", "+61491570156", NOON, 24 * HOUR_MS, answered) == (
        part.destination, part.caller, part.started_ms, part.window_ms, part.answered,
    )  # fmt: skip


@pytest.mark.parametrize("change", [{"PLA_CallResult": "Voicemail"}, {"PLA_Caller_Phone_Number": "Private"}])
def test_a_call_without_caller_or_of_another_result_takes_no_part(harness: PlannerHarness, change: dict[str, str]):
    """Nothing can be said of whose call it is, or how it went."""
    assert () == harness.plan(("c", WHOLE | change, 0)).follow_ups


def test_a_blocked_caller_goes_nowhere(tmp_path):
    """Not to the dialler either, though he was missed."""
    harness = PlannerHarness(tmp_path)
    text = harness.text.replace("[[routes]]\n", '[[routes]]\nblock_callers = ["+61491570156"]\n')
    plan = PlannerHarness(tmp_path, text).plan(("c", WHOLE | {"PLA_CallResult": "Busy"}, 0))

    assert ("u", (), ()) == (plan.state, plan.deliveries, plan.follow_ups)


FIRMS = """
[[routes]]
to = ["dialler"]
service_ids = ["1", "2"]
results = ["unanswered", "busy"]
min_duration = "0s"

[[routes]]
to = ["dialler", "crm"]
service_ids = ["2", "3"]
results = ["unanswered", "busy"]

[[routes]]
to = ["crm"]
service_ids = ["1", "9"]
"""
MISSED = WHOLE | {"PLA_CallResult": "Unanswered", "PLA_Duration": "0s"}


def firms(folder: Path, scope: str = "") -> PlannerHarness:
    """Return a harness of several firms with one dialler."""
    head = CONTRACT.split("[[routes]]")[0].replace("[destinations.dialler]\n", f"[destinations.dialler]\n{scope}\n")
    return PlannerHarness(folder, head + FIRMS)


def part_of(plan: Plan) -> FollowUp | None:
    """Return a plan's part in the follow-up of the dialler."""
    return next((part for part in plan.follow_ups if part.destination == "dialler"), None)


def meant(asking: FollowUp, other: FollowUp) -> bool:
    """Say whether the other call is meant, as the ledger's script does."""
    return not asking.asks or not set(asking.asks).isdisjoint(other.marks)


@pytest.mark.parametrize(
    ("scope", "services", "withdrawn"),
    [
        ("", "11", True),
        ("", "12", True),  # the first route takes both
        ("", "23", True),  # the second does
        ("", "13", False),  # no route takes both: two firms
        ("", "29", False),  # the dialler never hears of service 9
        ('cancel_scope = "route"', "13", False),
        ('cancel_scope = "service"', "11", True),
        ('cancel_scope = "service"', "12", False),
        ('cancel_scope = "destination"', "13", True),
        ('cancel_scope = "destination"', "29", False),
    ],
)
def test_an_answered_call_withdraws_what_its_scope_says(tmp_path, scope, services, withdrawn):
    """By default a route must take both, the result left aside; whichever of the two is planned later."""
    missed, answered = services
    harness = firms(tmp_path, scope)
    lead = part_of(harness.plan(("c", MISSED | {"PLA_CID": missed}, 0)))
    other = part_of(harness.plan(("c", WHOLE | {"PLA_CID": answered}, 0)))

    assert lead is not None
    found = {False} if other is None else {meant(lead, other), meant(other, lead)}
    assert {withdrawn} == found


def test_calls_of_no_service_are_of_no_common_service(tmp_path):
    """A value that a call lacks matches nothing; the call itself, corrected later, still takes its own lead back."""
    text = CONTRACT.replace("[destinations.dialler]\n", '[destinations.dialler]\ncancel_scope = "service"\n')
    planner = PlannerHarness(tmp_path, text).planner
    without = {name: value for name, value in WHOLE.items() if name != "PLA_CID"}
    missed = stored(("c", without | {"PLA_CallResult": "Busy"}, 0))
    answered = stored(("c", without, 0))
    calls = (missed, answered, replace(answered, call_id="c2"))
    [mine], [corrected], [theirs] = (planner.plan(call, now_ms=NOON).follow_ups for call in calls)

    assert not meant(theirs, mine)
    assert not meant(mine, theirs)
    assert meant(corrected, mine)


def test_calls_of_one_service_stay_together_while_a_route_changes(tmp_path):
    """A service that was added to a route meanwhile does not keep a caller on the list who got through."""
    before = firms(tmp_path)
    lead = part_of(before.plan(("c", MISSED | {"PLA_CID": "1"}, 0)))
    after = PlannerHarness(tmp_path, before.text.replace('["1", "2"]', '["1", "2", "4"]'))
    answered = part_of(after.plan(("c", WHOLE | {"PLA_CID": "1"}, 0)))

    assert lead
    assert answered
    assert meant(answered, lead)


@pytest.mark.parametrize(
    ("made_by", "group"), [("61061491570156", "61061491570156"), ("61491570156", "61491570156"), ("1", "61491570156")]
)
def test_an_update_follows_a_create_that_a_version_before_made(harness: PlannerHarness, made_by: str, group: str):
    """The customer whom that create made is remembered under the old reading; any other caller's is not asked for."""
    fields = {"n": "2", "pn": "1", "st": "r"}
    fields |= {f"d:{name}:create": f"D|1|1|0|0|{made_by}|\n" for name in ("smith-law", "crm")}
    fields |= {
        "e1": f"{NOON}000 {record('c', WHOLE | {'PLA_Caller_Phone_Number': '0061491570156'})}",
        "e2": f"{NOON}001 {record('e', END | {'PLA_Duration': '9s'})}",
    }
    call = StoredCall.parse("c1", fields)
    assert call is not None

    [update] = harness.planner.plan(call, now_ms=NOON).deliveries
    assert ("crm", "update-2", group) == (update.destination, update.action, update.group)


def test_a_caller_takes_part_in_the_follow_up_under_the_old_reading_too(harness: PlannerHarness):
    """Where versions before read another number: the missed call that they planned is withdrawn after an upgrade."""
    plan = harness.plan(("c", WHOLE | {"PLA_Caller_Phone_Number": "0061491570156"}, 0))

    assert ["+61491570156", "+61061491570156"] == [part.caller for part in plan.follow_ups]
    assert plan.follow_ups[0].started_ms == plan.follow_ups[1].started_ms
