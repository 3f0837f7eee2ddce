"""What was refused: counted by sender and reason, and told in one log line a minute."""

import time
from collections import Counter as Count
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product

import structlog
from prometheus_client import Counter

log = structlog.get_logger(__name__)

NOBODY = ""
"""The sender's name for requests without a right token."""
REASONS = ("token", "network", "proxy", "rate", "service", "conflict", "connections", "silent", "unread")
"""A wrong or missing token; a network that may not post; a peer that is none of the proxies; more than the sender's
rate; another's service; another's call; more connections than may be; no right token in time; an answer never read."""

EVERY_S = 60.0
MOST_ADDRESSES = 100
"""Kept for a line: of more it tells that there were more."""


@dataclass(slots=True)
class _Minute:
    told_at: float
    count: int = 0
    addresses: Count[str] = field(default_factory=Count)
    call_id: str | None = None


class Refusals:
    """The receiver's use of ``switchboard_refused_total``; logs the first refusal of a kind at once.

    ``senders`` are the names from the configuration, whose series exist from the start.
    """

    def __init__(
        self, counter: Counter, *, senders: Iterable[str] = (), monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._counted = {pair: counter.labels(*pair) for pair in product((NOBODY, *senders), REASONS)}
        self._minutes: dict[tuple[str, str], _Minute] = {}
        self._totals: Count[str] = Count()

    def note(
        self, reason: str, *, sender: str = NOBODY, address: str | None = None, call_id: str | None = None
    ) -> None:
        """Count a refusal, and log it unless one of its kind was logged within the last minute."""
        self._totals[reason] += 1
        counted = self._counted.get((sender, reason)) or self._counted[NOBODY, reason]
        counted.inc()
        minute = self._minutes.get((sender, reason))
        if minute is None:
            minute = self._minutes[sender, reason] = _Minute(self._monotonic() - EVERY_S)
        minute.count += 1
        minute.call_id = call_id
        if address is not None and (len(minute.addresses) < MOST_ADDRESSES or address in minute.addresses):
            minute.addresses[address] += 1
        self._tell(sender, reason, minute)

    def tell(self) -> None:
        """Log what was refused since the last line, where that is a minute old; call it now and then."""
        for (sender, reason), minute in list(self._minutes.items()):
            if minute.count:
                self._tell(sender, reason, minute)
            elif self._monotonic() - minute.told_at >= EVERY_S:
                del self._minutes[sender, reason]

    def totals(self) -> dict[str, int]:
        """Return how many were refused since the process began, by reason."""
        return dict(self._totals)

    def _tell(self, sender: str, reason: str, minute: _Minute) -> None:
        now = self._monotonic()
        if now - minute.told_at < EVERY_S:
            return
        most = minute.addresses.most_common(1)
        about = {"sender": sender or None, "call_id": minute.call_id, "address": most[0][0] if most else None}
        log.warning(
            "request.refused", reason=reason, count=minute.count, addresses=len(minute.addresses),
            **{name: value for name, value in about.items() if value is not None},
        )  # fmt: skip
        minute.told_at, minute.count = now, 0
        minute.addresses.clear()
