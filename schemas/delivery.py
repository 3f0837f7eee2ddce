"""A delivery, its attempts, and the outcomes that an attempt can have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from schemas.call import Call
from schemas.destination import Destination
from schemas.record import record


class State(StrEnum):
    """Where a delivery stands (contract, section 6); ``held`` is not stored, it follows from its destination."""

    QUEUED = "queued"
    IN_FLIGHT = "in_flight"
    RETRYING = "retrying"
    HELD = "held"
    DELIVERED = "delivered"
    DEAD = "dead"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


FINAL: frozenset[State] = frozenset({State.DELIVERED, State.DEAD, State.SKIPPED, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class DeliveryKey:
    """The idempotency key ``{call_id}:{destination}:{action}``; only the call id may hold a colon."""

    call_id: str
    destination: str
    action: str

    def __str__(self) -> str:
        return f"{self.call_id}:{self.destination}:{self.action}"

    @classmethod
    def parse(cls, text: str) -> "DeliveryKey":
        """Read a key; raises ``ValueError`` when it has fewer than three parts."""
        call_id, destination, action = text.rsplit(":", 2)
        return cls(call_id, destination, action)


@record
class Request:
    """One HTTP request as a vendor wants it; ``url`` and ``headers`` may hold keys, so neither is ever logged."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Any = field(default=None, repr=False)
    """The body as JSON values; ``None`` sends no body."""
    form: Mapping[str, str] | None = field(default=None, repr=False)
    """A form-encoded body instead of JSON."""


@record
class Response:
    """What came back: at most 256 KB of it."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Lower-case names; those that a verdict needs."""
    body: bytes = field(repr=False)
    elapsed_ms: int


@record
class Order:
    """Everything a vendor may look at to make one attempt."""

    key: DeliveryKey
    call: Call = field(repr=False)
    destination: Destination
    number: int
    """The attempt's number, from 1."""
    unknown_before: bool = False
    """An earlier attempt may have reached the vendor without our seeing its answer."""
    memory: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the ledger remembers of this caller at this destination, such as ``customer_id``."""
    create_skipped: bool = False
    """An update of a call of which nothing is delivered, because it had no caller when it was to be created."""


@record
class Prepared:
    """The request of an attempt, and what had to be cut or left out to make it."""

    request: Request
    notes: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The mapped values alone, for telling whether an update would send anything new."""


@record
class Receipt:
    """The destination's yes."""

    duplicate: bool = False
    note: str = ""
    """The vendor's own word where it is more than a plain yes."""
    remote_id: str = ""
    remember: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the ledger should remember of this caller at this destination."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The vendor has it."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Retry:
    """A transient failure: try again by the schedule."""

    reason: str
    detail: str = ""
    retry_after_s: float | None = None
    counts: bool = True
    """Whether it counts towards the destination's circuit."""
    exhausted_as: str = "exhausted"
    """The reason of the dead letter after the last wait."""
    unknown: bool = False
    """The request may have reached the vendor."""


@dataclass(frozen=True, slots=True)
class Dead:
    """Refused for good: a human or a change of configuration first."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The destination itself is refused: its deliveries are held and none is dead."""

    reason: str
    detail: str = ""
    confirm: bool = False
    """Only a second, different delivery with the same answer blocks (403 and 3xx)."""
    probe: bool = True
    """False: waits for ``destinations resume`` (Comunik8 ``Unknown Type``)."""
    dead: bool = False
    """The refused delivery itself is dead (the vendor saved it)."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing to send: the call lacks what the vendor requires, or is not wanted there."""

    reason: str


Outcome = Delivered | Retry | Dead | Blocked | Skipped
