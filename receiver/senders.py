"""Who posts: the sender that a token names, its services, and its rate."""

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from math import ceil

from schemas.delacon.events import Event
from worker.config.receiver import ReceiverSettings, SenderSettings
from worker.ledger.sender_mark import mark

SERVICE = "PLA_CID"
_DIGEST_BYTES = 16


class Sender:
    """A party that posts; without ``settings`` it is whoever has one of ``tokens``, and speaks for all services."""

    def __init__(self, settings: SenderSettings | None = None, *, monotonic: Callable[[], float]) -> None:
        self.name = "" if settings is None else settings.name
        self._services = None if settings is None else frozenset(settings.service_ids)
        self._listed: Sequence[str] = () if settings is None else settings.service_ids
        self._rate_per_s = 0.0 if settings is None else settings.rate_per_s
        self._most = max(1.0, self._rate_per_s)
        self._left = self._most
        self._monotonic = monotonic
        self._looked_at = monotonic()

    def wait_s(self) -> int:
        """Take one request off the rate; return 0, or after how many whole seconds there is room again."""
        if not self._rate_per_s:
            return 0
        now = self._monotonic()
        self._left = min(self._most, self._left + (now - self._looked_at) * self._rate_per_s)
        self._looked_at = now
        if self._left < 1.0:
            return ceil((1.0 - self._left) / self._rate_per_s)
        self._left -= 1.0
        return 0

    def record(self, event: Event) -> str | None:
        """Return the event's record with the sender's mark; ``None`` when it is of a service of another."""
        if self._services is None:
            return event.record()
        service = event.values.get(SERVICE)
        if service is not None and service not in self._services:
            return None
        return mark(event.record(), sender=self.name, service=service, services=self._listed)


class Senders:
    """Finds the sender of a request; ``anybody`` may post where no token is configured."""

    def __init__(self, settings: ReceiverSettings, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._key = secrets.token_bytes(_DIGEST_BYTES)
        plain = Sender(monotonic=monotonic)
        self.anybody = None if settings.posting_tokens else plain
        self._by_digest = {self._digest(token.encode()): plain for token in settings.tokens}
        for one in settings.senders:
            sender = Sender(one, monotonic=monotonic)
            self._by_digest |= {self._digest(token.encode()): sender for token in one.tokens}

    def find(self, presented: Iterable[bytes]) -> Sender | None:
        """Return the sender that one of the presented tokens names.

        Digests under a key of this process are compared, so that no time tells how much of a token was right.
        """
        for text in presented:
            sender = self._by_digest.get(self._digest(text))
            if sender is not None:
                return sender
        return None

    def _digest(self, text: bytes) -> bytes:
        return blake2b(text, digest_size=_DIGEST_BYTES, key=self._key).digest()
