"""Makes the order of an attempt out of a claim."""

import orjson

from schemas.delivery import Order, State
from schemas.destination import Destination
from tasks.merging import merged
from worker.ledger.claims import Claimed
from worker.ledger.records import DeliveryRecord


def order_of(claimed: Claimed, *, destination: Destination, default_region: str) -> Order:
    """Build the order: the call as it stands now, and what the ledger remembers of the caller."""
    unknown = any(past.unknown for past in claimed.history.attempts)
    return Order(
        key=claimed.key,
        call=merged(claimed.key.call_id, claimed.events, default_region).call,
        destination=destination,
        number=claimed.number,
        unknown_before=unknown,
        memory=orjson.loads(claimed.memory) if claimed.memory else {},
    )


def skip_reason(claimed: Claimed) -> str:
    """Say why an update or a withdrawal has nothing to follow (contract, sections 5 and 6); usually empty.

    ``no_create``: its create was not delivered. ``duplicate``: the lead that the vendor has is not ours.
    """
    if claimed.key.action == "create":
        return ""
    create = claimed.siblings.get("create")
    if create is None or create.state is not State.DELIVERED:
        return "no_create"
    return "duplicate" if claimed.key.action == "cancel" and create.reason == "duplicate" else ""


def sent_before(claimed: Claimed) -> str:
    """Give the digest of what the vendor last confirmed of this call; empty when nothing."""
    delivered = [d for d in claimed.siblings.values() if d.state is State.DELIVERED]
    return max(delivered, key=_at).history.sent_fields if delivered else ""


def _at(delivery: DeliveryRecord) -> int:
    return delivery.at_ms
