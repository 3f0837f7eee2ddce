"""Merges stored events into calls, once for all who need the call in this process."""

from functools import lru_cache

from schemas.delacon.events import Merged, merge
from worker.ledger.records import read_stored

MAX_SHARED = 8192  # characters of a call's events; what is larger is rare, and would make the memory large


def merged(call_id: str, events: tuple[str, ...], default_region: str) -> Merged:
    """Merge a call's events, given as the ledger stores them; dispatch and all deliveries of a call share the work."""
    if sum(map(len, events)) > MAX_SHARED:
        return _merge(call_id, events, default_region)
    return _shared(call_id, events, default_region)


@lru_cache(maxsize=4096)  # calls: those under way between their dispatch and their last delivery; some 10 MB
def _shared(call_id: str, events: tuple[str, ...], default_region: str) -> Merged:
    return _merge(call_id, events, default_region)


def _merge(call_id: str, events: tuple[str, ...], default_region: str) -> Merged:
    return merge(call_id, [read_stored(event) for event in events], default_region=default_region)
