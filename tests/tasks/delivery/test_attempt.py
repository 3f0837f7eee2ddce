"""The attempt: every error becomes an outcome, and what is kept of the reply."""

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas.captorra import SPEC
from schemas.delivery import (
    Blocked,
    Dead,
    Delivered,
    Order,
    Outcome,
    Prepared,
    Receipt,
    Request,
    Response,
    Retry,
    Skipped,
)
from schemas.destination import Destination
from tasks.delivery.attempt import Tried, Wire, attempt, digest
from tasks.vendors.captorra import Captorra
from tasks.vendors.protocol import Http
from tests.destinations import make_destination, make_order
from tests.fakes import FakeHttp, reply
from worker import errors

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SENT = Request(method="POST", url="https://crm.example.com")


class Saying(Captorra):
    """A vendor that says what a test wants, after it has sent, or before."""

    def __init__(self, said: Receipt | Exception, *, sends: int = 1) -> None:
        self.said = said
        self.sends = sends

    def prepare(self, order: Order) -> Prepared:
        """Prepare a request with one field."""
        return Prepared(request=SENT, fields={"ID": order.call.call_id})

    async def send(self, order: Order, *, prepared: Prepared, http: Http) -> Receipt:
        """Send so often, then say it."""
        for _ in range(self.sends):
            await http.send(prepared.request, timeout_s=order.destination.timeout_s)
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


async def tried(vendor: Captorra, order: Order, http: FakeHttp | None = None, **changes: Any) -> Tried:
    """Make an attempt."""
    http = http or FakeHttp(always=reply(b"the reply"))
    return await attempt(
        order, vendor=vendor, wire=Wire(http, monotonic() + order.destination.timeout_s), now=NOW, **changes
    )


@pytest.fixture
def destination() -> Destination:
    """Return a destination."""
    return make_destination(SPEC)


TABLE: list[tuple[Receipt | Exception, Outcome]] = [
    (Receipt(duplicate=True), Delivered(Receipt(duplicate=True))),
    (errors.Transient("unavailable", "words"), Retry("unavailable", "words")),
    (
        errors.Transient("x", retry_after="7", unknown=True, exhausted_as="y", counts=False),
        Retry("x", "", 7.0, counts=False, exhausted_as="y", unknown=True),
    ),
    (errors.Transient("x", retry_after="Mon, 02 Mar 2026 12:00:30 GMT"), Retry("x", "", 30.0)),
    (errors.Transient("x", retry_after="soon"), Retry("x")),
    (errors.Permanent("rejected", "words"), Dead("rejected", "words")),
    (errors.Blocked("unauthorized"), Blocked("unauthorized")),
    (
        errors.Blocked("unknown_type", "w", confirm=True, probe=False, dead=True),
        Blocked("unknown_type", "w", confirm=True, probe=False, dead=True),
    ),
    (errors.Skipped("no_caller"), Skipped("no_caller")),
    (errors.DeliveryError("other"), Dead("other")),
    (
        ZeroDivisionError("61491570156"),
        Retry("unexpected", "ZeroDivisionError", counts=False, exhausted_as="unexpected", unknown=True),
    ),
]


@pytest.mark.parametrize(("said", "outcome"), TABLE, ids=lambda value: type(value).__name__)
async def test_every_error_becomes_its_outcome(make_call, destination, said, outcome):
    """One for one; an error of ours is told without its text, which may hold anything."""
    with capture_logs() as logs:
        came = await tried(Saying(said), make_order(make_call(), destination))

    assert outcome == came.outcome
    assert 200 == came.status
    assert "61491570156" not in str([{**entry, "exc_info": None} for entry in logs])


async def test_an_error_of_ours_before_the_request_leaves_nothing_unknown(make_call, destination):
    """Nothing was sent, so nothing can have been done."""

    class Broken(Saying):
        def prepare(self, order: Order) -> Prepared:
            raise KeyError("x")

    with capture_logs():
        came = await tried(Broken(Receipt()), make_order(make_call(), destination))

    assert Retry("unexpected", "KeyError", counts=False, exhausted_as="unexpected") == came.outcome
    assert (None, None, "KeyError") == (came.prepared, came.status, came.reply)


