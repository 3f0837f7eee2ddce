"""Merges stored events into calls, once for all who need the call in this process."""

from functools import lru_cache

from schemas.delacon import Merged, merge
from worker.ledger.records import read_stored


@lru_cache(maxsize=4096)  # calls: those under way between their dispatch and their last delivery; some 10 MB
def merged(call_id: str, events: tuple[str, ...], default_region: str) -> Merged:
    """Merge a call's events, given as the ledger stores them; dispatch and all deliveries of a call share the work."""
    return merge(call_id, [read_stored(event) for event in events], default_region=default_region)
