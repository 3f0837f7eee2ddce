"""The records that the ledger's operations take and return."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from hashlib import sha1
from typing import Any, NamedTuple

import orjson

from schemas.call import Call
from schemas.delacon.call_keys import CALL_ID
from schemas.delacon.events import Arrivals, Merged, StoredEvent, arrivals_of, merge, parse_record
from schemas.delivery import DeliveryKey, State
from schemas.record import event_record, record
from worker.errors import UnreadableError
from worker.ledger.history import History
from worker.ledger.sender_mark import unmarked

STATES: Mapping[str, State] = {
    "q": State.QUEUED,
    "f": State.IN_FLIGHT,
    "r": State.RETRYING,
    "D": State.DELIVERED,
    "X": State.DEAD,
    "S": State.SKIPPED,
    "C": State.CANCELLED,
}
CALL_STATES: Mapping[str, str] = {"": "waiting", "w": "waiting", "r": "ready", "u": "unrouted", "x": "no_start"}


FIRST_CALL: Mapping[str, str | None] = {"": None, "1": "yes", "0": "no"}
"""What the ledger noted of a call when it was first planned: whether it remembered no earlier call of the caller."""


class Accepted(StrEnum):
    """What ``accept`` did with an event."""

    NEW = "N"
    WAITS = "W"
    """New, and its call waits for another event: nobody need look at it before the clock does."""
    SAME = "S"
    REMEMBERED = "R"
    """The call was removed by its retention: known, and not delivered again."""
    QUARANTINED = "Q"
    """Its call has no room for it: it is kept in quarantine."""
    FOREIGN = "T"
    """It has the mark of a sender who does not speak for this call: it is kept in quarantine."""
    FAILED = "F"
    """This item alone could not be stored (a foreign key of the wrong type in Redis)."""


@event_record
class Incoming:
    """One event on its way in; ``record`` as ``Event.record()`` writes it, behind the mark of its sender if any."""

    call_id: str
    received_us: int
    record: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """A delivery as the ledger holds it."""

    key: DeliveryKey
    state: State
    fence: int
    number: int
    """Attempts begun so far."""
    step: int
    """Waits of the retry schedule used up so far."""
    at_ms: int
    """When it became what it is; when due while retrying; when the lease ends while in flight."""
    group: str = field(repr=False)
    reason: str
    history: History = field(repr=False)

    @classmethod
    def parse(cls, key: DeliveryKey, text: str) -> "DeliveryRecord":
        """Read the stored form: a header line and the history; raises ``UnreadableError``.

        What a later version adds behind the reason is read as a part of it.
        """
        try:
            header, log = text.split("\n", 1)
            state, fence, number, step, at, group, reason = header.split("|", 6)
            return cls(
                key=key, state=STATES[state], fence=int(fence), number=int(number), step=int(step), at_ms=int(at),
                group=group, reason=reason, history=History.load(log),
            )  # fmt: skip
        except (LookupError, ValueError) as error:
            raise UnreadableError("header") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCall:
    """A call as the ledger holds it: its events and its deliveries, in the order they were made."""

    call_id: str
    version: int
    """How many events it has, folded ones counted; a plan made from another version is not applied."""
    state: str
    """``waiting``, ``ready``, ``unrouted`` or ``no_start``."""
    revision: int
    """As last planned; 0 before the first plan."""
    planned_version: int
    """How many events the last plan was made from; 0 before the first."""
    routes: tuple[str, ...]
    texts: tuple[str, ...] = field(repr=False)
    """The events as they are stored: the receipt in microseconds, a blank, the record."""
    folded: tuple[str, ...] = field(repr=False)
    """What is left of the events that came beyond as many as are kept: of each kind its first receipt, as an event
    without keys, and of each set of keys the latest received event."""
    deliveries: Mapping[tuple[str, str], DeliveryRecord] = field(repr=False)
    """By destination and action."""
    first_call: str | None = None
    """``yes``, ``no``, or ``None`` where the call was not planned yet or has no caller."""
    answered_by: Mapping[str, str] = field(default_factory=dict)
    """By destination: the id of the answered call because of which the lead there is cancelled or withdrawn."""
    unreadable: str = ""
    """Which part of it, if any, this version cannot read: ``state``, ``header``, ``log`` or ``event``.

    Such a delivery is not among the others, nor such an event among those for showing; nothing is decided
    without it."""

    @classmethod
    def parse(cls, call_id: str, fields: Mapping[str, str]) -> "StoredCall | None":
        """Read a call's hash; ``None`` when there is none."""
        if "n" not in fields:
            return None
        count = int(fields["n"])
        deliveries = {}
        unreadable = "" if fields.get("st", "") in CALL_STATES else "state"
        for name, text in fields.items():
            if name.startswith("d:"):
                _, destination, action = name.split(":", 2)
                key = DeliveryKey(call_id, destination, action)
                try:
                    deliveries[destination, action] = DeliveryRecord.parse(key, text)
                except UnreadableError as error:
                    unreadable = str(error)
        texts = tuple(fields.get(f"e{i}", "") for i in range(1, count + 1))
        return cls(
            call_id=call_id,
            version=count + int(fields.get("xn", 0)),
            state=CALL_STATES.get(fields.get("st", ""), "unknown"),
            revision=int(fields.get("rv", 0)),
            planned_version=int(fields.get("pn", 0)),
            routes=tuple(filter(None, fields.get("rt", "").split(" "))),
            texts=texts,
            folded=tuple(fields[name] for name in sorted(fields) if name.startswith("x:")) if "xn" in fields else (),
            deliveries=deliveries,
            first_call=FIRST_CALL.get(fields.get("fc", "")),
            answered_by={name[3:]: text for name, text in fields.items() if name.startswith("by:")},
            unreadable=unreadable or ("" if all(map(_is_readable, texts)) else "event"),
        )

    @property
    def events(self) -> tuple[StoredEvent, ...]:
        """Read the events; those that were folded as what is left of them. What cannot be read is left out."""
        return tuple(_readable((*self.texts, *self.folded)))

    @property
    def listed(self) -> tuple[StoredEvent, ...]:
        """Read the events; those of one kind that were folded as one event, which came with the last of them."""
        kinds: dict[str, list[StoredEvent]] = {}
        for event in sorted(_readable(self.folded), key=lambda event: event.received_us):
            kinds.setdefault(event.kind, []).append(event)
        return (
            *_readable(self.texts),
            *(
                StoredEvent(
                    received_us=events[-1].received_us,
                    kind=kind,
                    values={name: value for event in events for name, value in event.values.items()},
                )
                for kind, events in kinds.items()
            ),
        )

    @property
    def arrivals(self) -> Arrivals:
        """Return which events are in, without reading their values; raises ``UnreadableError``."""
        if self.unreadable:
            raise UnreadableError(self.unreadable)
        if not self.folded:
            return arrivals_of(map(_receipt, self.texts))
        firsts = [text for text in self.folded if text.endswith("{}")]
        told = arrivals_of(map(_receipt, (*self.texts, *firsts)))
        return replace(told, revision=told.revision + self.version - len(self.texts) - len(firsts))


