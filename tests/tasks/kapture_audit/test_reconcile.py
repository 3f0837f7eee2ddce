"""What Kapture has lost: found by its list and by searching, and delivered again as an add, through a real pump."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson
import pytest

from deploy.local.standins.app import StandIns
from deploy.local.standins.faults import Fault
from schemas.delacon.events import read_event
from schemas.delivery import DeliveryKey
from schemas.destination import Destination
from schemas.kapture.customer import SPEC
from tasks.delivery.finish_writer import FinishWriter
from tasks.delivery.observer import Observer
from tasks.delivery.pump import Pump
from tasks.delivery.runner import Runner
from tasks.dispatch.dispatcher import dispatch
from tasks.dispatch.planner import Planner
from tasks.kapture_audit.reconcile import (
    Delivered,
    absent_among,
    deliver_again,
    delivered_callers,
    read_listing,
    windows_of,
)
from tasks.vendors.registry import VENDORS
from tests.destinations import ScriptedHttp, make_destination, make_response
from worker.config.settings import load_settings
from worker.errors import Blocked, DeliveryError, Permanent
from worker.http.client import HttpClient
from worker.ledger.admin import memories, redeliver
from worker.ledger.ledger import Ledger
from worker.ledger.records import Incoming
from worker.metrics import Metrics

HOUR_MS = 3_600_000
LEASE_MS = 60_000
CONFIG = '[receiver]\ntokens = ["a-token-for-tests-only"]\n[[routes]]\nto = ["crm"]\n[destinations.crm]\n'
TABLE = 'vendor = "kapture"\nauth_key = "standin-kapture-key"\nemail = "a@example.com"\n'


@dataclass
class Kit:
    """A ledger, a Kapture stand-in and what delivers from one to the other."""

    ledger: Ledger
    standins: StandIns
    destination: Destination
    planner: Planner
    http: HttpClient

    def __post_init__(self) -> None:
        self._numbers = itertools.count()

    async def call(self, *callers: int, dispatched: bool = True) -> list[str]:
        """Bring in a whole call of each caller; return their ids."""
        made = []
        for caller in callers:
            call_id = f"c-{next(self._numbers)}"
            body = {
                "PLA_Call_Id": call_id, "PLA_Caller_Phone_Number": f"+6149157{caller:04d}",
                "PLA_CallResult": "Answered", "PLA_Duration": "50s",
            }  # fmt: skip
            event = read_event(orjson.dumps(body), path_kind="either")
            await self.ledger.accept([Incoming(call_id, await self.ledger.now_ms() * 1000, event.record())])
            if dispatched:
                await dispatch([call_id], ledger=self.ledger, planner=self.planner)
            made.append(call_id)
        return made

    async def deliver(self) -> None:
        """Deliver what is due until nothing is, those in line too."""
        runner = Runner(
            self.destination, vendor=VENDORS["kapture"], ledger=self.ledger, http=self.http,
            finish_writer=FinishWriter(self.ledger), observer=Observer(Metrics(), None), now=lambda: datetime.now(UTC),
            rng=Random(4), default_region="AU", lease_ms=LEASE_MS,
        )  # fmt: skip
        while (await self.ledger.overview(["crm"])).destinations[0].due:
            await Pump(self.destination, ledger=self.ledger, deliver=runner.deliver, lease_ms=LEASE_MS).run()

    async def callers(self) -> list[Delivered]:
        """Return who was delivered within the last hour."""
        now_ms = await self.ledger.now_ms()
        return await delivered_callers(
            self.ledger, self.destination, since_ms=now_ms - HOUR_MS, until_ms=now_ms, default_region="AU"
        )

    async def absent(self) -> list[Delivered]:
        """Reconcile the last hour."""
        now_ms = await self.ledger.now_ms()
        windows = windows_of(now_ms - HOUR_MS, now_ms, now_ms=now_ms)
        listing = await read_listing(self.destination, windows, http=self.http, advance=lambda _: None)
        suspects = [one for one in await self.callers() if not listing.holds(one)]
        return await absent_among(suspects, self.destination, http=self.http, advance=lambda _: None)

    def records(self) -> list[dict[str, Any]]:
        """Return what the stand-in has."""
        return self.standins.store.records("kapture")

    def lose(self, *phones: str) -> None:
        """Remove records of these phones from the stand-in."""
        for record in self.records():
            if record["values"]["phone"] in phones:
                self.standins.store.shelves["kapture"].remove(record["id"])

    def asked(self, page: str) -> int:
        """Return how often a page was asked."""
        return sum(page in request.path for request in self.standins.store.requests)


@pytest.fixture
async def make_kit(redis, standins, tmp_path):
    """Return a maker of kits; ``table`` is more of the destination's table."""
    async with HttpClient.open() as http:

        def make(table: str = "") -> Kit:
            file = tmp_path / "switchboard.toml"
            file.write_text(f'{CONFIG}{TABLE}url = "{standins.url}/kapture"\n{table}\n')
            settings = load_settings(file, {}, specs=[vendor.spec for vendor in VENDORS.values()])
            planner = Planner(settings=settings, vendors=VENDORS)
            return Kit(Ledger(redis), standins, settings.destinations["crm"], planner, http)

        yield make


