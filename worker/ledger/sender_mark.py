"""The mark of a sender before an event's record: the services that it speaks for, for the ledger to compare.

`@NAME`, the event's own service, the record, a line each; or `?NAME`, all services of the sender, the record, where the
event names none. A record holds no line break, and without senders there is no mark. `accept` takes the mark off: an
event joins only a call of one of these services, and one that names none begins no call.
"""

from collections.abc import Iterable

_FOREIGN = "the call is of another service"

_NAMED, _UNNAMED = "@", "?"


def mark(record: str, *, sender: str, service: str | None, services: Iterable[str]) -> str:
    """Put the mark before a record; ``service`` is the event's own, if it names one."""
    if service is not None:
        return f"{_NAMED}{sender}\n{service}\n{record}"
    return "\n".join([_UNNAMED + sender, *services, record])


def sender_of(record: str) -> str:
    """Return the sender that a record's mark names; empty without a mark."""
    return record[1:].partition("\n")[0] if record[:1] in {_NAMED, _UNNAMED} else ""


def unmarked(record: str) -> str:
    """Return the record without its mark."""
    return record.rpartition("\n")[2]


def foreign(record: str) -> str:
    """Return the reason for which a marked event is kept in quarantine."""
    return f"{_FOREIGN}: sent by {sender_of(record)}"


def is_foreign(reason: str) -> bool:
    """Return whether a body waits in quarantine because its sender does not speak for its call."""
    return reason.startswith(_FOREIGN)
