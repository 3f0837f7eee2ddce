"""Makes the order of an attempt out of a claim."""

import orjson

from schemas.delivery import Order, State
from schemas.destination import Destination
from worker.ledger.records import Claimed, DeliveryRecord, merged

UNSURE = "unsure"
"""What the ledger remembers of a caller for whom something was sent of which nobody knows whether it landed.

A delivery of that caller, whichever it is, then looks before it adds; so while a contact's account cannot be searched,
all calls of that caller fare as the one in doubt does. The next receipt ends the doubt."""


def order_of(claimed: Claimed, *, destination: Destination, default_region: str) -> Order:
    """Build the order: the call as it stands now, and what the ledger remembers of the caller."""
    memory = orjson.loads(claimed.memory) if claimed.memory else {}
    unknown = UNSURE in memory or any(past.unknown for past in claimed.history.attempts)
    return Order(
        key=claimed.key,
        call=merged(claimed.key.call_id, claimed.events, default_region).call,
        destination=destination,
        number=claimed.number,
        unknown_before=unknown,
        memory=memory,
        unmade=_without_caller(claimed) and all(d.state is not State.DELIVERED for d in claimed.siblings.values()),
    )


def skip_reason(claimed: Claimed) -> str:
    """Say why an update or a withdrawal has nothing to follow (contract, sections 5 and 6); usually empty.

    ``no_create``: its create was not delivered. ``duplicate``: the lead that the vendor has is not ours. An update
    whose create was skipped for want of a caller, who may be known by now, makes what that create would have.
    """
    if claimed.key.action == "create" or _without_caller(claimed):
        return ""
    create = claimed.siblings.get("create")
    if create is None or create.state is not State.DELIVERED:
        return "no_create"
    return "duplicate" if claimed.key.action == "cancel" and create.reason == "duplicate" else ""


def _without_caller(claimed: Claimed) -> bool:
    """Say whether this is an update of a call that had no caller when it was to be created."""
    create = claimed.siblings.get("create")
    return (
        claimed.key.action.startswith("update")
        and create is not None
        and (create.state, create.reason) == (State.SKIPPED, "no_caller")
    )


def sent_before(claimed: Claimed) -> str:
    """Give the digest of what the vendor last confirmed of this call; empty when nothing."""
    delivered = [d for d in claimed.siblings.values() if d.state is State.DELIVERED]
    return max(delivered, key=_at).history.sent_fields if delivered else ""


def _at(delivery: DeliveryRecord) -> int:
    return delivery.at_ms