def _receipt(text: str) -> tuple[int, str]:
    received, record = text.split(" ", 1)
    return int(received), record[0]


def digest_of(record: str) -> str:
    """Return the digest that equal events have in common, as the ledger's script makes it."""
    return sha1(unmarked(record).encode(), usedforsecurity=False).hexdigest()


def shape_of(record: str) -> str:
    """Return a short name of the set of keys that an event has."""
    return digest_of(orjson.dumps(sorted(orjson.loads(unmarked(record)[1:]))).decode())[:16]


def as_body(item: Incoming) -> bytes:
    """Write an event as a body that is read as the same event, once its path is that of ``path_of``."""
    _, values = parse_record(unmarked(item.record))
    return orjson.dumps({CALL_ID: item.call_id, **values})


def path_of(item: Incoming) -> str:
    """Name the path that an event of this kind comes by."""
    return {"s": "create", "e": "update", "p": "update"}.get(unmarked(item.record)[0], "either")


def read_stored(text: str) -> StoredEvent:
    """Read one stored event: the receipt in microseconds, a blank, the record; raises ``UnreadableError``."""
    if not _is_readable(text):
        raise UnreadableError("event")
    try:
        received, record = text.split(" ", 1)
        kind, values = parse_record(record)
        return StoredEvent(received_us=int(received), kind=kind, values=values)
    except (ValueError, AttributeError) as error:
        raise UnreadableError("event") from error


_READABLE = re.compile(r"[0-9]+ [sepcq]\{")


def _is_readable(text: str) -> bool:
    """Return whether an event begins in a form that this version knows; a later version may write another."""
    return _READABLE.match(text) is not None


