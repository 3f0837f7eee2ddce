"""Delacon's events: a pushed body read into an event, and a call's events merged into the call."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import orjson

from schemas.call import Call
from schemas.delacon.call_keys import CALL_ID, CALLER, DOCUMENTED_KEYS, FALLIBLE_KEYS, is_readable, load_call
from schemas.delacon.key_codes import pack, unpack
from schemas.delacon.lenient_json import read_object
from schemas.record import event_record

PathKind = Literal["create", "update", "either"]

MAX_CALL_ID = 100  # characters after trimming (contract, section 5)
MAX_UNKNOWN = 16 * 1024  # bytes of the keys and values that Delacon's document does not name
END_KEYS = frozenset({
    "PLA_Answering_Point", "PLA_CallResult", "PLA_Duration", "PLA_VoicemailLeft", "PLA_SurveyOutcome",
    "PLA_SurveySaleAmount", "PLA_Converted", "PLA_dtmf", "PLA_RecordingFile",
})  # fmt: skip
START_KEYS = DOCUMENTED_KEYS - END_KEYS
_KNOWN_KEYS = DOCUMENTED_KEYS | {CALL_ID}
# Of an id: control characters, and the sign for what could not be decoded, by which two ids would be one.
_UNUSABLE = re.compile("[\x00-\x1f\x7f-\x9f\ufffd]")
_BY_PATH = {"create": "s", "update": "p", "either": "s"}
_SIDES = {"s": frozenset("s"), "e": frozenset("e"), "p": frozenset("e"), "c": frozenset("se"), "q": frozenset("se")}


class UnusableBody(Exception):
    """Raised when a body holds no event of a call; its text is for the answer and has nothing of the body in it."""


@event_record
class Event:
    """One push about a call.

    ``kind`` is ``s`` start, ``e`` whole end, ``p`` partial end, ``c`` start and whole end, ``q`` start and partial end.
    """

    call_id: str
    kind: str
    values: Mapping[str, str] = field(repr=False)
    """Trimmed, without ``PLA_Call_Id``."""

    def record(self) -> str:
        """Return the kind and the values in one canonical text: two events are equal when their records are."""
        return self.kind + orjson.dumps(pack(self.values), option=orjson.OPT_SORT_KEYS).decode()


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the ledger gives it back; ``received_us`` in epoch microseconds."""

    received_us: int
    kind: str
    values: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Which of a call's events are in; cheap to tell, for nothing of their values is read."""

    revision: int
    has_start: bool
    has_end: bool
    """Any end, a partial one too."""
    whole: bool
    """Start and whole end are both in."""
    first_start_us: int | None
    first_end_us: int | None


@dataclass(frozen=True, slots=True)
class Merged:
    """A call as its events make it, and which of them are in."""

    call: Call
    stamps: tuple[tuple[int, str], ...]
    """The receipt and the kind of each event."""

    @property
    def arrivals(self) -> Arrivals:
        """Return which events are in; worked out when asked, for a delivery asks for the call alone."""
        return arrivals_of(self.stamps)

    @property
    def revision(self) -> int:
        """Return how often an event of a kind that was in already came, from 1."""
        return self.arrivals.revision


def read_event(body: bytes, *, path_kind: PathKind) -> Event:
    """Read a pushed body; ``path_kind`` says which event it is where its keys do not (contract, section 5).

    Raises ``UnusableBody``, and nothing else whatever the bytes.
    """
    try:
        values, odd = read_object(body)
    except TypeError:
        raise UnusableBody("the body is not a JSON object") from None
    except ValueError:
        raise UnusableBody("the body is not JSON") from None
    if not values.keys() <= _KNOWN_KEYS:
        values = _tidy(values, roomy=len(body) <= MAX_UNKNOWN)
        odd = {key.strip() for key in odd}
    call_id = values.pop(CALL_ID, "")
    if not call_id:
        raise UnusableBody("PLA_Call_Id is missing")
    if CALL_ID in odd or len(call_id) > MAX_CALL_ID or _UNUSABLE.search(call_id):
        raise UnusableBody("PLA_Call_Id is not usable")
    return Event(call_id, _kind(values) or _BY_PATH[path_kind], values)


def parse_record(record: str) -> tuple[str, dict[str, str]]:
    """Take ``Event.record()`` apart into kind and values; raises ``ValueError`` on any other text."""
    return record[:1], unpack(orjson.loads(record[1:]))


