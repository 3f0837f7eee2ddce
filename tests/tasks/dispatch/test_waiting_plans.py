"""Plans that wait for room: by their destinations, in their order, and none for long."""

from tasks.dispatch.waiting_plans import LEAST_TOGETHER, LONGEST_PAUSE_S, WaitingPlans
from tests.tasks.dispatch.planned import END, START, stored
from worker.ledger.records import NewDelivery, Plan, Slots

STORED = stored(("c", START | END, 0))
PATIENCE_S, LONGEST_S = 2.0, 10.0


class Waiting:
    """Waiting plans with handed time and slots."""

    def __init__(self, **slots: int | None) -> None:
        self.slots = {name: None if free is None else Slots(free, 50) for name, free in slots.items()}
        self.now = 1000.0
        self.plans = WaitingPlans(self.slots.get, clock=lambda: self.now)

    def add(self, name: str, *destinations: str, action: str = "create", revision: int = 1) -> None:
        """Let a plan wait."""
        made = tuple(NewDelivery(destination=one, action=action) for one in destinations)
        plan = Plan(call_id=name, version=1, state="r", revision=revision, wait_until_ms=0, deliveries=made)
        self.plans.add([(STORED, plan)])

    def take(self, most: int = 100, *, kept: int = 1000) -> list[str]:
        """Return the names of what is taken."""
        taken = self.plans.take(most, patience_s=PATIENCE_S, longest_s=LONGEST_S, kept=kept)
        return [plan.call_id for _, plan in taken]


def test_plans_with_room_are_taken_in_their_order():
    """As many as all of their destinations take, after a moment however few."""
    waiting = Waiting(law=2, crm=1)
    for number in range(4):
        waiting.add(f"c{number}", "law", "crm")
    waiting.now += LONGEST_PAUSE_S * 1.01

    assert ["c0"] == waiting.take()
    assert 3 == len(waiting.plans)


def test_a_group_waits_a_moment_for_room_at_all_of_its_destinations():
    """So that nothing of it becomes due where they keep one pace; a slower one is left out after that."""
    waiting = Waiting(law=0, crm=0)
    for number in range(100):
        waiting.add(f"c{number:02}", "law", "crm")
    waiting.now += LONGEST_PAUSE_S * 1.01
    assert [] == waiting.take()
    waiting.slots |= {"law": Slots(50, 50), "crm": Slots(0, 50)}
    assert [] == waiting.take()
    waiting.slots["crm"] = Slots(LEAST_TOGETHER + 1, 50)
    assert LEAST_TOGETHER + 1 == len(waiting.take())
    waiting.slots |= {"law": Slots(50, 50), "crm": Slots(0, 50)}
    assert [] == waiting.take()
    waiting.now += LONGEST_PAUSE_S * 1.01

    assert 50 == len(waiting.take())


def test_a_destination_that_was_left_out_is_waited_for_once_it_has_a_slot_again():
    """Until then nobody waits for it again, whichever plans come."""
    waiting = Waiting(law=50, hung=0)
    waiting.add("first", "law", "hung")
    assert [] == waiting.take()
    waiting.now += LONGEST_PAUSE_S * 1.01
    assert ["first"] == waiting.take()
    waiting.now += 3600
    waiting.add("second", "law", "hung")
    assert ["second"] == waiting.take()
    waiting.slots["hung"] = Slots(1, 50)
    waiting.add("third", "law", "hung")
    assert ["third"] == waiting.take()
    waiting.slots["hung"] = Slots(0, 50)
    waiting.add("fourth", "law", "hung")

    assert [] == waiting.take()


def test_destinations_that_are_all_full_are_waited_for():
    """However long their vendors take: the first slot that comes free is not used alone."""
    waiting = Waiting(law=0, crm=0)
    for number in range(40):
        waiting.add(f"c{number:02}", "law", "crm")
    assert [] == waiting.take()
    waiting.now += 1
    waiting.slots["law"] = Slots(30, 50)
    assert [] == waiting.take()
    waiting.now += LONGEST_PAUSE_S / 2
    waiting.slots["crm"] = Slots(20, 50)

    assert 20 == len(waiting.take())


def test_calls_for_a_destination_without_room_hold_up_no_other():
    """Whether it hangs alone or beside another one: any room is enough, after a moment."""
    waiting = Waiting(hung=0, law=5)
    for number in range(3):
        waiting.add(f"hung{number}", "hung")
        waiting.add(f"both{number}", "hung", "law")
        waiting.add(f"law{number}", "law")
    taken = waiting.take()
    waiting.now += LONGEST_PAUSE_S * 1.01
    taken += waiting.take()

    assert {"both0", "both1", "both2", "law0", "law1", "law2"} >= set(taken)
    assert {"hung0", "hung1", "hung2"} <= set(waiting.plans._group_of)


