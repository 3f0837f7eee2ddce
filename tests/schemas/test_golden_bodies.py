"""The document's two sample bodies become exactly the payloads of contract section 7."""

import json
from pathlib import Path

import pytest

from schemas import captorra, comunik8
from schemas.delacon.events import StoredEvent, merge, read_event
from schemas.kapture import customer
from tests.destinations import make_destination

DATA = Path(__file__).parent / "data"
RECEIVED_US = 1_790_000_000_000_000  # in 2026; the sample's own start is of 2019


@pytest.fixture(scope="module")
def call():
    """Return the call of the document's own two bodies, byte for byte as it prints them."""
    start = read_event((DATA / "delacon_create.json").read_bytes(), path_kind="create")
    end = read_event((DATA / "delacon_update.json").read_bytes(), path_kind="update")
    events = [StoredEvent(RECEIVED_US + shift, event.kind, event.values) for shift, event in enumerate((start, end))]
    return merge("1122334", events, default_region="AU").call


def golden(vendor):
    """Return the expected body."""
    return json.loads((DATA / f"golden_{vendor}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("zone", "date"), [("Australia/Sydney", "05/02/2019 10:12 AM"), ("America/New_York", "05/01/2019 8:12 PM")]
)
def test_captorra(call, zone, date):
    """Every key of Captorra's mapping, as texts, with the date in the firm's zone."""
    destination = make_destination(captorra.SPEC, {"timezone": zone})

    assert golden("captorra") | {"Date": date} == captorra.fill_body(call, destination).values


def test_comunik8(call):
    """A lead whose ``data`` is a text that holds JSON."""
    destination = make_destination(comunik8.SPEC, {"subtype": "valeter", "delay": "10m"})
    body = comunik8.lead_body(comunik8.fill_lead(call, destination).values)
    data = json.loads(str(body["data"]))

    assert golden("comunik8") == body | {"data": data}
    assert list(golden("comunik8")["data"]) == list(data)


def test_kapture(call):
    """A customer with the caller's digits as its code."""
    assert golden("kapture") == customer.fill_customer(call, make_destination(customer.SPEC)).values
