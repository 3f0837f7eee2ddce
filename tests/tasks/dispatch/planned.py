"""Calls as the ledger would give them, planned by a configuration."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson

from tasks.dispatch.planner import Planner
from tasks.vendors.registry import VENDORS
from tests.ledgers import NOON
from tests.worker.config.configured import CONTRACT, load
from worker.ledger.records import Plan, StoredCall

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
START = {"PLA_CID": "123", "PLA_Caller_Phone_Number": "0491570156", "PLA_CallStartTime": str(NOON)}
END = {"PLA_CallResult": "Answered", "PLA_Duration": "50s"}
PARTIAL_END = {"PLA_RecordingFile": "https://recordings.example.com/1"}

Event = tuple[str, Mapping[str, str], int]
"""Kind, values, and the milliseconds after noon when it was received."""


def record(kind: str, values: Mapping[str, str]) -> str:
    """Write an event as the ledger stores it."""
    return kind + orjson.dumps(dict(values), option=orjson.OPT_SORT_KEYS).decode()


def stored(*events: Event, state: str = "", planned: int = 0, made: Iterable[str] = ()) -> StoredCall:
    """Make a call that the ledger holds; ``made``: its deliveries, as ``destination:action``."""
    fields = {"n": str(len(events)), "pn": str(planned), "st": state}
    for number, (kind, values, after_ms) in enumerate(events, 1):
        fields[f"e{number}"] = f"{(NOON + after_ms) * 1000} {record(kind, values)}"
    fields |= {f"d:{name}": "q|0|0|0|0||\n" for name in made}
    call = StoredCall.parse("c1", fields)
    assert call is not None
    return call


def actions(plan: Plan) -> list[str]:
    """Return what a plan makes, as ``destination:action``."""
    return [f"{new.destination}:{new.action}" for new in plan.deliveries]


class PlannerHarness:
    """A planner by one configuration: the contract's, or ``text``."""

    def __init__(self, folder: Path, text: str = CONTRACT) -> None:
        self.text = text
        self.planner = Planner(settings=load(folder, text), vendors=VENDORS)

    def plan(
        self, *events: Event, state: str = "", planned: int = 0, made: Iterable[str] = (), now_ms: int = NOON + HOUR_MS
    ) -> Plan:
        """Plan a call."""
        return self.planner.plan(stored(*events, state=state, planned=planned, made=made), now_ms=now_ms)
