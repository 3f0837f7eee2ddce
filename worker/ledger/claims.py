"""Claims and their ends, and what a clock tick finds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.delivery import DeliveryKey
from schemas.record import record
from worker.ledger.history import History
from worker.ledger.records import DeliveryRecord


@record
class Claimed:
    """A delivery in this worker's hands until its lease ends."""

    key: DeliveryKey
    fence: int
    number: int
    step: int
    reason: str
    """Why it was tried before, such as ``interrupted``; empty the first time."""
    ready_at_ms: int
    memory: str = field(repr=False)
    history: History = field(repr=False)
    siblings: Mapping[str, DeliveryRecord] = field(repr=False)
    """The other deliveries of the call to this destination by action; only for an action that is not a create."""
    version: int
    """How many events the call has, folded ones counted."""
    events: tuple[str, ...] = field(repr=False)
    suppressing: bool
    """Whether any number was suppressed when it was claimed; where none is, there is nothing to look up."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to a claim.

    ``verdict``: ``ok``, ``empty``, ``limited`` (there is more: ask again in ``wait_ms``), ``paused``, ``blocked`` or
    ``open``.
    """

    verdict: str
    wait_ms: int
    left: int
    """How many more are due; 0 where none could be claimed."""
    behind_ms: int
    """Since when the longest of them is due."""
    items: tuple[Claimed, ...]


class Verdict(StrEnum):
    """How a claim ends."""

    DELIVERED = "D"
    DEAD = "X"
    SKIPPED = "S"
    CANCELLED = "C"
    RETRY = "r"
    HOLD = "h"
    UNCLAIM = "u"
    INTERRUPTED = "i"


@record
class Finish:
    """The end of a claim, and what it tells of the destination.

    ``effect``: ``ok`` a success; ``fail`` a transient failure; ``refuse`` 403 or 3xx; ``none`` an answer that is
    neither; ``skip`` nothing was sent; ``block:soon:REASON`` or ``block:never:REASON``.
    ``unsure``: what was sent may have landed, which is remembered of the caller.
    """

    key: DeliveryKey
    fence: int
    verdict: Verdict
    reason: str = ""
    delay_ms: int = 0
    effect: str = "none"
    memory: str = field(default="", repr=False)
    unsure: bool = False
    history: History = field(default_factory=History, repr=False)


@dataclass(frozen=True, slots=True)
class Finished:
    """Whether the finish was applied (the fence was still ours), and what it did to the destination."""

    applied: bool
    gate_event: str
    """``blocked``, ``circuit_open``, ``opened`` or nothing."""
    verdict: Verdict
    """As applied: a retry or a dead letter becomes ``HOLD`` when its refusal shows that the destination is blocked."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What a clock tick found: how many leases had expired, and what has to be woken."""

    expired: int
    wake_calls: bool
    wake: tuple[str, ...]