def _readable(texts: Iterable[str]) -> Iterator[StoredEvent]:
    for text in texts:
        with suppress(UnreadableError):
            yield read_stored(text)


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
    first_call: str | None = None
    """``yes`` or ``no``; ``None``: nobody knows."""
    lease_end_ms: int = 0
    """By the ledger's clock; 0: not known. With the fence it tells this claim from each other one."""


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
    """Age in milliseconds of the oldest due delivery."""
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
    lease_end_ms: int = 0
    """The claim's; 0: its fence alone tells it."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Whether the finish was applied (the claim was still ours), and what it did to the destination."""

    applied: bool
    gate_event: str
    """``blocked``, ``circuit_open``, ``opened`` or nothing."""
    verdict: Verdict
    """As applied: a retry or a dead letter becomes ``HOLD`` when its refusal shows that the destination is blocked."""
    more_due: bool = False
    """Another delivery to the destination became due by it: the next of its caller's line, or what waited for it."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The result of a clock's tick: how many leases had expired, and what to wake."""

    looked: bool
    """False where another clock has looked just now."""
    expired: int
    wake_calls: bool
    wake: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A delivery to be made; an existing one of the same key is left as it is."""

    destination: str
    action: str
    group: str = field(default="", repr=False)
    """Deliveries of one group run one at a time; empty: no group. Holds no ``|`` and no line break."""
    after: str = ""
    """``create``: becomes due only when the create of the same destination is final."""


RESULT_LETTERS = {"answered": "a", "unanswered": "u", "busy": "b"}
"""Any other text is ``o``."""
NO_RESULT = "n"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a call is found and counted by."""

    service_id: str
    result: str
    """A letter of ``RESULT_LETTERS``."""
    caller_digits: str = field(repr=False)
    tracking_number: str = ""
    """The firm's number that was called."""

    @classmethod
    def of(cls, call: Call) -> "About":
        """Take it from a merged call."""
        letter = RESULT_LETTERS.get(call.result, "o") if call.result else NO_RESULT
        return cls(
            service_id=call.service_id or "", result=letter, caller_digits=call.caller_digits or "",
            tracking_number=call.tracking_number or "",
        )  # fmt: skip


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
    """Digests of its routes and its service, which other calls of the caller are compared with."""
    asks: tuple[str, ...] = ()
    """The other call must have one of these marks; none: any other call of the caller counts."""


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
    ready_ms: int = 0
    """When the last event came that makes the call ready; 0: it became ready by waiting."""
    routes: tuple[str, ...] = ()
    deliveries: tuple[NewDelivery, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    about: About | None = None
    """What the call is found and counted by; ``None`` while it is not merged."""
    events: tuple[str, ...] = field(default=(), repr=False)
    """The events that it was made from, for whoever is handed its deliveries."""

    def wire(self) -> dict[str, Any]:
        """Write it as the script ``plan`` reads it."""
        about = self.about
        return {
            "id": self.call_id, "n": self.version, "state": self.state, "revision": self.revision,
            "wait_until": self.wait_until_ms, "routes": " ".join(self.routes),
            "deliveries": [[d.destination, d.action, d.group, d.after] for d in self.deliveries],
            "follows": [
                [f.destination, f.caller, f.started_ms, f.window_ms, "a" if f.answered else "m",
                 " ".join(f.marks), f.asks]
                for f in self.follow_ups
            ],
            **({"about": [about.service_id, about.result, about.caller_digits, about.tracking_number]}
               if about else {}),
            **({"ready": self.ready_ms} if self.ready_ms else {}),
        }  # fmt: skip


class Slots(NamedTuple):
    """The attempts that a process makes at a destination at a time."""

    free: int
    all: int


@dataclass(frozen=True, slots=True)
class Room:
    """Slots that a worker keeps free at a destination, for creates that a plan hands over already claimed."""

    slots: int
    slots_beside_older: int
    """As many at most while older deliveries are due there."""
    lease_ms: int
    confirms: bool
    """What is handed over must have reached the replicas: to send it twice is not harmless."""
    until: float
    """Monotonic seconds; what begins later could outlive its lease."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The result of a plan: whether it was applied, and the keys made due with their destination's backlog."""

    applied: bool
    created: tuple[tuple[DeliveryKey, int], ...]
    taken: tuple[Claimed, ...] = ()
    """Handed over claimed."""


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """What came of plans that were written together."""

    plans: tuple[Planned, ...]
    confirmed: bool
    """Enough replicas have it; false only where a room asked for that."""
    older: frozenset[str]
    """Destinations with a room where older deliveries are due."""


MAX_SHARED = 8192  # characters of a call's events; what is larger is rare, and would make the memory large


def merged(call_id: str, events: tuple[str, ...], default_region: str, *, first_call: str | None = None) -> Merged:
    """Merge a call's events, given as the ledger stores them; dispatch and all deliveries of a call share the work.

    ``first_call`` is what the ledger noted: it is said once of a call, so it may be written into what is shared.
    """
    large = sum(map(len, events)) > MAX_SHARED
    made = _merge(call_id, events, default_region) if large else _shared(call_id, events, default_region)
    if first_call is not None:
        object.__setattr__(made.call, "first_call", first_call)  # a copy would cost each delivery 10 us
    return made


@lru_cache(maxsize=1024)  # calls: those between their plan and their last delivery, twice; some 4 MB
def _shared(call_id: str, events: tuple[str, ...], default_region: str) -> Merged:
    return _merge(call_id, events, default_region)


def _merge(call_id: str, events: tuple[str, ...], default_region: str) -> Merged:
    return merge(call_id, [read_stored(event) for event in events], default_region=default_region)
