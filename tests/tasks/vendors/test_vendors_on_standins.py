"""The vendor classes against the stand-ins, over real HTTP: two readings of the same documents that must agree."""

import json
from types import SimpleNamespace

import pytest

from deploy.local.standins.app import StandIns
from deploy.local.standins.faults import Fault
from schemas.callcap.parameters import ProvisionParameters, SearchParameters
from schemas.callcap.replies import Said, judge
from schemas.callcap.wire import provision_request, search_request, update_request
from tasks.vendors.registry import VENDORS
from tests.destinations import make_destination, make_order
from worker.errors import Blocked, DeliveryError, Permanent, Transient
from worker.http.client import HttpClient

TABLES = {
    "captorra": {"captorra_id": "111111", "timezone": "America/New_York"},
    "comunik8": {
        "api_key": "standin-comunik8-key",
        "type": "motor-trade",
        "email": "{caller_digits}@calls.example.com",
    },
    "kapture": {"auth_key": "standin-kapture-key", "email": "{caller_digits}@calls.example.com"},
}
PATHS = {"captorra": "/captorra/api/captorracalltracking/create", "comunik8": "/comunik8", "kapture": "/kapture"}


@pytest.fixture
async def stand_ins():
    """Return running stand-ins."""
    server = StandIns()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def attempt(stand_ins):
    """Return a function that makes one real attempt."""
    async with HttpClient.open() as http:

        async def send(name, call, *, table=None, action="create", **order):
            vendor = VENDORS[name]
            url = stand_ins.url + PATHS[name]
            destination = make_destination(vendor.spec, {**TABLES[name], **(table or {})}, url=url)
            made = make_order(call, destination, action=action, **order)
            return await vendor.send(made, prepared=vendor.prepare(made), http=http)

        yield send


async def failure(attempt, *args, **kwargs):
    """Return what an attempt raises."""
    with pytest.raises(DeliveryError) as caught:
        await attempt(*args, **kwargs)
    return caught.value


def records(stand_ins, vendor):
    """Return what a vendor keeps."""
    return stand_ins.store.records(vendor)


@pytest.mark.parametrize("name", VENDORS)
async def test_a_call_lands_once_however_often_it_is_sent(attempt, stand_ins, make_call, name):
    """The second post is a duplicate or an update."""
    first = await attempt(name, make_call())
    second = await attempt(name, make_call(), number=2, unknown_before=True)

    assert not first.duplicate
    assert second.duplicate or VENDORS[name].updates
    assert 1 == len(records(stand_ins, name))


@pytest.mark.parametrize("name", VENDORS)
async def test_a_lost_reply_is_an_unknown_outcome_and_the_next_try_does_not_double(attempt, stand_ins, make_call, name):
    """The vendor stored the call and dropped the connection."""
    stand_ins.store.faults.append(Fault(vendor=name, mode="store_then_drop", times=1))
    error = await failure(attempt, name, make_call())
    await attempt(name, make_call(), number=2, unknown_before=True)

    assert isinstance(error, Transient)
    assert error.unknown
    assert 1 == len(records(stand_ins, name))


async def test_a_contact_whose_reply_was_lost_is_found_and_not_doubled(attempt, stand_ins, make_call):
    """Mode contact has no duplicate answer, so the customer is searched."""
    customer = await attempt("kapture", make_call(caller="+61491570158"))
    table = {"mode": "contact", "customer_id": customer.remote_id}
    stand_ins.store.faults.append(Fault(vendor="kapture", mode="store_then_drop", times=1))
    await failure(attempt, "kapture", make_call(), table=table)
    for body in ("object", "array"):
        receipt = await attempt("kapture", make_call(), table=table | {"body": body}, number=2, unknown_before=True)

        assert receipt.duplicate
    assert 2 == len(records(stand_ins, "kapture"))


async def test_a_contact_that_was_never_made_is_made_on_the_second_try(attempt, stand_ins, make_call):
    """The search finds the customer without the caller."""
    customer = await attempt("kapture", make_call(caller="+61491570158"))
    table = {"mode": "contact", "customer_id": customer.remote_id}
    receipt = await attempt("kapture", make_call(), table=table, number=2, unknown_before=True)

    assert not receipt.duplicate
    assert 2 == len(records(stand_ins, "kapture"))


async def test_a_known_caller_is_updated_by_the_customers_number(attempt, stand_ins, make_call):
    """What staff typed as name stays, the result changes."""
    added = await attempt("kapture", make_call(result="busy"))
    updated = await attempt("kapture", make_call(call_id="2"), memory=added.remember)
    (record,) = records(stand_ins, "kapture")

    assert added.remote_id == updated.remote_id == added.remember["customer_id"]
    assert "answered" in json.dumps(record, default=str)


async def test_a_lead_is_withdrawn_and_a_second_withdrawal_notes_not_found(attempt, make_call):
    """Both are delivered."""
    await attempt("comunik8", make_call(result="busy"), table={"delay": "10m"})

    assert "" == (await attempt("comunik8", make_call(), action="cancel")).note
    assert "not found" == (await attempt("comunik8", make_call(), action="cancel")).note


async def test_a_test_lead_saves_nothing(attempt, stand_ins, make_call):
    """It only checks the format."""
    receipt = await attempt("comunik8", make_call(), table={"test": True})

    assert "test: ok" == receipt.note
    assert [] == records(stand_ins, "comunik8")


@pytest.mark.parametrize(
    ("name", "table", "action", "expected"),
    [
        ("captorra", {"captorra_id": "999999"}, "create", ("unknown_account", True, False)),
        ("comunik8", {"type": "nobody-knows"}, "create", ("unknown_type", False, True)),
        ("comunik8", {"type": "nobody-knows"}, "cancel", ("unknown_type", True, False)),
        ("kapture", {"auth_key": "wrong"}, "create", ("unauthorized", True, False)),
        ("kapture", {"auth_key": "standin-kapture-expired"}, "create", ("key_expired", True, False)),
    ],
)
async def test_a_refused_account_blocks_the_destination(attempt, make_call, *, name, table, action, expected):
    """Each vendor's own words for it."""
    error = await failure(attempt, name, make_call(), table=table, action=action)

    assert isinstance(error, Blocked)
    assert expected == (error.reason, error.probe, error.dead)


async def test_a_refused_lead_keeps_a_message_for_each_field(attempt, make_call):
    """Comunik8 validates the e-mail address."""
    error = await failure(attempt, "comunik8", make_call(), table={"email": "nobody"})

    assert isinstance(error, Permanent)
    assert error.detail.startswith("email: ")


async def test_callcap_numbers_are_searched_provisioned_and_updated(stand_ins):
    """The first number of a search becomes ours, once; the second try is refused in words."""
    account = SimpleNamespace(url=f"{stand_ins.url}/callcap/v3", api_key="standin-callcap-key", encoding="form")
    async with HttpClient.open() as http:

        async def ask(request):
            return judge(await http.send(request, timeout_s=5), api_key=account.api_key)

        found = await ask(search_request(account, SearchParameters().load({"showLocal": True})))
        wanted = ProvisionParameters().load({"locationID": 3, "phoneNumber": found.numbers[0], "recording": True})
        first = await ask(provision_request(account, wanted))
        second = await ask(provision_request(account, wanted))
        changed = await ask(update_request(account, found.numbers[0], {"memo1": "service 123"}))
        nothing = await ask(search_request(account, SearchParameters().load({"areaCode": "999"})))

    assert (Said.YES, (found.numbers[0],)) == (first.said, first.numbers)
    assert Said.NO is second.said
    assert Said.YES is changed.said
    assert Said.NO is nothing.said