@pytest.fixture
def kit(make_kit):
    """Return a kit."""
    return make_kit()


def call_ids(found: Sequence[Delivered]) -> list[str]:
    """Return the newest call of each."""
    return [one.key.call_id for one in found]


async def test_who_is_listed_is_not_searched_for(kit):
    """Nothing is absent, and the list alone told it."""
    await kit.call(1, 2, 3, 2)
    await kit.deliver()

    assert [] == await kit.absent()
    assert 0 == kit.asked("search-customer")


async def test_a_removed_customer_is_absent_once_with_its_newest_call(kit):
    """However many calls it has; the others are there."""
    ids = await kit.call(1, 2, 1, 1)
    await kit.deliver()
    [lost] = [record["id"] for record in kit.records() if record["values"]["phone"] == "0491570001"]
    kit.lose("0491570001")

    [one] = await kit.absent()

    assert (ids[3], 3, lost) == (one.key.call_id, one.calls, one.customer_id)
    assert not one.pending
    assert "0491570001" not in repr(one)


async def test_the_absent_are_added_again_once_each(kit):
    """One request a customer, an add with name and e-mail, though the ledger knew a number to update by."""
    await kit.call(1, 2, 1, 3)
    await kit.deliver()
    before = {record["id"] for record in kit.records()}
    kit.lose("0491570001", "0491570003")

    assert 2 == await deliver_again(kit.ledger, await kit.absent())
    await kit.deliver()

    assert [] == await kit.absent()
    assert ["0491570001", "0491570002", "0491570003"] == sorted(record["values"]["phone"] for record in kit.records())
    new = [record for record in kit.records() if record["id"] not in before]
    assert [["added"], ["added"]] == [record["history"] for record in new]
    assert {"Caller 0491570001", "Caller 0491570003"} == {record["values"]["name"] for record in new}


async def test_later_calls_of_a_restored_customer_update_the_new_one(kit):
    """The number that Kapture gave the second time is remembered."""
    await kit.call(1)
    await kit.deliver()
    kit.lose("0491570001")
    await deliver_again(kit.ledger, await kit.absent())
    await kit.call(1)
    await kit.deliver()

    [record] = kit.records()
    assert ["added", "updated"] == record["history"]
    assert [{"customer_known": "1", "customer_id": record["id"]}] == await memories(kit.ledger, "crm", ["61491570001"])


@pytest.mark.parametrize("in_doubt", [False, True])
async def test_what_waits_for_its_redelivery_is_pending(kit, in_doubt):
    """A second look before the worker was there, or before its retry, makes no second delivery."""
    await kit.call(1, 1)
    await kit.deliver()
    kit.lose("0491570001")
    assert 1 == await deliver_again(kit.ledger, await kit.absent())
    if in_doubt:
        await kit.ledger.redis.set("sb:memo:crm:61491570001", '{"unsure":"1"}')

    [one] = await kit.absent()
    assert one.pending
    await kit.deliver()
    assert [["added"]] == [record["history"] for record in kit.records()]


async def test_a_waiting_update_does_not_hide_an_absent_customer(kit):
    """It would go to a customer who is no longer there; after the fix it comes to the restored one."""
    await kit.call(1)
    await kit.deliver()
    kit.lose("0491570001")
    await kit.call(1)

    [one] = await kit.absent()
    assert not one.pending
    await deliver_again(kit.ledger, [one])
    await kit.deliver()
    assert [["added", "updated"]] == [record["history"] for record in kit.records()]


async def test_a_customer_added_long_ago_is_found_by_searching(kit):
    """Kapture lists by the day on which a customer was added, and this one was only updated since."""
    kit.standins.store.ahead_s = -30 * 86_400
    await kit.call(1)
    await kit.deliver()
    kit.standins.store.ahead_s = 0
    await kit.call(1)
    await kit.deliver()

    assert [] == await kit.absent()
    assert 1 == kit.asked("search-customer")


@pytest.mark.parametrize(
    "changes",
    [
        {"phone": "0491579999", "customer_code": "of the staff"},
        {"phone": "+61 491 570 001", "customer_code": ""},
        {"customer_code": "61491570001", "phone": "-"},
    ],
)
async def test_a_customer_whom_staff_changed_is_there(kit, changes):
    """By its number, its code or its phone, on the list and in a search."""
    await kit.call(1)
    await kit.deliver()
    [record] = kit.standins.store.shelves["kapture"].records.values()
    record.values |= changes

    assert [] == await kit.absent()
    record.created_ms -= 30 * 86_400_000
    assert [] == await kit.absent()


async def test_only_what_was_delivered_is_looked_for(kit):
    """Neither what waits, nor what was refused, nor calls of another time."""
    kit.standins.store.faults.append(Fault(vendor="kapture", status=400, body="{}", times=1))
    await kit.call(1)
    await kit.deliver()
    await kit.call(2)

    assert [] == await kit.callers()
    await kit.deliver()
    assert 1 == len(await kit.callers())
    now_ms = await kit.ledger.now_ms()
    assert [] == await delivered_callers(
        kit.ledger, kit.destination, since_ms=now_ms - 2 * HOUR_MS, until_ms=now_ms - HOUR_MS, default_region="AU"
    )


