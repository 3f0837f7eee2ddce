"""What dispatch asks of the ledger: plans of calls, and what came of them."""

from dataclasses import dataclass, field

from schemas.delivery import DeliveryKey


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A delivery to be made; an existing one of the same key is left as it is."""

    destination: str
    action: str
    group: str = field(default="", repr=False)
    """Deliveries of one group run one at a time; empty: no group. Holds no ``|`` and no line break."""
    after: str = ""
    """``create``: becomes due only when the create of the same destination is final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A call's part in the missed-call follow-up of one destination (contract, section 6)."""

    destination: str
    caller: str = field(repr=False)
    started_ms: int
    window_ms: int
    answered: bool
    """True: withdraws the caller's missed calls of the window; False: is withdrawn by an answered one."""
    marks: tuple[str, ...] = ()
    """What other calls of the caller know it by: its routes and its service, as digests."""
    asks: tuple[str, ...] = ()
    """One of these marks the other call must have; none: any other call of the caller is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What dispatch decided for a call."""

    call_id: str
    version: int
    state: str
    """The stored letter: w, r, u or x."""
    revision: int
    wait_until_ms: int
    """When to look at the call again; 0: not before its next event."""
    routes: tuple[str, ...] = ()
    deliveries: tuple[NewDelivery, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """What came of a plan: whether it was applied, and the keys made due with their destination's backlog."""

    applied: bool
    created: tuple[tuple[DeliveryKey, int], ...]