def test_plans_that_nobody_takes_here_wait_for_nobody():
    """A rate, another worker's destination, an update, a call without a route: a claim or nobody is next."""
    waiting = Waiting(limited=None, law=0)
    waiting.add("limited", "limited")
    waiting.add("mixed", "limited", "law")
    waiting.add("update", "law", action="update-2")
    waiting.add("unrouted")
    waiting.add("stranger", "elsewhere")
    waiting.add("waits", "law")

    assert {"limited", "mixed", "update", "unrouted", "stranger"} == set(waiting.take())


def test_a_single_slot_is_not_worth_a_script_while_many_wait():
    """For a moment; then any room is used."""
    waiting = Waiting(law=3)
    for number in range(LEAST_TOGETHER * 2):
        waiting.add(f"c{number}", "law")
    waiting.now += LONGEST_PAUSE_S * 1.01
    assert 3 == len(waiting.take())
    assert [] == waiting.take()
    waiting.slots["law"] = Slots(LEAST_TOGETHER, 50)
    assert LEAST_TOGETHER == len(waiting.take())
    waiting.slots["law"] = Slots(1, 50)
    assert [] == waiting.take()
    waiting.now += LONGEST_PAUSE_S * 1.01

    assert 1 == len(waiting.take())


def test_a_lone_plan_and_a_small_destination_do_not_wait_for_more_room():
    """A destination of one attempt at a time has never more than one slot."""
    waiting = Waiting(law=1, small=1)
    waiting.slots["small"] = Slots(1, 1)
    waiting.add("first", "law")
    assert ["first"] == waiting.take()
    waiting.add("second", "law")
    assert ["second"] == waiting.take()
    waiting.add("third", "small")
    waiting.add("fourth", "small")

    assert ["third"] == waiting.take()
    assert ["fourth"] == waiting.take()


def test_what_waits_where_nothing_goes_on_is_taken_without_room():
    """The destination hangs here; other processes may have room."""
    waiting = Waiting(law=0)
    waiting.add("old", "law")
    waiting.now += PATIENCE_S * 0.75
    waiting.add("new", "law")
    waiting.now += PATIENCE_S * 0.25

    assert ["old"] == waiting.take()
    assert [] == waiting.take()


def test_what_waits_where_some_goes_on_is_taken_after_longer():
    """A flood is planned as it is delivered; but what an operator looks for is found as due."""
    waiting = Waiting(law=1)
    for number in range(100):
        waiting.add(f"c{number:02}", "law")
    for _ in range(round(LONGEST_S) - 1):
        waiting.now += 1
        assert 1 == len(waiting.take())
    waiting.add("new", "law")
    waiting.now += 1

    assert 100 - 9 == len(waiting.take())
    assert ["new"] == list(waiting.plans._group_of)


def test_no_more_wait_than_may_be_kept():
    """The oldest of the group that waited longest go."""
    waiting = Waiting(law=0)
    for number in range(10):
        waiting.add(f"c{number}", "law")

    assert ["c0", "c1", "c2"] == waiting.take(kept=7)
    assert 7 == len(waiting.plans)


def test_no_more_are_taken_than_asked_for_and_each_group_has_its_turn():
    """A flood of one set of destinations does not keep the others from theirs."""
    waiting = Waiting(law=50, crm=50)
    for number in range(40):
        waiting.add(f"law{number}", "law")
    waiting.add("crm0", "crm")
    first, second = waiting.take(10), waiting.take(10)

    assert 10 == len(first) == len(second)
    assert "crm0" in first + second


def test_a_plan_takes_the_place_of_the_one_before_of_its_call():
    """An event that came meanwhile makes that one void."""
    waiting = Waiting(law=0)
    waiting.add("c1", "law", revision=1)
    waiting.add("c1", "law", "crm", revision=2)
    assert 1 == len(waiting.plans)
    assert "c1" in waiting.plans
    waiting.slots |= {"law": Slots(1, 50), "crm": Slots(1, 50)}
    [(_, plan)] = waiting.plans.take(10, patience_s=2, longest_s=10, kept=10)

    assert 2 == plan.revision
    assert "c1" not in waiting.plans


def test_what_is_dropped_is_not_taken():
    """Redis was away: the clock finds the calls again."""
    waiting = Waiting(law=5)
    waiting.add("c1", "law")
    waiting.plans.clear()

    assert (0, []) == (len(waiting.plans), waiting.take())
