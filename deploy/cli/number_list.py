"""What ``switchboard numbers list`` knows: the numbers that were provisioned or updated here, and what is open."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from deploy.cli.values import iso
from schemas.callcap.requests import Kind, RequestState
from worker.ledger.numbers import NumberRecord

_OPEN = frozenset({RequestState.WAITING, RequestState.IN_FLIGHT, RequestState.UNKNOWN})
_WHERE = ("locationID", "account")
_CAMPAIGN = (
    "destination", "campaignName", "notes", "memo1", "memo2", "recording", "evaluation", "mediaTypeID", "brand",
    "service", "target", "offer", "stopDate",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class OwnedNumber:
    """A number that is ours, as the last successful requests left it."""

    number: str
    account: str = ""
    provisioned_ms: int = 0
    """0: not provisioned from here."""
    changed_ms: int = 0
    key: str = ""
    campaign: dict[str, Any] = field(default_factory=dict)

    def shape(self) -> dict[str, Any]:
        """Give it as JSON values; ``delacon_service`` is what ``memo1`` holds."""
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
    """Give the requests of which a person should know more."""
    return [record for record in records if record.state in _OPEN]
