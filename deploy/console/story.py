"""The story of a call: everything that happened to it, in order of time and in words for a first reader."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_VENDORS = {"captorra": "Captorra", "comunik8": "Comunik8", "kapture": "Kapture"}
_ACTIONS = {"create": "sent", "cancel": "withdrawn"}
_EVENTS = {
    "start": "Delacon told us that the call began",
    "end": "Delacon told us how the call ended",
    "start and end": "Delacon told us of the whole call",
}
_TONES = {"delivered": "good", "dead": "bad", "blocked": "bad", "retry": "warn"}
_DOINGS = {
    "deliveries.retry": "had it sent without waiting",
    "deliveries.cancel": "cancelled a delivery",
    "deliveries.redeliver": "had it delivered again",
    "dead.replay": "had it tried again",
    "dead.drop": "dropped it",
    "calls.reroute": "had it routed again",
    "send.test": "sent this test call",
    "quarantine.retry": "had the webhook read again",
}
_WORDS_SHOWN = 200
_REASONS = {
    "unauthorized": "it does not accept our key",
    "forbidden": "it does not let us in",
    "redirected": "it sends us to another address",
    "key_expired": "our key has expired",
    "unknown_account": "it does not know the account's id",
    "unknown_type": "it does not know the type of lead",
    "timeout": "no answer in time",
    "connect": "no connection",
    "dns": "its address was not found",
    "tls": "no secure connection",
    "reset": "the connection was lost",
    "interrupted": "we were stopped in the middle",
    "no_caller": "the caller's number was withheld",
    "too_old": "the call was too old by then",
    "suppressed": "the number is on the list of those not to be called",
    "no_fresh_list": "there is no do-not-call list that is new enough",
    "answered": "the call was answered",
    "answered_since": "the caller got through later",
    "no_result": "nobody told us how the call ended",
    "no_destination": "this destination is not set up any more",
    "circuit_open": "the destination fails at present",
    "paused": "the destination is paused",
    "contained": "what was sent holds it already",
    "no_create": "what it would change was never sent",
    "exhausted": "it failed as often as we try",
    "rejected": "the vendor refused it",
    "unrecognised": "the vendor said no in words that we do not know",
    "unexpected": "something went wrong on our side",
    "saved_unprocessed": "the vendor saved it and did not act on it",
    "dropped": "an operator dropped it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One thing that happened."""

    at: str
    """ISO 8601, UTC."""
    title: str
    tone: str
    """``good``, ``warn``, ``bad`` or ``plain``."""
    text: str = ""
    details: tuple[tuple[str, str], ...] = ()
    """Names and values for whoever wants to know more."""


def why(reason: str) -> str:
    """Return a reason in words; an unknown one stays as it is."""
    return _REASONS.get(reason, reason.replace("_", " "))


def vendor_name(vendor: str | None) -> str:
    """Return a vendor's name as it writes itself."""
    return _VENDORS.get(vendor or "", vendor or "a vendor that is not set up any more")


def story(shape: Mapping[str, Any], doings: Iterable[Mapping[str, Any]] = ()) -> list[Chapter]:
    """Return a call's shape (contract, section 8) as chapters in order of time; ``doings``: lines of the audit."""
    chapters = [*_webhooks(shape["events"]), *(one for d in shape["deliveries"] for one in _attempts(d))]
    chapters += [
        Chapter(
            at=done["at"], title=f"{done['who']} {_DOINGS.get(done['what'], 'did: ' + done['what'])}", tone="hand",
            details=(("by", done["by"]), ("from", done["from"]), ("which", done["which"])),
        )
        for done in doings
    ]  # fmt: skip
    return sorted(chapters, key=lambda chapter: datetime.fromisoformat(chapter.at))


def standing(delivery: Mapping[str, Any]) -> str:
    """Return in one sentence where a delivery stands."""
    where = f"{delivery['destination']} ({vendor_name(delivery['vendor'])})"
    reason = f": {why(delivery['reason'])}" if delivery["reason"] else ""
    match delivery["action"], delivery["state"]:
        case "cancel", "delivered":
            return f"Withdrawn from {where}"
        case _, "delivered":
            return f"Delivered to {where}" + (", which had it already" if delivery["reason"] == "duplicate" else "")
        case _, "queued" | "in_flight":
            return f"About to be sent to {where}"
        case _, "retrying":
            return f"Will be tried again at {where}{reason}"
        case _, "held":
            return f"Held back for {where}{reason}"
        case _, "dead":
            return f"Given up for {where}{reason}"
        case _, "skipped":
            return f"Not sent to {where}{reason}"
        case _:
            return f"Cancelled for {where}{reason}"


def _webhooks(events: Iterable[Mapping[str, Any]]) -> Iterable[Chapter]:
    for event in events:
        values = tuple((name, str(value)) for name, value in event["values"].items())
        yield Chapter(at=event["received_at"], title=_EVENTS[event["kind"]], tone="plain", details=values)


def _attempts(delivery: Mapping[str, Any]) -> Iterable[Chapter]:
    where = f"{delivery['destination']} ({vendor_name(delivery['vendor'])})"
    what = _ACTIONS.get(delivery["action"], "updated")
    for attempt in delivery["attempts"]:
        took = f"{attempt['milliseconds']} ms" if attempt["milliseconds"] is not None else ""
        status = f"HTTP {attempt['status']}" if attempt["status"] else ""
        yield Chapter(
            at=attempt["time"],
            title=_title(attempt, where=where, what=what),
            tone=_TONES.get(attempt["outcome"], "plain"),
            text=_cause(attempt),
            details=tuple(
                (name, value)
                for name, value in (
                    ("try", str(attempt["number"])),
                    ("answer", status),
                    ("took", took),
                    ("its words", attempt["reply"]),
                )
                if value
            ),
        )  # fmt: skip


def _cause(attempt: Mapping[str, Any]) -> str:
    """Say why an attempt came to nothing, with the vendor's words."""
    if not attempt["reason"]:
        return ""
    words = attempt["reply"][:_WORDS_SHOWN]
    return f"{why(attempt['reason'])}: “{words}”" if words else why(attempt["reason"])


def _title(attempt: Mapping[str, Any], *, where: str, what: str) -> str:
    match attempt["outcome"]:
        case "delivered":
            return f"{what.capitalize()}: {where} said yes"
        case "retry":
            return f"{where} could not take it; we try again"
        case "dead":
            return f"Given up: {where} did not take it"
        case "blocked":
            return f"{where} is blocked: it refuses everything until somebody mends its settings"
        case "skipped":
            return f"Not sent to {where}"
        case _:
            return f"Sent to {where}, and no answer came back"
