"""The shapes of requests about Callcap's numbers, and what a person should do next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.cli.values import iso
from schemas.callcap.replies import numbers_in
from schemas.callcap.requests import Kind, Lookup, NumberOutcome, RequestState
from worker.ledger.numbers import NumberRecord

_OFFERED = (
    "Callcap still offers {number}, so most likely nothing was done. Make sure in Callcap, then try again with a new "
    "key."
)
_NOT_OFFERED = (
    "Callcap no longer offers {number}, so most likely it was provisioned. Do not provision it again: look for it in "
    "Callcap. If it is not there, somebody else has it."
)
_NOT_LOOKED_UP = (
    "{number} could not be looked up ({why}). The same command with --key {key} sends nothing and looks it up again."
)
_CHOSEN_BY_CALLCAP = (
    "Callcap was to choose the number, so it cannot be looked up. Look in Callcap for a new campaign of this account "
    "before you provision another one with a new key."
)
_UPDATE = "Look at {number} in Callcap; sending the same update once more, with a new key, does no harm."


def request_shape(record: NumberRecord, *, outcome: NumberOutcome | None = None) -> dict[str, Any]:
    """Return a request whole; ``outcome``: a newer one than the ledger has."""
    outcome = outcome or record.outcome or NumberOutcome(state=record.state)
    state = record.state if outcome is record.outcome else outcome.state
    return {
        "key": record.key,
        "kind": record.request.kind.value,
        "state": state.value,
        "number": outcome.number or record.request.about or None,
        "reason": outcome.reason,
        "words": outcome.words,
        "lookup": outcome.lookup.value,
        "lookup_words": outcome.lookup_words,
        "advice": advice(record, outcome, state=state),
        "parameters": dict(record.request.parameters),
        "numbers": list(outcome.numbers),
        "reply": dict(outcome.document),
        "written_at": iso(record.written_ms),
        "sent_at": iso(record.claimed_ms),
        "settled_at": iso(record.settled_ms),
    }


def search_shape(outcome: NumberOutcome) -> dict[str, Any]:
    """Return what a search found."""
    return {
        "state": outcome.state.value,
        "numbers": list(outcome.numbers),
        "reason": outcome.reason,
        "words": outcome.words,
        "reply": dict(outcome.document),
    }


def advice(record: NumberRecord, outcome: NumberOutcome, *, state: RequestState) -> str:
    """Return in plain words what is the matter and what to do; empty when the request is done."""
    key, number = record.key, outcome.number or record.request.about
    match state:
        case RequestState.DONE:
            return ""
        case RequestState.WAITING:
            why = f" ({_why(outcome)})" if record.outcome else ""
            return f"Callcap was not asked yet{why}. The same command with --key {key} sends it."
        case RequestState.IN_FLIGHT:
            return f"It is being sent by another process. The same command with --key {key} tells more in a minute."
        case RequestState.FAILED:
            return f"Callcap refused: {_why(outcome)}. When that is mended, try again with a new key."
        case RequestState.UNKNOWN:
            known = f"It is not known whether Callcap did it ({_why(outcome)}), and it is never sent again by itself. "
            return known + _next_step(record, outcome, number).format(
                number=number, key=key, why=outcome.lookup_words or "it was not tried"
            )


def _next_step(record: NumberRecord, outcome: NumberOutcome, number: str) -> str:
    if record.request.kind is not Kind.PROVISION:
        return _UPDATE
    if not number:
        return _CHOSEN_BY_CALLCAP
    return {Lookup.OFFERED: _OFFERED, Lookup.NOT_OFFERED: _NOT_OFFERED}.get(outcome.lookup, _NOT_LOOKED_UP)


def _why(outcome: NumberOutcome) -> str:
    return f"{outcome.reason}: {outcome.words}" if outcome.words else outcome.reason


def number_rows(outcome: NumberOutcome) -> tuple[list[str], list[list[Any]]]:
    """Return columns and rows of what a search found: beside each number whatever simple values its object has.

    The shape of the reply is not documented, so the columns are what Callcap sends.
    """
    details: dict[str, Mapping[str, Any]] = {}
    waiting: list[Any] = [outcome.document]
    while waiting:
        match waiting.pop():
            case dict() as pairs:
                simple = {name: value for name, value in pairs.items() if not isinstance(value, dict | list)}
                for number in numbers_in(simple)[:1]:
                    details[number] = {name: value for name, value in simple.items() if str(value) != number}
                waiting += pairs.values()
            case list() as items:
                waiting += items
            case _:
                pass
    columns = list(dict.fromkeys(name for number in outcome.numbers for name in details.get(number, {})))
    rows = [[number, *(details.get(number, {}).get(name) for name in columns)] for number in outcome.numbers]
    return ["number", *columns], rows


_OPEN = frozenset({RequestState.WAITING, RequestState.IN_FLIGHT, RequestState.UNKNOWN})
_WHERE = ("locationID", "account")
_CAMPAIGN = (
    "destination", "campaignName", "notes", "memo1", "memo2", "recording", "evaluation", "mediaTypeID", "brand",
    "service", "target", "offer", "stopDate",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class OwnedNumber:
    """A number of ours, as the last successful requests left it."""

    number: str
    account: str = ""
    provisioned_ms: int = 0
    """0: not provisioned from here."""
    changed_ms: int = 0
    key: str = ""
    campaign: dict[str, Any] = field(default_factory=dict)

    def shape(self) -> dict[str, Any]:
        """Return it as JSON values; ``delacon_service`` is what ``memo1`` holds."""
        return {
            "number": self.number,
            "delacon_service": self.campaign.get("memo1"),
            "account": self.account or None,
            "provisioned_at": iso(self.provisioned_ms),
            "changed_at": iso(self.changed_ms),
            "key": self.key or None,
            "campaign": self.campaign,
        }


def owned(records: Iterable[NumberRecord]) -> list[OwnedNumber]:
    """Put successful provisionings and updates together, in the order in which they came to pass."""
    found: dict[str, OwnedNumber] = {}
    done = [record for record in records if record.state is RequestState.DONE and record.outcome]
    for record in sorted(done, key=lambda record: record.settled_ms):
        name = record.outcome.number if record.outcome else ""
        parameters = record.request.parameters
        number = found.setdefault(name, OwnedNumber(number=name))
        number.campaign |= {key: parameters[key] for key in _CAMPAIGN if key in parameters}
        number.changed_ms = record.settled_ms
        if record.request.kind is Kind.PROVISION:
            number.key, number.provisioned_ms = record.key, record.settled_ms
            number.account = next((str(parameters[key]) for key in _WHERE if key in parameters), "")
    return list(found.values())


def open_requests(records: Iterable[NumberRecord]) -> list[NumberRecord]:
    """Return the requests that a person should look at."""
    return [record for record in records if record.state in _OPEN]
