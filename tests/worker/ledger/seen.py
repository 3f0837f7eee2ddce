"""Looks at everything that the ledger holds in one round trip, and holds it against the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.ledgers import Driver
from tests.worker.ledger.model import FINAL, Key, Model
from worker.ledger.records import STATES, DeliveryRecord, StoredCall

DESTINATIONS = ("crm", "kap")
LINES = ("g1", "g2")
LETTERS = {state: letter for letter, state in STATES.items()}


@dataclass(frozen=True)
class Seen:
    """What is there."""

    deliveries: Mapping[Key, DeliveryRecord]
    places: dict[Key, list[str]]
    """Where each delivery is: ``due``, ``leases``, ``parked``, ``waiting``."""
    waits: Mapping[str, int]
    """When each is looked at, in milliseconds."""
    open_counts: Mapping[str, int]
    gates: Mapping[str, Mapping[str, str]]


async def look(driver: Driver, call_ids: Sequence[str]) -> Seen:
    """Read the calls, the lines and the gates."""
    async with driver.redis.pipeline(transaction=False) as pipe:
        pipe.zrange("sb:leases", 0, -1)
        pipe.zrange("sb:waits", 0, -1, withscores=True)
        for name in DESTINATIONS:
            pipe.zrange(f"sb:due:{name}", 0, -1)
            pipe.hgetall(f"sb:gate:{name}")
        for group in LINES:
            pipe.lrange(f"sb:park:kap:{group}", 0, -1)
        for call_id in call_ids:
            pipe.hgetall(f"sb:c:{call_id}")
        leases, waits, *rest = await pipe.execute()
    due, gates = rest[0:4:2], dict(zip(DESTINATIONS, rest[1:4:2], strict=True))
    parked, hashes = rest[4:6], dict(zip(call_ids, rest[6:], strict=True))
    places: dict[Key, list[str]] = {}
    for text in leases:
        places.setdefault(_key(*text.rsplit(":", 2)), []).append("leases")
    members = [("due", name, text) for name, texts in zip(DESTINATIONS, due, strict=True) for text in texts]
    members += [("parked", "kap", text) for texts in parked for text in texts]
    for place, name, text in members:
        call_id, action = text.rsplit(":", 1)
        places.setdefault((call_id, name, action), []).append(place)
    deliveries: dict[Key, DeliveryRecord] = {}
    for call_id, fields in hashes.items():
        for name in DESTINATIONS:
            for action in fields.get(f"w:{name}", "").split():
                places.setdefault((call_id, name, action), []).append("waiting")
        call: Any = StoredCall.parse(call_id, fields)
        for (name, action), record in call.deliveries.items() if call else ():
            deliveries[call_id, name, action] = record
    counts = {call_id: int(fields.get("o", 0)) for call_id, fields in hashes.items()}
    return Seen(deliveries, places, {name: int(at) for name, at in waits}, counts, gates)


def _key(call_id: str, destination: str, action: str) -> Key:
    return call_id, destination, action


def check(model: Model, seen: Seen) -> None:
    """Hold every part of the ledger against the model."""
    _check_deliveries(model, seen)
    _check_calls(model, seen)
    _check_gates(model, seen)


def _check_deliveries(model: Model, seen: Seen) -> None:
    """Find an open one in exactly one of: due, leases, parked, waiting for its create; a final one in none."""
    assert model.deliveries.keys() == seen.deliveries.keys()
    for key, delivery in model.deliveries.items():
        record = seen.deliveries[key]
        assert (delivery.state, delivery.fence, delivery.number, delivery.step) == (
            LETTERS[record.state], record.fence, record.number, record.step,
        ), key  # fmt: skip
        found = seen.places.pop(key, [])
        if delivery.state in FINAL or delivery.state == "f" or delivery.waits:
            expected = [] if delivery.state in FINAL else ["leases"] if delivery.state == "f" else ["waiting"]
            assert expected == found, key
        else:
            assert found in (["due"], ["parked"]), key
    assert {} == {key: found for key, found in seen.places.items() if found != ["parked"]}
    assert all(times <= 1 for times in model.sent.values())


def _check_calls(model: Model, seen: Seen) -> None:
    """Find among the waits what was accepted and not dispatched, with its time, and in the count what is open."""
    waiting = {name: call.wait_ms for name, call in model.calls.items() if not call.planned or call.state == "w"}
    assert waiting == seen.waits
    for name in model.calls:
        is_open = [d for key, d in model.deliveries.items() if key[0] == name and d.state not in FINAL]
        assert len(is_open) == seen.open_counts[name]


def _check_gates(model: Model, seen: Seen) -> None:
    """Compare paused, blocked, open, and when the next probe is due."""
    for name, shown in seen.gates.items():
        gate = model.gate(name)
        assert (gate.paused, gate.blocked, gate.open) == ("paused" in shown, "blocked" in shown, "open" in shown)
        if gate.probing:
            assert ("never" if gate.blocked and gate.never_probed else str(gate.probe_at_ms)) == shown["probe_at"]
