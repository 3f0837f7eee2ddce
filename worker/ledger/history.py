"""The history of a delivery: its attempts, its notes, and what was last sent."""

from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from typing import Any

import orjson

from schemas.record import record
from worker.errors import UnreadableError

KEPT_ATTEMPTS = 20
DELIVERED_REPLY = 256  # characters of the reply kept when the attempt delivered
FAILED_REPLY = 2048  # of the last failed one
EARLIER_REPLY = 200  # of those before it
FAILED = frozenset({"retry", "dead", "blocked"})


@record
class Attempt:
    """One try of a delivery (contract, section 6); ``reply`` has its secrets blanked already."""

    number: int
    at_ms: int
    elapsed_ms: int
    status: int | None
    """The HTTP status; ``None`` when no reply came."""
    outcome: str
    """``delivered``, ``retry``, ``dead``, ``blocked``, ``skipped`` or ``unknown``."""
    reason: str = ""
    reply: str = ""
    unknown: bool = False
    """No answer came, and the vendor may have done what it was asked."""
    later: tuple[Any, ...] = field(default=(), repr=False)
    """What a later version keeps beside it; written back as it came."""


@record
class History:
    """The part of a delivery that the holder of the claim rewrites whole; the scripts never look inside."""

    attempts: tuple[Attempt, ...] = ()
    notes: tuple[str, ...] = ()
    sent_version: int = 0
    """How many events the call had when the last request went out."""
    sent_fields: str = ""
    """A digest of the mapped values that the vendor confirmed."""
    payload: str = ""
    """The request as sent, secrets blanked; kept for dead letters only."""
    later: tuple[Any, ...] = field(default=(), repr=False)
    """What a later version keeps beside it; written back as it came."""

    def add(
        self,
        attempt: Attempt,
        *,
        notes: Sequence[str] = (),
        sent_version: int | None = None,
        sent_fields: str | None = None,
    ) -> "History":
        """Append an attempt, cutting the older replies and dropping what is beyond the newest 20.

        The reply of the last failed attempt stays whole, also before attempts that did not fail.
        ``sent_version`` and ``sent_fields`` are those of its request; ``None``: as before.
        """
        past = self.attempts[1 - KEPT_ATTEMPTS :]
        older: Iterable[Attempt] = ()
        if past:
            last_failed = next((one for one in (attempt, *reversed(past)) if one.outcome in FAILED), None)
            older = (_cut(one, FAILED_REPLY if one is last_failed else EARLIER_REPLY) for one in past)
        limit = DELIVERED_REPLY if attempt.outcome == "delivered" else FAILED_REPLY
        fresh = tuple(note for note in dict.fromkeys(notes) if note not in self.notes) if notes else ()
        return History(
            attempts=(*older, _cut(attempt, limit)),
            notes=(*self.notes, *fresh),
            sent_version=self.sent_version if sent_version is None else sent_version,
            sent_fields=self.sent_fields if sent_fields is None else sent_fields,
            payload=self.payload,
            later=self.later,
        )

    def dump(self) -> str:
        """Write it compactly, as the ledger stores it: JSON lists without names; empty when there is nothing."""
        if self == _EMPTY:
            return ""
        attempts = [
            [a.number, a.at_ms, a.elapsed_ms, a.status, a.outcome, a.reason, a.reply, int(a.unknown), *a.later]
            for a in self.attempts
        ]
        tail: list[Any] = [attempts, self.notes, self.sent_version, self.sent_fields, self.payload, *self.later]
        return orjson.dumps(tail).decode()

    @classmethod
    def load(cls, text: str) -> "History":
        """Read what ``dump`` wrote, of a later version too where it has more values; raises ``UnreadableError``."""
        if not text:
            return _EMPTY
        try:
            attempts, notes, sent_version, sent_fields, payload, *later = orjson.loads(text)
            return cls(
                attempts=tuple(_attempt(*values) for values in attempts),
                notes=tuple(notes),
                sent_version=sent_version,
                sent_fields=sent_fields,
                payload=payload,
                later=tuple(later),
            )
        except (ValueError, TypeError) as error:
            raise UnreadableError("log") from error


def _cut(attempt: Attempt, limit: int) -> Attempt:
    return attempt if len(attempt.reply) <= limit else replace(attempt, reply=attempt.reply[:limit])


def _attempt(  # noqa: PLR0917  the order of the stored list
    number: int,
    at_ms: int,
    elapsed_ms: int,
    status: int | None,
    outcome: str,
    reason: str,
    reply: str,
    unknown: int,
    *later: Any,
) -> Attempt:
    return Attempt(
        number=number,
        at_ms=at_ms,
        elapsed_ms=elapsed_ms,
        status=status,
        outcome=outcome,
        reason=reason,
        reply=reply,
        unknown=bool(unknown),
        later=later,
    )


_EMPTY = History()
