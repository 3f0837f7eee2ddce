"""What the vendors' tasks make of the sample calls satisfies the stand-ins, which were written apart from them."""

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import deploy.local
from deploy.local.standins.app import StandIns
from schemas.delacon.events import Event, Merged, StoredEvent, merge, read_event
from schemas.delivery import DeliveryKey, Order, Receipt
from schemas.destination import Destination
from tasks.vendors.registry import VENDORS
from worker.config.settings import Settings, load_settings
from worker.errors import DeliveryError
from worker.http.client import HttpClient

FOLDER = Path(deploy.local.__file__).parent


def samples() -> Mapping[str, Merged]:
    """Merge the sample calls as they stand in the file, their times counted back from now."""
    now_ms = int(time.time() * 1000)
    received: dict[str, list[tuple[int, Event]]] = {}
    for place, line in enumerate((FOLDER / "calls.jsonl").read_text(encoding="utf-8").splitlines()):
        whole = json.loads(re.sub(r"\{\{now_ms-(\d+)\}\}", lambda found: str(now_ms - int(found[1])), line))
        text = whole["raw"] if "raw" in whole else json.dumps(whole["body"])
        event = read_event(text.encode(), path_kind=whole["path"])
        received.setdefault(event.call_id, []).append((now_ms * 1000 + place, event))
    return {
        call_id: merge(
            call_id,
            [StoredEvent(moment, event.kind, event.values) for moment, event in events],
            default_region="AU",
        )
        for call_id, events in received.items()
    }


@pytest.fixture
def settings(standins: StandIns) -> Settings:
    """Load the bundled configuration with the stand-ins' address."""
    environ = {"DELACON_TOKEN": "a-token-of-enough-length", "STANDINS_URL": standins.url}
    return load_settings(FOLDER / "switchboard.toml", environ, specs=[vendor.spec for vendor in VENDORS.values()])


def order(merged: Merged, destination: Destination, **changes: Any) -> Order:
    """Make the order of a first attempt."""
    key = DeliveryKey(merged.call.call_id, destination.name, changes.pop("action", "create"))
    return Order(key=key, call=merged.call, destination=destination, number=1, **changes)


async def deliver(http: HttpClient, wanted: Order) -> Receipt | str:
    """Make one attempt; return the receipt, or the reason of the failure."""
    vendor = VENDORS[wanted.destination.vendor]
    try:
        return await vendor.send(wanted, prepared=vendor.prepare(wanted), http=http)
    except DeliveryError as error:
        return error.reason


def test_every_sample_call_is_whole():
    """Each call has its start, its end and a result that the routes know; nothing waits."""
    merged = samples()

    assert all(one.arrivals.whole for one in merged.values())
    assert {"answered", "unanswered", "busy"} == {one.call.result for one in merged.values()}


async def test_every_sample_call_lands_where_it_is_routed(standins: StandIns, settings: Settings):
    """Answered calls are taken by Captorra and Kapture, missed ones by Comunik8; withheld callers are skipped."""
    outcomes: dict[str, set[str]] = {}
    async with HttpClient.open() as http:
        for merged in samples().values():
            for route in settings.routes:
                if merged.call.result not in (route.results or ()):
                    continue
                for name in route.to:
                    got = await deliver(http, order(merged, settings.destinations[name]))
                    said = got if isinstance(got, str) else "delivered"
                    outcomes.setdefault(f"{'known' if merged.call.caller else 'withheld'} {name}", set()).add(said)

    landed, skipped = {"delivered"}, {"no_caller"}
    names = ("smith-law", "crm", "dialler")
    assert {f"known {name}": landed for name in names} | {f"withheld {name}": skipped for name in names} == outcomes
    assert all(standins.store.records(vendor) for vendor in VENDORS)


async def test_a_second_post_is_a_duplicate_or_an_update(standins: StandIns, settings: Settings):
    """Sending a call again makes no second record anywhere, and the lead can be withdrawn."""
    known = samples()
    answered, missed = known["SB-1001-answered-au"], known["SB-1004-missed-au"]
    async with HttpClient.open() as http:
        for merged, name in ((answered, "smith-law"), (answered, "crm"), (missed, "dialler")):
            wanted = order(merged, settings.destinations[name])
            first, second = await deliver(http, wanted), await deliver(http, wanted)

            assert isinstance(first, Receipt)
            assert isinstance(second, Receipt)
            assert second.duplicate is (name != "crm")
            assert ("updated" in second.note.casefold()) is (name == "crm")
        withdrawn = await deliver(http, order(missed, settings.destinations["dialler"], action="cancel"))

    assert isinstance(withdrawn, Receipt)
    assert [1, 1, 1] == [len(standins.store.records(name)) for name in ("captorra", "kapture", "comunik8")]
    assert "cancelled" == standins.store.records("comunik8")[0]["state"]


async def test_an_overlong_text_is_cut_before_it_is_sent(standins: StandIns, settings: Settings):
    """Captorra's stand-in takes the overlong sample, whose name stands there with 100 characters."""
    merged = samples()["SB-1010-overlong"]
    async with HttpClient.open() as http:
        await deliver(http, order(merged, settings.destinations["smith-law"]))

    (kept,) = standins.store.records("captorra")
    assert (100, 500) == (len(kept["values"]["Name"]), len(kept["values"]["String01"]))