@pytest.mark.parametrize(
    ("started_ago_s", "action", "skipped"),
    [(3600, "create", False), (3600.001, "create", True), (9999, "update-1", True), (9999, "cancel", False)],
)
async def test_a_call_older_than_the_destination_wants_is_skipped(make_call, started_ago_s, action, skipped):
    """Counted from its start; a withdrawal is wanted whatever its age."""
    call = make_call(started_at=NOW - timedelta(seconds=started_ago_s))
    order = make_order(call, make_destination(SPEC, max_age_s=3600.0), action=action)
    http = FakeHttp()
    came = await tried(Saying(Receipt()), order, http)

    assert (Skipped("too_old") if skipped else Delivered(Receipt())) == came.outcome
    assert (0 if skipped else 1) == len(http.requests)


async def test_a_reason_found_beforehand_skips(make_call, destination):
    """Nothing is prepared or sent."""
    http = FakeHttp()
    came = await tried(Saying(Receipt()), make_order(make_call(), destination), http, skip="suppressed")

    assert (Skipped("suppressed"), None, []) == (came.outcome, came.prepared, http.requests)


@pytest.mark.parametrize(("action", "skipped"), [("update-2", True), ("create", False)])
async def test_an_update_that_holds_nothing_new_is_contained(make_call, destination, action, skipped):
    """Only an update may hold nothing new."""
    before = digest(Prepared(request=SENT, fields={"ID": make_call().call_id}))
    came = await tried(Saying(Receipt()), make_order(make_call(), destination, action=action), sent_before=before)
    assert (Skipped("contained") if skipped else Delivered(Receipt())) == came.outcome

    other = digest(Prepared(request=SENT, fields={"ID": "another"}))
    assert before != other
    came = await tried(Saying(Receipt()), make_order(make_call(), destination, action=action), sent_before=other)
    assert Delivered(Receipt()) == came.outcome


@pytest.mark.parametrize("updates", [True, False])
async def test_what_was_confirmed_is_known_by_its_digest(make_call, destination, updates):
    """Where there are no updates, nothing is ever told from it."""
    vendor = Saying(Receipt())
    vendor.updates = updates
    order = make_order(make_call(), destination)

    assert (digest(vendor.prepare(order)) if updates else "") == (await tried(vendor, order)).sent_fields


async def test_secrets_are_blanked_before_the_reply_is_cut(make_call):
    """Half a secret at the cut is one too."""
    secret = "a-secret-key-0123456789"
    destination = make_destination(SPEC, secrets=(secret,))
    http = FakeHttp(always=reply("x" * 2040 + secret + "y" * 100))
    came = await tried(Saying(Receipt()), make_order(make_call(), destination), http)

    assert 2048 == len(came.reply)
    assert "a-secr" not in came.reply


async def test_the_words_of_an_error_go_before_the_reply(make_call, destination):
    """The vendor's own words say more than the whole body."""
    came = await tried(Saying(errors.Permanent("rejected", "Invalid Date")), make_order(make_call(), destination))

    assert "Invalid Date" == came.reply


async def test_a_request_without_a_reply_has_no_status(make_call, destination):
    """Refused, reset and timed out: what the first request was answered does not count for the second."""
    http = FakeHttp(script=[reply(), errors.Transient("reset", unknown=True)])
    came = await tried(Saying(Receipt(), sends=2), make_order(make_call(), destination), http)

    assert (Retry("reset", unknown=True), None, "") == (came.outcome, came.status, came.reply)


async def test_all_requests_of_an_attempt_share_its_time(make_call):
    """A vendor that needs two requests has no more time for them than one."""
    budgets: list[float] = []

    class Timed(FakeHttp):
        async def send(self, request: Request, *, timeout_s: float) -> Response:
            budgets.append(timeout_s)
            return await super().send(request, timeout_s=timeout_s)

    order = make_order(make_call(), make_destination(SPEC, timeout_s=20.0))
    await tried(Saying(Receipt(), sends=3), order, Timed())

    assert 20.0 >= budgets[0] > budgets[1] > budgets[2] > 0


async def test_what_is_taken_of_the_time_before_the_first_request_is_gone():
    """Redis was slow, or the process stood still: what could outlive the lease is not sent, and that is known."""
    http = FakeHttp()
    wire = Wire(http, monotonic() - 0.5)

    with pytest.raises(errors.Transient) as raised:
        await wire.send(Request(method="POST", url="https://crm.example.com/"))
    assert ("timeout", False, None) == (raised.value.reason, raised.value.unknown, wire.request)
    assert not raised.value.counts  # it says nothing of the vendor
