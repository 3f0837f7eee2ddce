"""No event of one sender changes or completes a call of another, in whatever order they come."""

from itertools import permutations

import orjson
import pytest

from schemas.delacon.events import read_event
from tests.ledgers import Driver
from worker.ledger import queries
from worker.ledger.records import Accepted, Incoming
from worker.ledger.sender_mark import mark, sender_of, unmarked

OWN = {"smith": ["101", "102"], "jones": ["201"]}


def event_of(sender: str, **values: str) -> str:
    """Return the marked record of an event that a sender posts."""
    body = {"PLA_Call_Id": "c1"} | {f"PLA_{name}": value for name, value in values.items()}
    event = read_event(orjson.dumps(body), path_kind="either")
    return mark(event.record(), sender=sender, service=values.get("CID"), services=OWN[sender])


START = event_of("smith", CID="101", Caller_Phone_Number="+61491570156")
END = event_of("smith", CID="101", CallResult="Answered")
BARE_END = event_of("smith", CallResult="Answered", Duration="9s")
FOREIGN = (
    event_of("jones", CID="201", CallResult="Busy"),
    event_of("jones", CID="201", Caller_Phone_Number="+61491570110", CallResult="Busy"),
    event_of("jones", CallResult="Busy"),
    event_of("jones", Landing_Page="https://jones.example"),
    event_of("jones", Keywords='x,"a":"101"', ExtraTracking='{"a":"101"}', CallResult="Busy"),
)


def without_mark(record: str) -> str:
    """Return what the ledger is to hold of a marked record."""
    return unmarked(record)


async def test_the_events_of_a_sender_make_a_call_without_their_marks(driver: Driver):
    """Those that name no service join a call of theirs; what is stored is what came."""
    answers = [await driver.accept("c1", record) for record in (START, END, BARE_END, START)]

    call = await driver.call("c1")
    assert [Accepted.NEW, Accepted.NEW, Accepted.NEW, Accepted.SAME] == answers
    assert [without_mark(record) for record in (START, END, BARE_END)] == [
        text.partition(" ")[2] for text in call.texts
    ]


@pytest.mark.parametrize("foreign", FOREIGN)
async def test_an_event_of_another_sender_waits_in_quarantine(driver: Driver, foreign: str):
    """The call stays as it was; the body can be read again, and says who sent it."""
    await driver.accept("c1", START)
    before = await driver.redis.hgetall("sb:c:c1")

    assert Accepted.FOREIGN == await driver.accept("c1", foreign, received_us=17)
    assert before == await driver.redis.hgetall("sb:c:c1")
    [body] = [one async for one in queries.quarantined(driver.ledger, since_ms=0)]
    assert "the call is of another service: sent by jones" == body.reason
    again = read_event(body.body, path_kind=body.path_kind)  # type: ignore[arg-type]
    assert ("c1", without_mark(foreign), 17) == (again.call_id, again.record(), body.received_us)


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_no_order_mixes_the_events_of_two_senders(driver: Driver, order: tuple[int, ...]):
    """Whoever is first with a service has the call: its events are all in, and none of the other's."""
    pushed = [START, END, FOREIGN[1], FOREIGN[2]]
    answers = {place: await driver.accept("c1", pushed[place]) for place in order}

    first = next(place for place in order if place != 3)
    own = {0, 1} if first in {0, 1} else {2, 3}
    texts = {text.partition(" ")[2] for text in (await driver.call("c1")).texts}
    mixed = {without_mark(pushed[place]) for place in set(range(4)) - own}
    assert texts.isdisjoint(mixed)
    assert {place for place in set(range(4)) - own if answers[place] is not Accepted.FOREIGN} == set()
    assert {answers[place] for place in own - {3}} == {Accepted.NEW}


async def test_the_same_holds_within_one_group_and_after_the_spool(driver: Driver):
    """A group of many senders is decided item by item; what a spool held back is foreign all the same."""
    group = [Incoming("c1", 5, FOREIGN[1]), Incoming("c1", 6, START), Incoming("c2", 7, START), Incoming("c2", 8, END)]

    answers = await driver.ledger.accept(group)
    late = await driver.accept("c2", FOREIGN[0], received_us=1)

    assert [Accepted.NEW, Accepted.FOREIGN, Accepted.NEW, Accepted.NEW] == answers
    assert Accepted.FOREIGN == late
    assert 2 == (await driver.call("c2")).version


async def test_a_service_does_not_change_within_a_sender_either(driver: Driver):
    """A call of 101 takes no event of 102, though both are the sender's; one that names none joins either."""
    await driver.accept("c1", START)

    assert Accepted.FOREIGN == await driver.accept("c1", event_of("smith", CID="102", CallResult="Busy"))
    assert Accepted.NEW == await driver.accept("c1", BARE_END)


async def test_an_event_without_a_service_begins_no_call(driver: Driver):
    """It waits in quarantine, and the call of another that comes later knows nothing of it."""
    assert Accepted.FOREIGN == await driver.accept("c1", BARE_END)
    assert [] == await driver.ledger.load(["c1"])
    assert Accepted.NEW == await driver.accept("c1", FOREIGN[1])
    assert Accepted.FOREIGN == await driver.accept("c1", BARE_END)


async def test_a_call_that_began_without_a_mark_is_of_the_service_that_its_events_name(driver: Driver):
    """As after an import, or before senders were configured; one that names none is nobody's."""
    await driver.accept("c1", without_mark(START))
    await driver.accept("c2", without_mark(BARE_END))

    assert Accepted.FOREIGN == await driver.accept("c1", FOREIGN[0])
    assert Accepted.NEW == await driver.accept("c1", END)
    assert Accepted.FOREIGN == await driver.accept("c2", END)


async def test_what_an_operator_hands_in_is_taken(driver: Driver):
    """Without a mark an event may correct a service: an import, or a body retried by its id."""
    await driver.accept("c1", START)

    assert Accepted.NEW == await driver.accept("c1", without_mark(FOREIGN[0]))


@pytest.mark.parametrize("service", ["101", "späte", "a.b-c %d", "[1]"])
async def test_a_service_is_compared_as_text(driver: Driver, service: str):
    """Letters of any script and what is a pattern elsewhere; a part of an id is not the id."""
    named = mark('s{"a":"%s"}' % service, sender="smith", service=service, services=())  # noqa: UP031

    assert Accepted.NEW == await driver.accept("c1", named)
    assert Accepted.NEW == await driver.accept(
        "c1", mark("e{}", sender="smith", service=None, services=["x", service, "y"])
    )
    part = mark('e{"u":"Busy"}', sender="smith", service=None, services=[service[:-1], f"{service}1"])
    assert Accepted.FOREIGN == await driver.accept("c1", part)


@pytest.mark.parametrize("record", [START, BARE_END, FOREIGN[4]])
def test_a_mark_is_told_from_the_record(record: str):
    """The sender and the record come back; a record without a mark is itself."""
    assert sender_of(record) in OWN
    assert unmarked(record)[1:2] == "{"
    assert ("", unmarked(record)) == (sender_of(unmarked(record)), unmarked(unmarked(record)))
