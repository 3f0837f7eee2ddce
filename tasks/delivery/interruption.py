"""Attempts that ended with their worker: how they are logged, tried again, and when they are given up; pure."""

from collections.abc import Sequence
from dataclasses import replace

from worker.ledger.history import Attempt, History
from worker.ledger.records import Claimed, Finish, Verdict

LEAST_KILLS = 5  # in a row before a delivery is given up, however short its schedule


def killed_too_often(claimed: Claimed, schedule: Sequence[float]) -> bool:
    """Say whether more attempts in a row than the schedule has waits ended without a word: its workers were killed.

    A delivery that brings its worker down each time would do so for ever, an attempt each lease.
    """
    attempts = claimed.history.attempts
    unlogged = claimed.number - 1 - (attempts[-1].number if attempts else 0)
    return unlogged > max(LEAST_KILLS, len(schedule))


def given_up(claimed: Claimed, *, at_ms: int) -> tuple[Finish, Attempt]:
    """End a delivery that was killed too often, without another try: a dead letter, ``exhausted``."""
    made = Attempt(
        number=claimed.number, at_ms=at_ms, elapsed_ms=0, status=None, outcome="dead", reason="exhausted",
        reply="each attempt ended with its worker", unknown=True,
    )  # fmt: skip
    finish = Finish(
        key=claimed.key, fence=claimed.fence, verdict=Verdict.DEAD, reason="exhausted", effect="skip",
        history=claimed.history.add(made),
    )  # fmt: skip
    return finish, made


def interrupted(claimed: Claimed, *, at_ms: int, delay_ms: int, sent: bool) -> Finish:
    """End a claim that was cut: unknown when its request had begun, as if never claimed when not."""
    if not sent:
        return Finish(
            key=claimed.key, fence=claimed.fence, verdict=Verdict.UNCLAIM, reason=claimed.reason, effect="skip",
            history=claimed.history,
        )  # fmt: skip
    return Finish(
        key=claimed.key, fence=claimed.fence, verdict=Verdict.INTERRUPTED, reason="interrupted", delay_ms=delay_ms,
        effect="skip", unsure=True,
        history=with_interruption(claimed.history, number=claimed.number, at_ms=at_ms),
    )  # fmt: skip


def noting_interruption(claimed: Claimed, *, at_ms: int) -> Claimed:
    """Log the attempt before this one when its worker was killed and nobody else could."""
    attempts = claimed.history.attempts
    if claimed.reason != "interrupted" or (attempts and attempts[-1].number == claimed.number - 1):
        return claimed
    return replace(claimed, history=with_interruption(claimed.history, number=claimed.number - 1, at_ms=at_ms))


def with_interruption(history: History, *, number: int, at_ms: int) -> History:
    """Log an attempt whose outcome nobody saw: a worker killed or stopped in the middle of it."""
    cut = Attempt(
        number=number, at_ms=at_ms, elapsed_ms=0, status=None, outcome="unknown", reason="interrupted", unknown=True
    )
    return history.add(cut)
