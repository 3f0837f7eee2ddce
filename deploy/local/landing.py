"""What became of a call at a destination: one cell of the table, from the ledger's records; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.delivery import FINAL, State
from worker.ledger.overview import DestinationStatus
from worker.ledger.records import DeliveryRecord, StoredCall

NOT_ROUTED = "-"
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One call at one destination."""

    outcome: str
    """Such as ``delivered``, ``skipped: no_caller``, ``withdrawn``, ``retrying``; ``-`` when no route leads there."""
    final: bool
    notes: tuple[str, ...] = ()
    """What the ledger noted beside it, such as a text that was cut."""
    since_ms: int = 0
    """When it became so."""
    record: DeliveryRecord | None = None
    """The delivery that tells it."""


def cell_of(stored: StoredCall, destination: str, *, status: DestinationStatus | None, now_ms: int) -> Cell:
    """Sum up a call's deliveries to a destination; ``status`` tells whether it is held."""
    actions = {action: record for (name, action), record in stored.deliveries.items() if name == destination}
    create = actions.get("create")
    if create is None:
        waits = stored.state in {"waiting", "no_start"} or destination in stored.routes
        return Cell(outcome="waiting" if waits else NOT_ROUTED, final=not waits)
    open_ones = [record for record in actions.values() if record.state not in FINAL]
    if open_ones:
        return Cell(outcome=_under_way(open_ones[0], status, now_ms), final=False, record=open_ones[0])
    dead = [record for record in actions.values() if record.state is State.DEAD]
    cancel = actions.get("cancel")
    telling = dead[0] if dead else cancel or create
    notes = tuple(dict.fromkeys(note for record in actions.values() for note in record.history.notes))
    outcome = _fate(telling)
    return Cell(outcome=outcome, final=True, notes=notes, since_ms=telling.at_ms, record=telling)


def _fate(record: DeliveryRecord) -> str:
    """Say how a delivery ended."""
    if record.state is State.CANCELLED or (record.key.action == "cancel" and record.state is State.DELIVERED):
        return WITHDRAWN
    if record.state is State.DELIVERED:
        return "delivered"
    prefix = "" if record.key.action == "create" else f"{record.key.action} "
    return f"{prefix}{record.state.value}: {record.reason}"


def _under_way(record: DeliveryRecord, status: DestinationStatus | None, now_ms: int) -> str:
    """Say where an unfinished delivery stands."""
    if record.state is State.IN_FLIGHT:
        return "in_flight"
    if status is not None and not status.served:
        why = "paused" if status.paused else status.blocked or "circuit_open"
        return f"held: {why}"
    if record.state is State.RETRYING:
        wait_s = max(record.at_ms - now_ms, 0) / 1000
        return f"retrying: {record.reason}, in {wait_s:.0f} s"
    return record.state.value


def totals(cells: Mapping[tuple[str, str], Cell]) -> dict[str, int]:
    """Count the outcomes, but for those that no route leads to; the most frequent first."""
    counts: dict[str, int] = {}
    for cell in cells.values():
        if cell.outcome != NOT_ROUTED:
            counts[cell.outcome] = counts.get(cell.outcome, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