async def test_a_question_that_is_not_answered_is_no_absence(kit):
    """A refused key or a server in trouble ends the search with a failure."""
    await kit.call(1)
    await kit.deliver()
    kit.lose("0491570001")
    kit.standins.store.faults.append(
        Fault(vendor="kapture", path="/search", status=200, body='{"Message": "Auth Key Expired", "Status": "Fail"}')
    )

    with pytest.raises(Blocked):
        await kit.absent()


async def test_an_edition_that_refuses_a_question_is_asked_the_next(kit):
    """Not every edition searches by number, code and phone; one answer is enough, and none is a failure."""
    await kit.call(1)
    await kit.deliver()
    [one] = await kit.callers()
    refusal = make_response({"Message": "Name, Email Id, and Phone Number required", "Status": "Fail"})
    nobody = make_response({"Customer Details": "does not exist", "status": "failed"})
    somebody = make_response({"Customer Details": {"id": 5, "contacts": [{"phone": "0491570001"}]}})
    destination = make_destination(SPEC)

    async def absent(*answers):
        http = ScriptedHttp(*answers)
        return await absent_among([one], destination, http=http, advance=lambda _: None)

    assert [] == await absent(refusal, refusal, somebody)
    assert [one] == await absent(nobody, refusal, nobody)
    with pytest.raises(Permanent):
        await absent(refusal, refusal, refusal)


async def test_a_destination_with_a_rate_is_asked_one_question_at_a_time(make_kit):
    """Every suspect is asked for all the same."""
    kit = make_kit('rate = "1000/s"')
    await kit.call(*range(5))
    await kit.deliver()
    kit.lose(*(f"049157000{number}" for number in range(4)))

    assert 4 == len(await kit.absent())


async def test_in_mode_contact_the_contacts_of_the_customer_are_compared(make_kit, standins):
    """The lost ones are added again, once; the list of customers is not read."""
    customer = await _customer(standins)
    kit = make_kit(f'mode = "contact"\ncustomer_id = "{customer}"')
    await kit.call(1, 2, 3, 2)
    await kit.deliver()
    assert [] == await kit.absent()
    kit.lose("0491570002")

    [one] = await kit.absent()
    assert 2 == one.calls
    await deliver_again(kit.ledger, [one])
    await kit.deliver()

    assert [] == await kit.absent()
    assert 4 == len(kit.records())
    assert 0 == kit.asked("select-customer")


async def test_in_mode_contact_a_customer_that_is_gone_is_a_failure(make_kit):
    """There is nothing to add contacts to."""
    kit = make_kit('mode = "contact"\ncustomer_id = "5"')

    with pytest.raises(DeliveryError, match="no_customer"):
        await kit.absent()


async def test_only_delivered_deliveries_are_put_back(kit):
    """A key of nothing, of something waiting, and no key at all change nothing."""
    [call_id] = await kit.call(1)
    keys = [DeliveryKey(call_id, "crm", "create"), DeliveryKey("nobody", "crm", "create")]

    assert [False, False] == await redeliver(kit.ledger, keys)
    await kit.deliver()
    assert [True, False] == await redeliver(kit.ledger, keys)
    assert [False, False] == await redeliver(kit.ledger, keys)
    assert [{}] == await memories(kit.ledger, "crm", ["61491570001"])
    await kit.deliver()
    [stored] = await kit.ledger.load([call_id])
    assert [1, 2] == [attempt.number for attempt in stored.deliveries["crm", "create"].history.attempts]


def test_the_list_is_read_a_day_beyond_the_calls():
    """From a day before, for zones; to three days after, for retries and zones, but not beyond tomorrow."""
    day = 86_400_000

    early = windows_of(10 * day, 11 * day, now_ms=100 * day)
    late = windows_of(99 * day, 100 * day, now_ms=100 * day)

    assert (9 * 86_400, 14 * 86_400) == (early[0].start_s, early[-1].end_s)
    assert (98 * 86_400, 101 * 86_400) == (late[0].start_s, late[-1].end_s)


async def _customer(standins: StandIns) -> str:
    """Make the customer whose contacts callers become."""
    shelf = standins.store.shelves["kapture"]
    values = {"name": "Firm", "phone": "0255501234", "email": "firm@example.com"}
    record = shelf.add("272930", record_id="272930", values=values, kind="customer")
    shelf.last_number = 1
    return record.id


async def test_in_mode_contact_one_that_was_added_after_the_list_was_read_is_not_absent(make_kit, standins):
    """The ledger is read after the list: what was delivered between the two would be added twice."""
    kit = make_kit(f'mode = "contact"\ncustomer_id = "{await _customer(standins)}"')
    await kit.call(1)
    stale = await read_listing(kit.destination, [], http=kit.http, advance=lambda _: None)
    await kit.deliver()
    suspects = [one for one in await kit.callers() if not stale.holds(one)]
    assert 1 == len(suspects)

    assert [] == await absent_among(suspects, kit.destination, http=kit.http, advance=lambda _: None)
