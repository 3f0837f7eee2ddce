"""The ledger at a glance: what is due, held and dead, and who is alive."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from worker.ledger.sign_ins import SignIn


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationStatus:
    """One destination's queue and gate."""

    name: str
    due: int
    """Deliveries whose time has come."""
    queued: int
    """Due now or later."""
    overdue_s: float
    """Age of the oldest due one."""
    dead: int
    paused: bool
    blocked: str
    """The reason; empty when it is not blocked."""
    open: bool
    """Its circuit is open."""
    gate: Mapping[str, str] = field(default_factory=dict)

    @property
    def served(self) -> bool:
        """Return whether its deliveries are taken: not paused, not blocked, circuit closed."""
        return not self.shut_by

    @property
    def shut_by(self) -> str:
        """Return why its deliveries are held: ``paused``, a block's reason, ``circuit_open``; empty while served."""
        if self.paused:
            return "paused"
        return self.blocked or ("circuit_open" if self.open else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The whole ledger's figures at one moment."""

    now_ms: int
    sign_ins: tuple[SignIn, ...]
    """Worker processes whose clock ticked within 10 s."""
    calls: int
    waiting: int
    waits_overdue_s: float
    in_flight: int
    no_start: int
    unrouted: int
    quarantined: int
    destinations: tuple[DestinationStatus, ...]

    @property
    def workers(self) -> int:
        """Return how many workers live."""
        return len(self.sign_ins)

    @property
    def oldest_due_seconds(self) -> float:
        """Return the age of the oldest due item that should be taken: held ones do not count."""
        ages = [d.overdue_s for d in self.destinations if d.served]
        return max([self.waits_overdue_s, *ages])

    @classmethod
    def parse(cls, text: str) -> "Overview":
        """Read the script's answer."""
        values = orjson.loads(text)
        sign_ins = tuple(SignIn.parse(*one) for one in values["workers"] or [])
        found = values["destinations"] or []
        return cls(
            now_ms=int(values["now"]), sign_ins=sign_ins, calls=values["calls"], waiting=values["waiting"],
            waits_overdue_s=values["waits_overdue_ms"] / 1000, in_flight=values["in_flight"],
            no_start=values["no_start"], unrouted=values["unrouted"], quarantined=values["quarantined"],
            destinations=tuple(_status(value) for value in found),
        )  # fmt: skip


def _status(value: dict[str, object]) -> DestinationStatus:
    gate: dict[str, str] = orjson.loads(str(value["gate"])) or {}
    return DestinationStatus(
        name=str(value["name"]), due=int(str(value["due"])), queued=int(str(value["queued"])),
        overdue_s=float(str(value["overdue_ms"])) / 1000, dead=int(str(value["dead"])), paused="paused" in gate,
        blocked=gate.get("blocked", ""), open="open" in gate, gate=dict(gate),
    )  # fmt: skip
