"""What a delivery remembers of its attempts: how much of each reply."""

import pytest

from worker.ledger.history import Attempt, History

LONG = "x" * 3000


def history(*outcomes: str) -> History:
    """Return a history of attempts that came to ``outcomes``, each with a long reply."""
    made = History()
    for number, outcome in enumerate(outcomes, 1):
        reply = LONG if outcome != "skipped" else ""
        made = made.add(Attempt(number=number, at_ms=0, elapsed_ms=0, status=500, outcome=outcome, reply=reply))
    return made


@pytest.mark.parametrize(
    ("outcomes", "lengths"),
    [
        (("retry",), [2048]),
        (("delivered",), [256]),
        (("retry", "retry", "dead"), [200, 200, 2048]),
        (("retry", "blocked", "delivered"), [200, 2048, 256]),
        (("retry", "retry", "skipped"), [200, 2048, 0]),
        (("retry", "skipped", "retry"), [200, 0, 2048]),
    ],
)
def test_the_last_failed_reply_is_kept_long(outcomes, lengths):
    """2 KB of it, whatever came after; 256 characters of a receipt, 200 of every failure before it."""
    assert lengths == [len(attempt.reply) for attempt in history(*outcomes).attempts]


def test_the_newest_attempts_are_kept():
    """Twenty, with their numbers."""
    assert [*range(6, 26)] == [attempt.number for attempt in history(*["retry"] * 25).attempts]
