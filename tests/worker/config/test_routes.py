"""Which calls a route takes."""

from datetime import UTC, datetime

import pytest

from schemas.call import Call
from schemas.delacon.call_keys import CALLER, load_call
from tests.worker.config.configured import CONTRACT, faults_of, load
from worker.config.routes import Route, destinations_of


def call(**changes) -> Call:
    """Make a call that every matcher below takes."""
    values = {
        "call_id": "1",
        "started_at": datetime(2026, 11, 21, tzinfo=UTC),
        "service_id": "123",
        "service_category": "Legal",
        "result": "answered",
        "duration": 10,
        "caller": "+61444444444",
    }
    return Call(**{**values, **changes})


@pytest.mark.parametrize(
    ("route", "changes", "matches"),
    [
        ({}, {}, True),
        ({}, {"service_id": None, "result": None, "duration": None, "caller": None}, True),
        ({"service_ids": {"123", "9"}}, {}, True),
        ({"service_ids": {"9"}}, {}, False),
        ({"service_ids": {"123"}}, {"service_id": None}, False),
        ({"service_categories": {"Legal"}}, {}, True),
        ({"service_categories": {"legal"}}, {}, False),
        ({"service_categories": {"Legal"}}, {"service_category": None}, False),
        ({"results": {"answered"}}, {}, True),
        ({"results": {"unanswered", "busy"}}, {}, False),
        ({"results": {"answered"}}, {"result": None}, False),
        ({"min_duration_s": 10}, {}, True),
        ({"first_call": True}, {"first_call": "yes"}, True),
        ({"first_call": True}, {"first_call": "no"}, False),
        ({"first_call": True}, {"first_call": None}, False),
        ({"first_call": False}, {"first_call": "no"}, True),
        ({"first_call": False}, {"first_call": None}, False),
        ({"min_duration_s": 10.5}, {}, False),
        ({"min_duration_s": 10}, {"duration": None}, False),
        ({"block_callers": {"+61444444444"}}, {}, False),
        ({"block_callers": {"+61400000000"}}, {}, True),
        ({"block_callers": {"+61400000000"}}, {"caller": None}, True),
        ({"service_ids": {"123"}, "results": {"busy"}}, {}, False),
        ({"service_ids": {"123"}, "results": {"busy"}}, {"result": "busy"}, True),
    ],
)
def test_all_matchers_must_hold(route, changes, matches):
    """A matcher on a value that the call lacks does not hold; blocking asks for no value."""
    assert matches == Route(to=("a",), **route).matches(call(**changes))


def test_the_outcome_can_be_left_aside():
    """For the missed-call follow-up only what kind of call it is matters, not how it went."""
    route = Route(to=("a",), service_ids=frozenset({"123"}), results=frozenset({"busy"}), min_duration_s=99)

    assert not route.matches(call())
    assert route.matches(call(), leaving_outcome_aside=True)
    assert not route.matches(call(service_id="9"), leaving_outcome_aside=True)


def test_a_blocked_caller_stays_blocked_with_the_outcome_left_aside():
    """Blocking is no matter of the outcome."""
    route = Route(to=("a",), block_callers=frozenset({"+61444444444"}))

    assert not route.matches(call(), leaving_outcome_aside=True)


def test_each_destination_is_named_once_in_order():
    """A destination of several matching routes gets one delivery."""
    routes = (
        Route(to=("b", "a")),
        Route(to=("x",), results=frozenset({"busy"})),
        Route(to=("a", "c")),
    )

    assert destinations_of(call(), routes) == ("b", "a", "c")
    assert destinations_of(call(), routes, leaving_outcome_aside=True) == ("b", "a", "x", "c")
    assert destinations_of(call(), ()) == ()


def test_routes_are_read_from_the_file(tmp_path):
    """Every matcher of the contract; blocked numbers become E.164, national ones by the default region."""
    text = CONTRACT + (
        '\n[[routes]]\nto = ["crm", "crm"]\nservice_ids = ["1", " 2 "]\nservice_categories = ["Legal"]\n'
        'results = ["voicemail"]\nmin_duration = "10s"\nblock_callers = ["+1 770-240-1011", "0400 000 000"]\n'
    )

    assert load(tmp_path, text).routes[2] == Route(
        to=("crm",),
        service_ids=frozenset({"1", "2"}),
        service_categories=frozenset({"Legal"}),
        results=frozenset({"voicemail"}),
        min_duration_s=10,
        block_callers=frozenset({"+17702401011", "+61400000000"}),
    )


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("to = []", "to: must not be empty"),
        ("", "to: is required"),
        ('to = "crm"', "to: must be a list"),
        ('to = ["crm", "no", "nor"]', "to[1]: there is no destination 'no'"),
        ('to = ["crm"]\nservice_ids = []', "service_ids: must not be empty"),
        ('to = ["crm"]\nservice_ids = [123]', "service_ids[0]: must be a text"),
        ('to = ["crm"]\nservice_categories = [""]', "service_categories[0]: must not be empty"),
        ('to = ["crm"]\nmin_duration = "-1s"', "min_duration: not a duration; write a number and a unit"),
        ('to = ["crm"]\nblock_callers = ["anonymous"]', "block_callers[0]: is no possible phone number"),
        ('to = ["crm"]\nblock_callers = ["12"]', "block_callers[0]: is no possible phone number"),
    ],
)
def test_each_broken_rule_of_a_route_is_told(tmp_path, line, fault):
    """A bad route is told by its number in the file, from 0."""
    found = faults_of(tmp_path, f"{CONTRACT}\n[[routes]]\n{line}")

    assert f" routes[2].{fault}" in found[0]


@pytest.mark.parametrize(
    ("blocked", "caller"),
    [
        ("0061491570156", "0491 570 156"),
        ("0491570156", "0061491570156"),
        ("+61061491570156", "0061491570156"),
        ("447911123456", "+447911123456"),
        ("+61447911123456", "447911123456"),
        ("491570156.0", "+61491570156"),
        ("+61266696687", "266696687"),
    ],
)
def test_a_blocked_number_is_read_as_a_callers_is(tmp_path, blocked, caller):
    """In any form; and one copied from where versions before sent it blocks the caller whom it stood for."""
    route = load(tmp_path, f'{CONTRACT}\n[[routes]]\nto = ["crm"]\nblock_callers = ["{blocked}"]\n').routes[2]

    assert not route.matches(load_call("1", {CALLER: caller}, first_received_us=0, default_region="AU"))
    assert route.matches(load_call("1", {CALLER: "0491570157"}, first_received_us=0, default_region="AU"))
