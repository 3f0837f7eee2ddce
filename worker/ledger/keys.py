"""Every key of the ledger in Redis: its name, type, fields and lifetime. Nothing else writes a key's name in Python.

The Lua scripts write the names themselves; a test holds them against this table, and what the ledger's tests leave in
Redis as well. ``python -m worker.ledger.keys`` prints the table of ``docs/architecture.md``.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

# What a name begins with; the rest of it is the call's id, the destination and so on, as the table below says.
CALL_KEY = "sb:c:"
REMEMBERED_KEY = "sb:m:"
DUE_KEY = "sb:due:"
GATE_KEY = "sb:gate:"
WAKE_KEY = "sb:wake:"
DEAD_KEY = "sb:dead:"
HOLDERS_KEY = "sb:hold:"
PARKED_KEY = "sb:park:"
MEMORY_KEY = "sb:memo:"
FOLLOW_KEY = "sb:follow:"
ALERT_LINE_KEY = "sb:alertline:"
ALERT_HEAD_KEY = "sb:alerthead:"
CHORE_WAKE_KEY = "sb:chorewake:"
CHORE_DONE_KEY = "sb:choredone:"
RATE_KEY = "sb:rate:"
NUMBER_KEY = "sb:number:"
AUDITED_KEY = "sb:a:"
HOURS_KEY = "sb:hours:"
MINUTES_KEY = "sb:minutes:"
INDEXED_KEY = "sb:ids:"
BITS_KEY = "sb:bits:"
DIGITS_KEY = "sb:digits:"
RANG_KEY = "sb:rang:"
RANGS_KEY = "sb:rangs"
SESSION_KEY = "sb:session:"
WRONG_KEY = "sb:wrong:"
LISTED_KEY = "sb:listed:"
TRACE_KEY = "sb:trace:"
# Whole names.
CALLS_KEY = "sb:calls"
WAITS_KEY = "sb:waits"
LEASES_KEY = "sb:leases"
DESTINATIONS_KEY = "sb:dests"
NO_START_KEY = "sb:nostart"
UNROUTED_KEY = "sb:unrouted"
WAKE_CALLS_KEY = "sb:wakecalls"
WORKERS_KEY = "sb:workers"
SIGN_INS_KEY = "sb:signins"
PATIENCE_KEY = "sb:patience"
SUPPRESSED_KEY = "sb:suppressed"
LIST_KEY = "sb:donotcall"
QUARANTINE_KEY = "sb:quarantine"
BODIES_KEY = "sb:bodies"
BODY_BYTES_KEY = "sb:bodybytes"
NUMBERS_KEY = "sb:numbers"
AUDIT_KEY = "sb:audit"
SWEEP_KEY = "sb:sweep"
TICK_KEY = "sb:tick:"
RESCUE_KEY = "sb:rescue"
RESCUING_KEY = "sb:rescuing"
ALERTS_KEY = "sb:alerts"
ALERT_DUE_KEY = "sb:alertdue"
ALERTS_SENT_KEY = "sb:alertsent"
RECEIVERS_KEY = "sb:receivers"
REPORTED_KEY = "sb:reported"
HEARD_KEY = "sb:heard"
DELACON_KEY = "sb:delacon"
PROBE_KEY = "sb:probe"
FACETS_KEY = "sb:facets"
CHUNK_KEY = "sb:chunk"
CHUNKS_KEY = "sb:chunks"
GONE_KEY = "sb:gone"
FILLED_KEY = "sb:filled"
FILLING_KEY = "sb:filling"
FORMS_KEY = "sb:forms"
SCHEMA_KEY = "sb:schema"
SHELF_KEY = "sb:shelf"
SHELF_WHY_KEY = "sb:shelfwhy"

EVERY = "sb:*"
"""What the names of all keys match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One kind of key; ``{...}`` in its name, and in the names of its fields, stands for what varies."""

    name: str
    type: str
    """As Redis names it: string, hash, zset, set or list."""
    holds: str
    lifetime: str
    expires: bool | None = False
    """Whether Redis removes it by itself; ``None``: in some states."""
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def matches(self, name: str) -> bool:
        """Return whether a key of Redis is one of these."""
        return _pattern(self.name).fullmatch(name) is not None

    def has_field(self, name: str) -> bool:
        """Return whether a field of such a hash is named here."""
        return any(_pattern(known).fullmatch(name) for known in self.fields)


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{.*?\\\}", ".+", re.escape(name)), re.DOTALL)


_MEMBER = "`{call_id}:{action}`"

KEYS = (
    Key(
        name=CALL_KEY + "{call_id}",
        type="hash",
        holds="a call: its events, its state and its deliveries",
        lifetime="`calls.retention` after its last delivery became final, `calls.dead_retention` with a dead letter",
        fields=MappingProxyType(
            {
                "n": "how many events it has",
                "e{number}": "an event: receipt in microseconds, a blank, the kind's letter and the JSON values",
                "st": "state: w waiting, r ready, u unrouted, x without a start",
                "rv": "revision, as last planned",
                "pn": "how many events the last plan was made from",
                "rt": "names of the matching routes",
                "ra": "when it became ready, in milliseconds",
                "o": "how many of its deliveries are not final",
                "f": "since when nothing of it is open, in milliseconds",
                "d:{destination}:{action}": "a delivery: `state|fence|number|step|at|group|reason`, a newline, the log",
                "w:{destination}": "actions that wait for the create",
                "by:{destination}": "the answered call that cancelled or withdrew its lead",
                "fm:{destination}": "marks of the routes and the service that it came by, for the follow-up",
                "ix": "its place in the index: `chunk|place|service|result|`",
                "sv": "its service, where only events marked by their sender were taken",
                "hn": "how many events have been digested",
                "hb": "their bytes",
                "hk": "letters of their kinds",
                "h:{digit}": "digests of events that begin with this digit",
                "hp": "padding that makes Redis keep a large hash as a table",
                "tn": "the short name of its tracking number",
                "fc": "1 or 0: whether no earlier call of its caller was remembered when it was first planned",
                "xn": "how many events were folded into others",
                "jr": "1: a lost ledger had it, so what is made of it may have been delivered before",
                "x:{kind}": "first receipt of a folded kind",
                "x:{kind}:{shape}": "the latest folded event with these keys",
            }
        ),
    ),
    Key(
        name=REMEMBERED_KEY + "{call_id}",
        type="string",
        holds="nothing: that a removed call was delivered once",
        lifetime="`calls.remember`",
        expires=True,
    ),
    Key(
        name=CALLS_KEY,
        type="zset",
        holds="ids of all calls, by first receipt",
        lifetime="each as long as its call",
    ),
    Key(
        name=WAITS_KEY,
        type="zset",
        holds="ids of calls that are to be dispatched, by when",
        lifetime="each until it is planned",
    ),
    Key(
        name=UNROUTED_KEY,
        type="zset",
        holds="ids of calls that match no route, by when that was found",
        lifetime="each while its call is unrouted",
    ),
    Key(
        name=NO_START_KEY,
        type="zset",
        holds="ids of calls whose start never came, by when that was found",
        lifetime="each while its call has no start",
    ),
    Key(
        name=DUE_KEY + "{destination}",
        type="zset",
        holds=f"deliveries to be tried, {_MEMBER}, by when they are due",
        lifetime="each until it is claimed",
    ),
    Key(
        name=LEASES_KEY,
        type="zset",
        holds="delivery keys under way, by the end of their lease",
        lifetime="each until its finish, or until its lease ends",
    ),
    Key(
        name=DEAD_KEY + "{destination}",
        type="zset",
        holds=f"dead letters, {_MEMBER}, by when they died",
        lifetime="each until it is replayed or dropped, else `calls.dead_retention`",
    ),
    Key(
        name=HOLDERS_KEY + "{destination}",
        type="hash",
        holds="of each group the delivery that may go on",
        lifetime="each field while one of the group is under way",
        fields=MappingProxyType({"{group}": _MEMBER}),
    ),
    Key(
        name=PARKED_KEY + "{destination}:{group}",
        type="list",
        holds=f"deliveries of a group that wait for the one under way, {_MEMBER}",
        lifetime="each until its turn",
    ),
    Key(
        name=MEMORY_KEY + "{destination}:{group}",
        type="string",
        holds="what is remembered of a caller at a destination, as JSON",
        lifetime="`calls.remember` after the last delivery",
        expires=True,
    ),
    Key(
        name=FOLLOW_KEY + "{destination}:{caller}",
        type="zset",
        holds="calls of a caller, a answered or m missed before the id, by their start",
        lifetime="`cancel_when_answered` and 7 days",
        expires=True,
    ),
    Key(
        name=GATE_KEY + "{destination}",
        type="hash",
        holds="why a destination is not served, and what counts towards that",
        lifetime="each field until a success or `destinations resume`",
        fields=MappingProxyType(
            {
                "paused": "since when, in milliseconds",
                "blocked": "the reason",
                "blocked_at": "since when, in milliseconds",
                "open": "since when the circuit is open, in milliseconds",
                "probe_at": "when the next probe may go out; `never`: after `resume` only",
                "probe_last": "the delivery that was the last probe",
                "probe_wait": "the wait before that probe, in milliseconds",
                "fails": "transient failures in a row",
                "fail_first": "the first delivery that failed so",
                "fail_multi": "1 when another one failed too",
                "refused": "the delivery that was refused once; another one blocks",
            }
        ),
    ),
    Key(
        name=RATE_KEY + "{destination}",
        type="hash",
        holds="the token bucket of a destination with a `rate`",
        lifetime="until it is full again, an hour at least",
        expires=True,
        fields=MappingProxyType({"tokens": "tokens left", "at": "when that was so, in milliseconds"}),
    ),
    Key(
        name=WAKE_KEY + "{destination}",
        type="string",
        holds="nothing: that a wake-up of the destination is outstanding",
        lifetime="10 s",
        expires=True,
    ),
    Key(
        name=WAKE_CALLS_KEY,
        type="string",
        holds="nothing: that a wake-up of the dispatch is outstanding",
        lifetime="10 s",
        expires=True,
    ),
    Key(
        name=DESTINATIONS_KEY,
        type="set",
        holds="names of all destinations that ever had a delivery",
        lifetime="for good",
    ),
    Key(
        name=WORKERS_KEY,
        type="zset",
        holds="names of worker processes, by their last tick",
        lifetime="each an hour after its last tick",
    ),
    Key(
        name=SIGN_INS_KEY,
        type="hash",
        holds="what each worker process says of itself at its ticks",
        lifetime="each field as long as its worker's place among them",
        fields=MappingProxyType({"{worker}": "`p` where it plans calls, then what orders configurations"}),
    ),
    Key(
        name=PATIENCE_KEY,
        type="string",
        holds="how long calls wait, as they are planned: `end_ms start_ms 1-when-starts-are-delivered configuration`",
        lifetime="10 s after the last sign-in of a planning worker with the newest configuration",
        expires=True,
    ),
    Key(
        name=SUPPRESSED_KEY,
        type="set",
        holds="numbers (E.164) that no lead is made for",
        lifetime="each until `suppress remove`",
    ),
    Key(
        name=LIST_KEY,
        type="hash",
        holds="which do-not-call list is in use",
        lifetime="for good",
        fields=MappingProxyType(
            {
                "generation": "its name",
                "count": "how many numbers it has",
                "at": "when it was loaded, in milliseconds; 0: it is not whole",
            }
        ),
    ),
    Key(
        name=LISTED_KEY + "{generation}:{part}",
        type="set",
        holds="the digits of a do-not-call list's numbers, in 8,192 parts",
        lifetime="until another list is loaded; 6 h while it is not in use",
        expires=None,
    ),
    Key(
        name=QUARANTINE_KEY,
        type="zset",
        holds="ids of unusable bodies, by receipt",
        lifetime="each `calls.dead_retention`; the newest 10,000 and 64 MB",
    ),
    Key(
        name=BODIES_KEY,
        type="hash",
        holds="the unusable bodies",
        lifetime="as their ids",
        fields=MappingProxyType({"{body_id}": "the body as JSON: reason, path, receipt"}),
    ),
    Key(
        name=BODY_BYTES_KEY,
        type="string",
        holds="the bytes of all of them",
        lifetime="for good",
    ),
    Key(
        name=NUMBER_KEY + "{request_key}",
        type="hash",
        holds="a request about Callcap's numbers",
        lifetime="a search 7 days, the others for good",
        expires=None,
        fields=MappingProxyType(
            {
                "kind": "search, provision or update",
                "request": "what is asked, as JSON",
                "state": "waiting, in_flight, done, failed or unknown",
                "written": "when it was written, in milliseconds",
                "token": "the claim under way",
                "claimed": "when it was claimed, in milliseconds",
                "lease": "when that claim ends, in milliseconds",
                "outcome": "what came of it, as JSON",
                "settled": "when that was written, in milliseconds",
            }
        ),
    ),
    Key(
        name=NUMBERS_KEY,
        type="zset",
        holds="keys of all provisionings and updates, by when they were written",
        lifetime="for good",
    ),
    Key(
        name=AUDIT_KEY,
        type="zset",
        holds="ids of what operators did, by when",
        lifetime="each as long as its record; the newest 50,000",
    ),
    Key(
        name=AUDITED_KEY + "{action_id}",
        type="hash",
        holds="what an operator did: who, what, to how many",
        lifetime="`console.audit_retention`",
        expires=True,
        fields=MappingProxyType(
            {
                "at": "when, in milliseconds",
                "who": "the user",
                "door": "by which way: the command line or another",
                "from": "the address",
                "what": "the action",
                "which": "what it was done to: ids, or the filters",
                "n": "to how many",
            }
        ),
    ),
    Key(
        name=FACETS_KEY,
        type="hash",
        holds="short names of services, destinations, reasons and tracking numbers",
        lifetime="for good; 500 services, 1,000 destinations and tracking numbers, 200 reasons",
        fields=MappingProxyType(
            {
                "s:{service_id}": "its number; the short name is s and this",
                "d:{destination}": "its number",
                "r:{reason}": "its number",
                "n:{tracking_number}": "its number",
                "#{kind}": "how many there are of a kind",
            }
        ),
    ),
    Key(
        name=HOURS_KEY + "{facet}:{kind}:{span}",
        type="hash",
        holds="how often something happened in each of 120 hours, from hour 120 x span of the epoch on",
        lifetime="405 days",
        expires=True,
        fields=MappingProxyType({"{hour}": "how often"}),
    ),
    Key(
        name=MINUTES_KEY + "{facet}:{kind}:{span}",
        type="hash",
        holds="the same for 120 minutes",
        lifetime="52 h",
        expires=True,
        fields=MappingProxyType({"{minute}": "how often"}),
    ),
    Key(
        name=INDEXED_KEY + "{chunk}",
        type="list",
        holds="ids of up to 8,192 calls in the index, in the order of their places; empty where one was removed",
        lifetime="until all calls of the chunk are removed",
    ),
    Key(
        name=BITS_KEY + "{facet}:{chunk}",
        type="string",
        holds="a bit for each place of the chunk: whether the call there has the facet",
        lifetime="as its chunk",
    ),
    Key(
        name=DIGITS_KEY + "{chunk}",
        type="string",
        holds="the last eight digits of the caller at each place of the chunk, in four bytes",
        lifetime="as its chunk; overwritten where a call is removed",
    ),
    Key(
        name=RANG_KEY + "{period}:{part}",
        type="set",
        holds="digits of callers of calls that were planned in 100 days of the epoch, in 1,024 parts",
        lifetime="`calls.remember` after the end of those days",
        expires=True,
    ),
    Key(
        name=RANGS_KEY,
        type="set",
        holds="the periods that have such sets",
        lifetime="`calls.remember` and 100 days after a set was begun",
        expires=True,
    ),
    Key(
        name=CHUNK_KEY,
        type="string",
        holds="the chunk that new calls are written into",
        lifetime="for good",
    ),
    Key(
        name=CHUNKS_KEY,
        type="zset",
        holds="all chunks, by when they were begun; negative ones hold calls of versions without an index",
        lifetime="each as its chunk",
    ),
    Key(
        name=GONE_KEY,
        type="hash",
        holds="how many calls of a chunk were removed",
        lifetime="each field as its chunk",
        fields=MappingProxyType({"{chunk}": "how many"}),
    ),
    Key(
        name=FILLED_KEY,
        type="string",
        holds="from which receipt on all calls are in the index, in milliseconds; 0: all are",
        lifetime="until a call is found that is not in it",
    ),
    Key(
        name=FILLING_KEY,
        type="string",
        holds="nothing: that a worker writes old calls into the index",
        lifetime="1.5 s",
        expires=True,
    ),
    Key(
        name=SWEEP_KEY,
        type="string",
        holds="how far the sweep has come; -1: it pauses",
        lifetime="a pause",
        expires=None,
    ),
    Key(
        name=RESCUE_KEY,
        type="string",
        holds="how far the look for calls that wait nowhere has come; -1: it pauses",
        lifetime="a pause",
        expires=None,
    ),
    Key(
        name=TICK_KEY + "{config}",
        type="string",
        holds="nothing: that a clock of this configuration has just looked for what is due",
        lifetime="0.4 s",
        expires=True,
    ),
    Key(
        name=RESCUING_KEY,
        type="string",
        holds="nothing: that a slice was looked at",
        lifetime="until the next slice may be",
        expires=True,
    ),
    Key(
        name=ALERTS_KEY,
        type="hash",
        holds="the causes of alerts that hold",
        lifetime="each field until its cause has ended, or a day after its rule was changed",
        fields=MappingProxyType({"{alert}": "since when, when it was told, and the facts, as JSON"}),
    ),
    Key(
        name=ALERT_LINE_KEY + "{target}",
        type="list",
        holds="messages that wait for a target, as JSON, the next one first; at most 1,000",
        lifetime="each until it is told or given up; 30 days",
        expires=True,
    ),
    Key(
        name=ALERT_HEAD_KEY + "{target}",
        type="hash",
        holds="the tries of the first message of that line",
        lifetime="30 days after the last try",
        expires=True,
        fields=MappingProxyType({"fence": "of the last claim", "tries": "so far", "reason": "why the last one failed"}),
    ),
    Key(
        name=ALERT_DUE_KEY,
        type="zset",
        holds="targets in whose line a message waits, by when it may be tried",
        lifetime="each until its line is empty",
    ),
    Key(
        name=ALERTS_SENT_KEY,
        type="list",
        holds="messages that are done with: `target|outcome|at|tries|reason`, a newline, the message",
        lifetime="the newest 200",
    ),
    Key(
        name=CHORE_WAKE_KEY + "{chore}",
        type="string",
        holds="nothing: that a message which does this chore is outstanding",
        lifetime="30 s",
        expires=True,
    ),
    Key(
        name=CHORE_DONE_KEY + "{chore}",
        type="string",
        holds="nothing: that the chore was done",
        lifetime="until its next turn",
        expires=True,
    ),
    Key(
        name=RECEIVERS_KEY,
        type="hash",
        holds="what each receiver's process says of its spool, its refusals and its configuration",
        lifetime="each field 7 days after its last report",
        fields=MappingProxyType({"{process}": "as JSON"}),
    ),
    Key(
        name=REPORTED_KEY,
        type="zset",
        holds="receivers' processes, by their last report",
        lifetime="each 7 days after it",
    ),
    Key(
        name=DELACON_KEY,
        type="hash",
        holds="what the audits against Delacon's own list found",
        lifetime="each field 400 days",
        fields=MappingProxyType({"{day}": "the figures by service, as JSON"}),
    ),
    Key(
        name=HEARD_KEY,
        type="string",
        holds="when a webhook was last taken, in milliseconds",
        lifetime="for good",
    ),
    Key(
        name=TRACE_KEY + "{call_id}",
        type="hash",
        holds="which trace a call is in, where traces are on",
        lifetime="7 days",
        expires=True,
        fields=MappingProxyType(
            {
                "call": "its trace and flags, where a sender began one",
                "{span}": "the same of a webhook's span",
                "d:{destination}:{action}": "the span of the dispatch that made the delivery",
            }
        ),
    ),
    Key(
        name=PROBE_KEY,
        type="string",
        holds="1: written to see whether Redis takes writes",
        lifetime="1 s",
        expires=True,
    ),
    Key(
        name=SESSION_KEY + "{digest}",
        type="string",
        holds="who signed in at the console, and a digest of that user's settings; named by the token's digest",
        lifetime="12 h, or until the user signs out",
        expires=True,
    ),
    Key(
        name=WRONG_KEY + "{digest}",
        type="string",
        holds="how many wrong passwords came for a name or from an address; the name is its digest",
        lifetime="a minute after the last one",
        expires=True,
    ),
    Key(
        name=FORMS_KEY,
        type="string",
        holds="the secret that the console signs its forms with",
        lifetime="for good",
    ),
    Key(
        name=SCHEMA_KEY,
        type="hash",
        holds="what the ledger says of itself",
        lifetime="for good",
        fields=MappingProxyType(
            {
                "format": "the number of its format",
                "epoch": "made when it began; another one is another ledger",
                "since": "when that was, in milliseconds",
                "beat": "when a receiver last looked, in milliseconds",
                "migrating": "the format to which a migration was begun",
                "cursor": "how far that has come",
                "restoring": "1: a backup is being put back",
                "restored": "of which backup it was made, as JSON",
                "changed": "that it was emptied or put back, until that was dealt with, as JSON",
            }
        ),
    ),
    Key(
        name=SHELF_KEY,
        type="zset",
        holds="delivery keys that this version cannot read, `{call_id}:calls:plan` for a call, by when to look again",
        lifetime="each until it can be read",
    ),
    Key(
        name=SHELF_WHY_KEY,
        type="hash",
        holds="what is known of those",
        lifetime="each field until its delivery is final or gone",
        fields=MappingProxyType({"{key}": "since when, how often it was looked at, and which part cannot be read"}),
    ),
)


def key_of(name: str) -> Key | None:
    """Return the row that a key of Redis belongs to; ``None``: it is none of the ledger's."""
    return next((key for key in KEYS if key.matches(name)), None)


def as_table() -> str:
    """Return the keys as a Markdown table, the fields of a hash below it."""
    lines = ["| key | type | holds | lifetime |", "| --- | --- | --- | --- |"]
    lines += [f"| `{key.name}` | {key.type} | {key.holds} | {key.lifetime} |" for key in KEYS]
    for key in KEYS:
        if key.fields:
            lines += ["", f"Fields of `{key.name}`:", "", "| field | holds |", "| --- | --- |"]
            lines += [f"| `{name}` | {holds.replace('|', chr(92) + '|')} |" for name, holds in key.fields.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_table())
