"""Turns what an attempt came to into the end of its claim: the verdict, the wait, the log; pure."""

from dataclasses import replace
from random import Random
from typing import assert_never

import orjson

from schemas.blanking import blank
from schemas.delivery import Blocked, Dead, Delivered, Order, Prepared, Retry, Skipped
from schemas.destination import Destination
from tasks.delivery.attempt import Tried
from tasks.delivery.order import UNSURE
from worker.backoff import wait_s
from worker.ledger.history import Attempt
from worker.ledger.records import Claimed, Finish, Verdict


def settle(
    tried: Tried, *, order: Order, claimed: Claimed, at_ms: int, elapsed_ms: int, rng: Random
) -> tuple[Finish, Attempt]:
    """Decide what happens after an attempt (contract, section 6: the outcome table and the retry schedule).

    Gives the end to write and the attempt as logged.
    """
    verdict, reason, delay_s, effect = judge_next(tried, order=order, claimed=claimed, rng=rng)
    outcome = tried.outcome
    notes = list(tried.prepared.notes) if tried.prepared is not None else []
    notes += order.call.notes
    memory, fields = "", claimed.history.sent_fields
    if isinstance(outcome, Delivered):
        receipt = outcome.receipt
        notes += ["duplicate"] if receipt.duplicate else []
        notes += [receipt.note] if receipt.note else []
        notes += [f"remote id {receipt.remote_id}"] if receipt.remote_id else []
        if receipt.remember:
            known = {name: text for name, text in order.memory.items() if name != UNSURE}
            memory = orjson.dumps({**known, **receipt.remember}).decode()
        fields = tried.sent_fields
    unknown = isinstance(outcome, Retry) and outcome.unknown
    made = Attempt(
        number=claimed.number,
        at_ms=at_ms,
        elapsed_ms=elapsed_ms,
        status=tried.status,
        outcome="blocked" if isinstance(outcome, Blocked) and not outcome.dead else NAMES[verdict],
        reason=reason,
        reply=tried.reply,
        unknown=unknown,
    )
    if verdict is Verdict.SKIPPED:
        history = claimed.history.add(made, notes=notes)
    else:
        history = claimed.history.add(made, notes=notes, sent_version=claimed.version, sent_fields=fields)
    if verdict is Verdict.DEAD:
        history = replace(history, payload=payload_of(tried.prepared, order))
    elif history.payload:
        history = replace(history, payload="")
    finish = Finish(
        key=claimed.key, fence=claimed.fence, verdict=verdict, reason=reason, delay_ms=round(delay_s * 1000),
        effect=effect, memory=memory, unsure=unknown, history=history,
    )  # fmt: skip
    return finish, made


NAMES = {
    Verdict.DELIVERED: "delivered",
    Verdict.DEAD: "dead",
    Verdict.SKIPPED: "skipped",
    Verdict.CANCELLED: "cancelled",
    Verdict.RETRY: "retry",
    Verdict.HOLD: "blocked",
    Verdict.UNCLAIM: "unclaimed",
    Verdict.INTERRUPTED: "unknown",
}


def judge_next(tried: Tried, *, order: Order, claimed: Claimed, rng: Random) -> tuple[Verdict, str, float, str]:
    """Give the verdict, its reason, the wait in seconds, and the effect on the destination."""
    outcome = tried.outcome
    match outcome:
        case Delivered():
            return Verdict.DELIVERED, "duplicate" if outcome.receipt.duplicate else "", 0, "ok"
        case Skipped(reason):
            return Verdict.SKIPPED, reason, 0, "skip"
        case Dead(reason):
            return Verdict.DEAD, reason, 0, "none" if tried.status is not None else "skip"
        case Blocked():
            if outcome.dead:
                return (
                    Verdict.DEAD,
                    "saved_unprocessed",
                    0,
                    f"block:{'soon' if outcome.probe else 'never'}:{outcome.reason}",
                )
            if not outcome.confirm:
                return Verdict.HOLD, outcome.reason, 0, f"block:{'soon' if outcome.probe else 'never'}:{outcome.reason}"
            effect, exhausted_as, asked = "refuse", "rejected", None
        case Retry():
            effect, exhausted_as, asked = (
                "fail" if outcome.counts else "none",
                outcome.exhausted_as,
                outcome.retry_after_s,
            )
        case _:
            assert_never(outcome)
    delay_s = wait_s(order.destination.retry_s, claimed.step + 1, rng=rng, retry_after_s=asked)
    if delay_s is None:
        return Verdict.DEAD, exhausted_as, 0, effect
    return Verdict.RETRY, outcome.reason, delay_s, effect


def payload_of(prepared: Prepared | None, order: Order) -> str:
    """Write the body as it was sent, for a dead letter; secrets blanked. The URL and the headers are not in it."""
    if prepared is None:
        return ""
    body = prepared.request.json if prepared.request.json is not None else prepared.request.form
    return blank(orjson.dumps(body).decode(), order.destination.secrets)[:8192]


def unexpected(
    claimed: Claimed, *, destination: Destination, at_ms: int, error: Exception, sent: bool, rng: Random
) -> tuple[Finish, Attempt]:
    """End an attempt that an error of ours ended outside of it: by the schedule, then dead (contract, section 6)."""
    delay_s = wait_s(destination.retry_s, claimed.step + 1, rng=rng)
    verdict = Verdict.DEAD if delay_s is None else Verdict.RETRY
    made = Attempt(
        number=claimed.number, at_ms=at_ms, elapsed_ms=0, status=None, outcome=NAMES[verdict], reason="unexpected",
        reply=type(error).__name__, unknown=sent,
    )  # fmt: skip
    finish = Finish(
        key=claimed.key, fence=claimed.fence, verdict=verdict, reason="unexpected",
        delay_ms=round((delay_s or 0) * 1000), effect="none" if sent else "skip", unsure=sent,
        history=claimed.history.add(made),
    )  # fmt: skip
    return finish, made