def merge(call_id: str, events: Iterable[StoredEvent], *, default_region: str) -> Merged:
    """Merge a call's events by the time of their receipt, whatever order they come in.

    Later values override earlier ones key by key, apart for start and end; an end's value stands over a start's. A
    value that cannot be read never replaces one that can.
    ``default_region`` (two letters) is for phone numbers without +.
    """
    ordered = _in_order(events)
    received_us = ordered[0].received_us if ordered else 0
    values = _values_of(ordered, default_region, received_us)
    call = load_call(call_id, values, first_received_us=received_us, default_region=default_region)
    return Merged(call, tuple([(event.received_us, event.kind) for event in ordered]))


def _values_of(ordered: Sequence[StoredEvent], region: str, received_us: int) -> Mapping[str, str]:
    if len(ordered) == 1:
        return ordered[0].values
    start: dict[str, str] = {}
    end: dict[str, str] = {}
    for event in ordered:
        sides = _SIDES[event.kind]
        if "e" not in sides:
            _lay(start, event.values, region, received_us)
        elif "s" not in sides:
            _lay(end, event.values, region, received_us)
        else:
            of_start = {key: value for key, value in event.values.items() if key not in END_KEYS}
            _lay(start, of_start, region, received_us)
            # What an earlier end said of a start's keys is corrected too; else a later start may still correct them.
            of_end = {key: value for key, value in event.values.items() if key not in START_KEYS or key in end}
            _lay(end, of_end, region, received_us)
    _lay(start, end, region, received_us)
    return start


def _lay(below: dict[str, str], above: Mapping[str, str], region: str, received_us: int) -> None:
    """Lay later values over earlier ones."""
    kept = {}
    for key in FALLIBLE_KEYS if below else ():
        if (
            key in above
            and key in below
            and not is_readable(key, above[key], default_region=region, first_received_us=received_us)
            and is_readable(key, below[key], default_region=region, first_received_us=received_us)
        ):
            kept[key] = below[key]
    below.update(above)
    below.update(kept)


def arrivals_of(events: Iterable[tuple[int, str]]) -> Arrivals:
    """Return which events are in, from the receipt (microseconds) and the kind of each, in any order."""
    first: dict[str, int] = {}
    repeats, whole_end = 0, False
    for received_us, kind in sorted(events):
        sides = _SIDES[kind]
        repeats += not sides.isdisjoint(first)
        for side in sides:
            first.setdefault(side, received_us)
        whole_end = whole_end or kind in {"e", "c"}
    return Arrivals(
        revision=1 + repeats,
        has_start="s" in first,
        has_end="e" in first,
        whole=whole_end and "s" in first,
        first_start_us=first.get("s"),
        first_end_us=first.get("e"),
    )


def _in_order(events: Iterable[StoredEvent]) -> list[StoredEvent]:
    ordered = sorted(events, key=lambda event: event.received_us)
    if any(one.received_us == other.received_us for one, other in pairwise(ordered)):
        # Kind and values make the order of events of one microsecond the same everywhere.
        ordered.sort(key=lambda event: (event.received_us, event.kind, sorted(event.values.items())))
    return ordered


def _kind(values: Mapping[str, str]) -> str:
    """Return the kind of event that the keys make; empty text where they do not tell."""
    starts = CALLER in values or "PLA_CallStartTime" in values
    if "PLA_CallResult" in values or "PLA_Duration" in values:
        return "c" if starts else "e"
    if "PLA_Answering_Point" in values or "PLA_RecordingFile" in values:
        return "q" if starts else "p"
    return "s" if starts else ""


def _tidy(values: dict[str, str], *, roomy: bool) -> dict[str, str]:
    """Trim the names of unknown keys, and keep 16 KB of such keys, in the order of their names.

    By name, not by place, so that two bodies that differ in the order of their keys alone are one event.
    """
    tidy = {key: value for key, value in values.items() if key == key.strip()}
    for key in sorted(values.keys() - tidy.keys()):
        tidy.setdefault(key.strip(), values[key])
    if roomy:
        return tidy
    room = MAX_UNKNOWN
    for key in sorted(tidy.keys() - _KNOWN_KEYS):
        size = len(key.encode()) + len(tidy[key].encode())
        if size <= room:
            room -= size
        else:
            del tidy[key]
    return tidy
