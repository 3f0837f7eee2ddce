"""The stand-ins' records outlive their process when they are kept in a file."""

from pathlib import Path

import aiohttp
import pytest

from deploy.local.standins.app import StandIns
from deploy.local.standins.journal import keep
from deploy.local.standins.store import Store

KAPTURE = "/kapture/add-update-customer-from-other-source.html"
CUSTOMER = {"name": "Caller", "phone": "0491570156", "email": "a@calls.example.com", "customer_code": "61491570156"}


async def post(stand_ins: StandIns, path: str, body: dict[str, str]) -> dict[str, str]:
    """Post to a stand-in with the keys that open it."""
    headers = {"Authorization": "Basic standin-kapture-key"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{stand_ins.url}{path}", params={"key": "standin-comunik8-key"}, json=body) as reply,
    ):
        answer: dict[str, str] = await reply.json()
        return answer


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store that was kept by an earlier process: a customer added and updated, a lead added and cancelled."""
    store = Store()
    keep(store, tmp_path / "records.jsonl")
    kapture, leads = store.shelves["kapture"], store.shelves["comunik8"]
    kapture.last_number = 8
    customer = kapture.add("272937", record_id="272937", values=dict(CUSTOMER), kind="customer")
    kapture.post(customer, "added")
    kapture.post(customer, "updated")
    lead = leads.add("motor-trade:1", record_id="motor-trade:1", values={"mobile": "1"}, kind="lead")
    leads.post(lead, "added")
    lead.state = "cancelled"
    leads.post(lead, "cancelled")
    return store


def again(folder: Path) -> Store:
    """Make the store of the next process."""
    store = Store()
    keep(store, folder / "records.jsonl")
    return store


def test_every_record_comes_back_as_it_was(store: Store, tmp_path: Path) -> None:
    """With its state, its counts and what it was asked for."""
    before = {vendor: store.records(vendor) for vendor in store.shelves}

    assert before == {vendor: again(tmp_path).records(vendor) for vendor in store.shelves}
    assert 2 == before["kapture"][0]["posts"]


async def test_a_vendor_that_came_back_knows_its_customers(store: Store, tmp_path: Path) -> None:
    """By their codes and phones; a new one gets the next number."""
    stand_ins = StandIns(store=again(tmp_path))
    await stand_ins.start()
    known = await post(stand_ins, KAPTURE, {"customer_code": "61491570156", "phone": "0491570156", "city": "Perth"})
    new = await post(stand_ins, KAPTURE, CUSTOMER | {"phone": "0491570157", "customer_code": "61491570157"})
    await stand_ins.stop()

    assert "272937" == known["Kapture Customer Id"]
    assert "272938" == new["Kapture Customer Id"]
    assert 2 == len(again(tmp_path).shelves["kapture"].records)


def test_removed_records_stay_removed(store: Store, tmp_path: Path) -> None:
    """One by one, and all at once."""
    store.shelves["kapture"].remove("272937")

    assert [] == again(tmp_path).records("kapture")
    store.reset()
    assert [] == again(tmp_path).records("comunik8")


def test_a_line_that_was_cut_off_costs_only_itself(store: Store, tmp_path: Path) -> None:
    """As a kill in the middle of a write leaves it."""
    with (tmp_path / "records.jsonl").open("ab") as file:
        file.write(b'{"vendor":"kapture","key":"27')

    assert store.records("kapture") == again(tmp_path).records("kapture")
