"""What the local stack's table says of a call: the ledger's word, the stand-ins' word, and what is expected."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.local.board import Board, Cell, cell_of, count_landed, totals
from schemas.call import Call
from schemas.delivery import DeliveryKey, State
from worker.ledger.history import History
from worker.ledger.overview import DestinationStatus
from worker.ledger.records import DeliveryRecord, StoredCall

NOW_MS = 1_772_452_800_000


def stored(
    actions: Mapping[str, tuple[State, str]] | None = None, *, state: str = "ready", routes: tuple[str, ...] = ("crm",)
) -> StoredCall:
    """Make a call with deliveries to ``crm``: action to state and reason."""
    deliveries = {}
    for action, (delivery_state, reason) in (actions or {}).items():
        deliveries["crm", action] = DeliveryRecord(
            key=DeliveryKey("1", "crm", action), state=delivery_state, fence=1, number=1, step=1, at_ms=NOW_MS + 5000,
            group="", reason=reason, history=History(notes=("Name cut from 181 to 100 characters",)),
        )  # fmt: skip
    return StoredCall(
        call_id="1", version=2, state=state, revision=1, planned_version=2, routes=routes, texts=(),
        folded=(), deliveries=deliveries,
    )  # fmt: skip


def status(**changes: Any) -> DestinationStatus:
    """Make a destination that is served, but for the changes."""
    values: dict[str, Any] = {
        "name": "crm", "due": 0, "queued": 0, "overdue_s": 0.0, "dead": 0, "paused": False, "blocked": "", "open": False
    }  # fmt: skip
    return DestinationStatus(**(values | changes))


@pytest.mark.parametrize(
    ("outcome", "final", "actions"),
    [
        ("delivered", True, {"create": (State.DELIVERED, "")}),
        ("delivered", True, {"create": (State.DELIVERED, "duplicate")}),
        ("skipped: no_caller", True, {"create": (State.SKIPPED, "no_caller")}),
        ("dead: rejected", True, {"create": (State.DEAD, "rejected")}),
        ("withdrawn", True, {"create": (State.CANCELLED, "answered_since")}),
        ("withdrawn", True, {"create": (State.DELIVERED, ""), "cancel": (State.DELIVERED, "")}),
        ("cancel dead: rejected", True, {"create": (State.DELIVERED, ""), "cancel": (State.DEAD, "rejected")}),
        ("update-2 dead: rejected", True, {"create": (State.DELIVERED, ""), "update-2": (State.DEAD, "rejected")}),
        ("queued", False, {"create": (State.DELIVERED, ""), "cancel": (State.QUEUED, "")}),
        ("in_flight", False, {"create": (State.IN_FLIGHT, "")}),
        ("retrying: connect, in 5 s", False, {"create": (State.RETRYING, "connect")}),
    ],
)
def test_a_cell_sums_up_the_deliveries(outcome: str, final: bool, actions: dict[str, tuple[State, str]]) -> None:
    """What is under way comes first, then what died, then what the last action came to."""
    cell = cell_of(stored(actions), "crm", status=status(), now_ms=NOW_MS)

    assert (outcome, final) == (cell.outcome, cell.final)


@pytest.mark.parametrize(
    ("reason", "changes"),
    [("paused", {"paused": True}), ("unauthorized", {"blocked": "unauthorized"}), ("circuit_open", {"open": True})],
)
def test_a_destination_that_is_not_served_holds_its_deliveries(reason: str, changes: dict[str, Any]) -> None:
    """Held is no stored state: it follows from the destination."""
    call = stored({"create": (State.QUEUED, "")})

    assert f"held: {reason}" == cell_of(call, "crm", status=status(**changes), now_ms=NOW_MS).outcome


def test_a_call_that_no_route_leads_there_is_settled() -> None:
    """A ready call has its routes; one that waits may still get them."""
    elsewhere = cell_of(stored(routes=()), "crm", status=None, now_ms=NOW_MS)
    waiting = cell_of(stored(state="waiting", routes=()), "crm", status=None, now_ms=NOW_MS)

    assert ("-", True) == (elsewhere.outcome, elsewhere.final)
    assert ("waiting", False) == (waiting.outcome, waiting.final)


@pytest.mark.parametrize(
    ("vendor", "records", "count"),
    [
        ("captorra", [{"id": "1122334", "account": "111111"}, {"id": "1122334", "account": "222222"}], 1),
        ("captorra", [{"id": "other", "account": "111111"}], 0),
        ("comunik8", [{"account": "leads", "state": "scheduled", "values": {"mobile": "0491570156"}}], 1),
        ("comunik8", [{"account": "leads", "state": "cancelled", "values": {"mobile": "0491570156"}}], 0),
        ("comunik8", [{"account": "other", "state": "scheduled", "values": {"mobile": "0491570156"}}], 0),
        ("kapture", [{"values": {"phone": "+61491570156"}}, {"values": {"phone": "61491570156"}}], 2),
        ("kapture", [{"values": {"phone": ""}}, {"values": {}}, {"values": {"phone": "+12125550143"}}], 0),
    ],
)
def test_stand_ins_are_asked_for_the_call(
    make_call: Callable[..., Call], vendor: str, records: list[Mapping[str, Any]], count: int
) -> None:
    """Captorra's record carries the call's id; the others know the caller, in whatever form it was sent."""
    options = SimpleNamespace(captorra_id="111111", type="leads")
    destination: Any = SimpleNamespace(vendor=vendor, options=options)

    assert count == count_landed(make_call(), destination, {vendor: records})


def test_a_board_is_settled_before_it_has_landed(make_call: Callable[..., Call]) -> None:
    """Everything final and something wrong: settled, and not landed."""
    cells = {("1", "crm"): Cell(outcome="delivered", final=True)}
    board = Board(calls={"1": make_call()}, destinations=["crm"], cells=cells, problems={("1", "crm"): "not there"})

    assert board.settled
    assert not board.landed
    assert {"landed": False, "counts": {"delivered": 1}}.items() <= board.as_json().items()


def test_a_call_that_the_ledger_lacks_keeps_a_board_open() -> None:
    """It is told of as what is missing."""
    board = Board(calls={"1": None}, destinations=["crm"], cells={("1", "crm"): Cell(outcome="waiting", final=False)})

    assert not board.settled
    assert ["1: not in the ledger", "1 at crm: waiting"] == board.unfinished()


def test_outcomes_are_counted() -> None:
    """The most frequent first, without what no route leads to."""
    outcomes = ["-", "skipped: no_caller", "delivered", "delivered"]
    cells = {(str(number), "crm"): Cell(outcome=outcome, final=True) for number, outcome in enumerate(outcomes)}

    assert [("delivered", 2), ("skipped: no_caller", 1)] == list(totals(cells).items())
