"""The ledger in plain Python: what each operation must come to."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.ledgers import LEASE_MS, NOON
from tests.worker.ledger.gate_model import Gate

FINAL = frozenset("DXSC")
GRACE_MS = 1500  # what is accepted and not planned by then is looked at by the clock

Key = tuple[str, str, str]
"""Call, destination, action."""


@dataclass
class Delivery:
    """One delivery: its state letter, and what is needed to say who may have it when."""

    key: Key
    group: str = ""
    state: str = "q"
    fence: int = 0
    number: int = 0
    step: int = 0
    due_ms: int = 0
    lease_ms: int = 0
    waits: bool = False  # for its create
    reason: str = ""


@dataclass
class Call:
    """One call: its events, and whether the last of them is planned."""

    events: list[str] = field(default_factory=list)
    planned: bool = False
    state: str = ""
    wait_ms: int | None = None
    """When the clock has it looked at: set by what came in and was not planned, alone."""


@dataclass
class Model:
    """All calls, deliveries and destinations."""

    now_ms: int = NOON
    calls: dict[str, Call] = field(default_factory=dict)
    deliveries: dict[Key, Delivery] = field(default_factory=dict)
    gates: dict[str, Gate] = field(default_factory=dict)
    holders: dict[tuple[str, str], Key] = field(default_factory=dict)
    remembered: set[str] = field(default_factory=set)
    follow_ups: dict[tuple[str, bool], int] = field(default_factory=dict)
    """When a call of the one caller started, by call and whether it was answered."""
    patience: tuple[int, int, bool] | None = None
    """As workers plan: milliseconds a start waits for its end, an end for its start; a start alone is delivered."""
    sent: dict[Key, int] = field(default_factory=dict)
    """How often each delivery was ended as delivered since it was last put back."""

    def accept(self, call_id: str, record: str, received_ms: int) -> str:
        """Return the letter of the answer."""
        if call_id in self.remembered:
            return "R"
        call = self.calls.setdefault(call_id, Call())
        if record in call.events:
            return "S"
        call.events.append(record)
        deadline = self._waits_until("".join(one[0] for one in call.events), call.state, received_ms)
        if deadline is None:
            call.wait_ms = self.now_ms + GRACE_MS
        else:
            call.wait_ms = deadline if call.wait_ms is None else min(deadline, call.wait_ms)
        call.planned = False
        return "N" if deadline is None else "W"

    def _waits_until(self, kinds: str, state: str, received_ms: int) -> int | None:
        """Return until when the planner would wait for another event of a call with events of these kinds."""
        lone_end = len(kinds) == 1 and kinds == "e"
        if self.patience is None or len(kinds) > 3 or state not in {"", "w"} or ("e" in kinds and not lone_end):
            return None
        end_ms, start_ms, early = self.patience
        starts = "s" in kinds or "q" in kinds
        if "c" in kinds or (starts and early):
            return None
        deadline = received_ms + (end_ms if starts else start_ms)
        return deadline if deadline > self.now_ms + GRACE_MS else None

    def make(self, key: Key, *, group: str = "", after_create: bool = False) -> None:
        """Make a delivery that is not there."""
        if key in self.deliveries:
            return
        waits = after_create and self.is_open((*key[:2], "create"))
        self.deliveries[key] = Delivery(key, group=group, due_ms=self.now_ms, waits=waits)

    def is_open(self, key: Key) -> bool:
        """Say whether a delivery is there and not final."""
        return key in self.deliveries and self.deliveries[key].state not in FINAL

    def takeable(self, destination: str) -> list[Delivery]:
        """Return what may be handed out now, whatever the destination's gate; of each group any one."""
        return [
            d for d in self.deliveries.values()
            if d.key[1] == destination and d.state in "qr" and not d.waits and d.due_ms <= self.now_ms
            and (d.group == "" or (destination, d.group) not in self.holders)
        ]  # fmt: skip

    def take(self, key: Key) -> Delivery:
        """Hand a delivery out."""
        delivery = self.deliveries[key]
        delivery.state, delivery.lease_ms = "f", self.now_ms + LEASE_MS
        delivery.fence += 1
        delivery.number += 1
        if delivery.group:
            self.holders[key[1], delivery.group] = key
        return delivery

    def finish(self, key: Key, fence: int, verdict: str, effect: str, *, reason: str, delay_ms: int) -> bool:
        """End a claim; say whether it counts."""
        delivery = self.deliveries.get(key)
        if delivery is None or delivery.fence != fence:
            return False
        taken_back = (delivery.state, delivery.reason) == ("r", "interrupted")
        if delivery.state != "f" and not (taken_back and verdict in FINAL):
            return verdict in FINAL and delivery.state == verdict
        held = self.gate(key[1]).told(effect, key, self.now_ms)
        if effect == "refuse" and held:
            verdict, delay_ms = "h", 0
        self._let_go(delivery)
        delivery.reason = reason
        if verdict in FINAL:
            self._end(delivery, verdict)
            return True
        delivery.state, delivery.due_ms = "r", self.now_ms + delay_ms
        delivery.step += verdict == "r"
        if verdict == "u":
            delivery.number -= 1
            delivery.state = "r" if delivery.number else "q"
        return True

    def expire(self) -> int:
        """Take back what was held for too long; return how many."""
        expired = [d for d in self.deliveries.values() if d.state == "f" and d.lease_ms <= self.now_ms]
        for delivery in expired:
            self._let_go(delivery)
            delivery.state, delivery.due_ms, delivery.reason = "r", self.now_ms, "interrupted"
        return len(expired)

    def follow(self, call_id: str, started_ms: int, window_ms: int, *, answered: bool) -> None:
        """Apply the missed-call follow-up of the destination ``crm``; all calls are of one caller."""
        self.follow_ups[call_id, answered] = started_ms
        if not answered:
            self.follow_ups.pop((call_id, True), None)
            answers = [at for (_, yes), at in self.follow_ups.items() if yes]
            if any(started_ms <= at <= started_ms + window_ms for at in answers):
                self._withdraw(call_id, withdrawn=False)
            return
        withdrawn = False
        for at, one in sorted(((at, one) for (one, yes), at in self.follow_ups.items() if not yes), reverse=True):
            if started_ms - window_ms <= at <= started_ms:
                withdrawn = self._withdraw(one, withdrawn=withdrawn)

    def replay(self, key: Key) -> bool:
        """Put a dead letter back."""
        delivery = self.deliveries.get(key)
        if delivery is None or delivery.state != "X":
            return False
        self._put_back(delivery, "replayed")
        delivery.step = 0
        cancel = self.deliveries.get((*key[:2], "cancel"))
        if key[2] == "create" and cancel and (cancel.state, cancel.reason) == ("S", "no_create"):
            self._put_back(cancel, "")
        return True

    def drop(self, key: Key) -> bool:
        """Take a dead letter off the list."""
        dead = key in self.deliveries and self.deliveries[key].state == "X"
        if dead:
            self.deliveries[key].state = "C"
        return dead

    def remove(self, call_ids: Iterable[str]) -> None:
        """Forget calls with all that is theirs, and remember their ids."""
        for call_id in call_ids:
            for key in [key for key in self.deliveries if key[0] == call_id]:
                self._let_go(self.deliveries.pop(key))
            del self.calls[call_id]
            self.remembered.add(call_id)

    def gate(self, destination: str) -> Gate:
        """Return a destination's gate."""
        return self.gates.setdefault(destination, Gate())

    def _put_back(self, delivery: Delivery, reason: str) -> None:
        delivery.state, delivery.due_ms, delivery.reason = "q", self.now_ms, reason
        delivery.waits = delivery.key[2] != "create" and self.is_open((*delivery.key[:2], "create"))
        self.sent.pop(delivery.key, None)

    def _let_go(self, delivery: Delivery) -> None:
        if self.holders.get((delivery.key[1], delivery.group)) == delivery.key:
            del self.holders[delivery.key[1], delivery.group]

    def _end(self, delivery: Delivery, verdict: str) -> None:
        delivery.state = verdict
        self.sent[delivery.key] = self.sent.get(delivery.key, 0) + (verdict == "D")
        if delivery.key[2] == "create":
            for other in self.deliveries.values():
                if other.key[:2] == delivery.key[:2]:
                    other.waits = False

    def _withdraw(self, call_id: str, *, withdrawn: bool) -> bool:
        lead = self.deliveries.get((call_id, "crm", "create"))
        if lead is None:
            return withdrawn
        if lead.state == "q" and lead.number == 0:
            self._end(lead, "C")
            lead.reason = "answered_since"
        elif lead.state in "qfrX":
            self.make((call_id, "crm", "cancel"), after_create=True)
        elif lead.state == "D" and lead.reason != "duplicate" and not withdrawn:
            self.make((call_id, "crm", "cancel"), after_create=True)
            return True
        return withdrawn
