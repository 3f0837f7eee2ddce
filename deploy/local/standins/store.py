"""What the stand-ins hold: records that tests count, recent requests, faults, a clock and one source of chance."""

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from deploy.local.standins.faults import Fault
from deploy.local.standins.wire import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """What each vendor lets in; every value is made up."""

    captorra_ids: frozenset[str] = frozenset({"111111", "222222"})
    comunik8_keys: frozenset[str] = frozenset({"standin-comunik8-key"})
    comunik8_types: frozenset[str] = frozenset({"motor-trade", "missed-call"})
    kapture_keys: frozenset[str] = frozenset({"standin-kapture-key"})
    kapture_expired_keys: frozenset[str] = frozenset({"standin-kapture-expired"})
    callcap_keys: frozenset[str] = frozenset({"standin-callcap-key"})
    delacon_keys: frozenset[str] = frozenset({"standin-delacon-key"})
    callcap_locations: frozenset[str] = frozenset({"3", "4"})
    """Location ids; the account key of location 3 is ``L-3``."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Take lists from ``STANDINS_<FIELD>``, such as ``STANDINS_KAPTURE_KEYS=one,two``; unset keeps the default."""
        given = {name.name: environ.get(f"STANDINS_{name.name.upper()}") for name in fields(cls)}
        return cls(**{name: frozenset(value.split(",")) for name, value in given.items() if value})


VENDORS = ("captorra", "comunik8", "kapture", "callcap", "delacon", "alerts")

_REQUESTS_KEPT = 1000
_BODY_KEPT_BYTES = 16_384
HISTORY_KEPT = 50


@dataclass(slots=True)
class Record:
    """One thing at a vendor: a phone source, a lead, a customer, a contact, a number."""

    id: str
    values: dict[str, Any]
    created_ms: int
    updated_ms: int
    kind: str = ""
    account: str = ""
    """The vendor's account it belongs to, where one stand-in serves several."""
    state: str = ""
    posts: int = 0
    """How many requests named this record, refused duplicates included."""
    history: deque[str] = field(default_factory=lambda: deque(maxlen=HISTORY_KEPT))
    """The results of those requests, such as ``added``, ``duplicate``."""
    key: str = ""
    """The key that tells it from the others of its kind."""

    def shown(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        names = ("id", "kind", "account", "state", "posts", "created_ms", "updated_ms", "values")
        return {name: getattr(self, name) for name in names} | {"history": list(self.history)}


class Shelf:
    """The records of one vendor, by the key that makes them one."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.records: dict[str, Record] = {}
        self.last_number = 0
        self.changed: Callable[[str], None] = lambda _key: None
        """Called with the key of every record that was changed or removed."""
        self._now_ms = now_ms

    def add(self, key: str, *, record_id: str, values: dict[str, Any], kind: str = "", account: str = "") -> Record:
        """Make a record under a key; nothing has been posted to it yet."""
        now = self._now_ms()
        self.records[key] = Record(record_id, values, now, now, kind=kind, account=account, key=key)
        return self.records[key]

    def post(self, record: Record, what: str) -> None:
        """Count a request that named this record."""
        record.posts += 1
        record.updated_ms = self._now_ms()
        record.history.append(what)
        self.changed(record.key)

    def clear(self) -> None:
        """Forget every record, and count numbers from 1 again."""
        self.remove(None)
        self.last_number = 0

    def number(self) -> int:
        """Return the next number of this vendor, from 1."""
        self.last_number += 1
        return self.last_number

    def remove(self, record_id: str | None) -> int:
        """Remove the records of an id, or all; return how many."""
        keys = [key for key, record in self.records.items() if record_id in {None, record.id}]
        for key in keys:
            del self.records[key]
            self.changed(key)
        return len(keys)


@dataclass(slots=True)
class Logged:
    """One raw request and what it was answered; status 0: nothing was answered (yet)."""

    vendor: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_ms: int
    answered_ms: int = 0
    status: int = 0

    def shown(self) -> dict[str, Any]:
        """Return the request as JSON values; the body as text."""
        names = ("vendor", "method", "path", "received_ms", "answered_ms", "status")
        return {
            **{name: getattr(self, name) for name in names},
            "query": dict(self.query),
            "headers": {str(name): value for name, value in self.headers.items()},
            "body": self.body.decode(errors="replace"),
        }


class Store:
    """Everything that ``POST /control/reset`` empties."""

    def __init__(self, *, seed: int = 0, clock_s: Callable[[], float] = time.time) -> None:
        self._seed = seed
        self._clock_s = clock_s
        self.revise: Callable[[str, str, Answer], Answer] = lambda _method, _path, answer: answer
        """Called last, with method and path; what it returns replaces the answer: a vendor with other words."""
        self.shelves = {vendor: Shelf(self.now_ms) for vendor in VENDORS}
        self.reset()

    def reset(self) -> None:
        """Forget every record, request and fault; set clock and chance back."""
        self.ahead_s = 0.0
        self.random = random.Random(self._seed)
        for shelf in self.shelves.values():
            shelf.clear()
        self.counts: Counter[str] = Counter(dict.fromkeys(VENDORS, 0))
        self.requests: deque[Logged] = deque(maxlen=_REQUESTS_KEPT)
        self.faults: list[Fault] = []

    def now_ms(self) -> int:
        """Return the stand-ins' time, which ``POST /control/clock`` may have moved, in milliseconds."""
        return int((self._clock_s() + self.ahead_s) * 1000)

    def log(self, request: Logged) -> Logged:
        """Count a request and keep it among the last 1,000."""
        self.counts[request.vendor] += 1
        request.body = request.body[:_BODY_KEPT_BYTES]
        self.requests.append(request)
        return request

    def records(self, vendor: str) -> list[dict[str, Any]]:
        """Return a vendor's records as JSON values, oldest first."""
        return [record.shown() for record in self.shelves[vendor].records.values()]

    def strike(self, vendor: str, *, path: str, body: bytes) -> tuple[float, Fault | None]:
        """Return the latency of a request in seconds, and the first fault that befalls it."""
        latency_s = 0.0
        for fault in self.faults[:]:
            if not fault.concerns(vendor, path, body):
                continue
            latency_s += fault.latency_ms / 1000
            hits = fault.fails and self.random.random() < fault.fail_rate
            if (hits or not fault.fails) and fault.used_up():
                self.faults.remove(fault)
            if hits:
                return latency_s, fault
        return latency_s, None
