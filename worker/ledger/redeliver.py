"""Puts delivered deliveries back, for vendors that have lost what they were sent."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from schemas.delivery import DeliveryKey
from worker.ledger.admin import put_back
from worker.ledger.audit import Action
from worker.ledger.ledger import Ledger


async def redeliver(ledger: Ledger, keys: Sequence[DeliveryKey], *, by: Action | None = None) -> list[bool]:
    """Make delivered deliveries due again and forget their callers; ``False`` for each that is not delivered."""
    return await put_back(ledger, keys, by, letters="D", reason="reconciled", forgetting=True)


async def memories(ledger: Ledger, destination: str, groups: Sequence[str]) -> list[Mapping[str, str]]:
    """Give what is remembered of callers (their groups) at a destination; empty where nothing is."""
    if not groups:
        return []
    texts: Any = await ledger.redis.mget([f"sb:memo:{destination}:{group}" for group in groups])
    return [orjson.loads(text) if text else {} for text in texts]
