"""A delivery's transitions: from a claim to an order, from an outcome or an interruption to the finish; pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import assert_never

import orjson

from schemas.blanking import blank
from schemas.delivery import Blocked, Dead, Delivered, Order, Prepared, Retry, Skipped, State
from schemas.destination import Destination
from schemas.record import record
from tasks.delivery.attempt import Tried
from worker.backoff import wait_s
from worker.ledger.history import Attempt, History
from worker.ledger.records import Claimed, DeliveryRecord, Finish, Verdict, merged

UNSURE = "unsure"
"""The mark in a caller's memory that a request's outcome is unknown: look it up before creating.

A delivery of that caller, whichever it is, then looks before it adds; so while a contact's account cannot be searched,
all calls of that caller fare as the one in doubt does. The next receipt ends the doubt."""


@record
class Ready:
    """A claim whose attempt may begin."""

    claimed: Claimed
    """The claim, with the attempt before it noted where its worker was killed."""
    order: Order
    skip: str
    """The reason to send nothing; empty when the attempt goes on."""
    sent_before: str
    """The digest of what the vendor last confirmed of this call; empty when nothing."""


def begin(
    claimed: Claimed, *, destination: Destination, default_region: str, at_ms: int
) -> Ready | tuple[Finish, Attempt]:
    """Return what the attempt needs, or the end of a delivery that gets no further try."""
    if killed_too_often(claimed, destination.retry_s):
        return given_up(claimed, at_ms=at_ms)
    claimed = noting_interruption(claimed, at_ms=at_ms)
    order = order_of(claimed, destination=destination, default_region=default_region)
    return Ready(claimed=claimed, order=order, skip=skip_reason(claimed), sent_before=sent_before(claimed))


def order_of(claimed: Claimed, *, destination: Destination, default_region: str) -> Order:
    """Build the order: the call as it stands now, and what the ledger remembers of the caller."""
    memory = orjson.loads(claimed.memory) if claimed.memory else {}
    unknown = UNSURE in memory or any(past.unknown for past in claimed.history.attempts)
    return Order(
        key=claimed.key,
        call=merged(claimed.key.call_id, claimed.events, default_region, first_call=claimed.first_call).call,
        destination=destination,
        number=claimed.number,
        unknown_before=unknown,
        memory=memory,
        create_skipped=_without_caller(claimed)
        and all(d.state is not State.DELIVERED for d in claimed.siblings.values()),
    )


def skip_reason(claimed: Claimed) -> str:
    """Return why an update or a withdrawal has nothing to follow (contract, sections 5 and 6); usually empty.

    ``no_create``: its create was not delivered. ``duplicate``: the lead that the vendor has is not ours. An update
    whose create was skipped for want of a caller, who may be known by now, makes what that create would have.
    """
    if claimed.key.action == "create" or _without_caller(claimed):
        return ""
    create = claimed.siblings.get("create")
    if create is None or create.state is not State.DELIVERED:
        return "no_create"
    return "duplicate" if claimed.key.action == "cancel" and create.reason == "duplicate" else ""


def _without_caller(claimed: Claimed) -> bool:
    """Return whether this is an update of a call that had no caller when it was to be created."""
    create = claimed.siblings.get("create")
    return (
        claimed.key.action.startswith("update")
        and create is not None
        and (create.state, create.reason) == (State.SKIPPED, "no_caller")
    )


def sent_before(claimed: Claimed) -> str:
    """Return the digest of what the vendor last confirmed of this call; empty when nothing."""
    delivered = [d for d in claimed.siblings.values() if d.state is State.DELIVERED]
    return max(delivered, key=_at).history.sent_fields if delivered else ""


def _at(delivery: DeliveryRecord) -> int:
    return delivery.at_ms


LEAST_KILLS = 5  # in a row before a delivery is given up, however short its schedule


def killed_too_often(claimed: Claimed, schedule: Sequence[float]) -> bool:
    """Return whether more attempts in a row than the schedule has waits ended without a word: its workers were killed.

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
        key=claimed.key, fence=claimed.fence, lease_end_ms=claimed.lease_end_ms,
        verdict=Verdict.DEAD, reason="exhausted", effect="skip",
        history=claimed.history.add(made),
    )  # fmt: skip
    return finish, made


def interrupted(claimed: Claimed, *, at_ms: int, delay_ms: int, sent: bool) -> Finish:
    """End a claim that was cut: unknown when its request had begun, as if never claimed when not."""
    if not sent:
        return Finish(
            key=claimed.key, fence=claimed.fence, lease_end_ms=claimed.lease_end_ms,
            verdict=Verdict.UNCLAIM, reason=claimed.reason, effect="skip",
            history=claimed.history,
        )  # fmt: skip
    return Finish(
        key=claimed.key, fence=claimed.fence, lease_end_ms=claimed.lease_end_ms,
        verdict=Verdict.INTERRUPTED, reason="interrupted", delay_ms=delay_ms,
        effect="skip", unsure=True,
        history=with_interruption(claimed.history, number=claimed.number, at_ms=at_ms),
    )  # fmt: skip


def put_off(claimed: Claimed, *, until: datetime, now: datetime, reason: str = "quiet_hours") -> Finish:
    """Postpone a lead until its caller may be rung, as if it had not been claimed: it uses no wait of the schedule."""
    delay_ms = max(1, round((until - now).total_seconds() * 1000))
    return Finish(
        key=claimed.key, fence=claimed.fence, lease_end_ms=claimed.lease_end_ms,
        verdict=Verdict.UNCLAIM, reason=reason, delay_ms=delay_ms,
        effect="skip", history=claimed.history,
    )  # fmt: skip


def noting_interruption(claimed: Claimed, *, at_ms: int) -> Claimed:
    """Log the previous attempt when its worker was killed before it could."""
    attempts = claimed.history.attempts
    if claimed.reason != "interrupted" or (attempts and attempts[-1].number == claimed.number - 1):
        return claimed
    return replace(claimed, history=with_interruption(claimed.history, number=claimed.number - 1, at_ms=at_ms))


def with_interruption(history: History, *, number: int, at_ms: int) -> History:
    """Log an attempt with an unknown outcome: its worker was killed or stopped in the middle of it."""
    cut = Attempt(
        number=number, at_ms=at_ms, elapsed_ms=0, status=None, outcome="unknown", reason="interrupted", unknown=True
    )
    return history.add(cut)


def settle(
    tried: Tried, *, order: Order, claimed: Claimed, at_ms: int, elapsed_ms: int, rng: Random
) -> tuple[Finish, Attempt]:
    """Decide what happens after an attempt (contract, section 6: the outcome table and the retry schedule).

    Returns the end to write and the attempt as logged.
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
        key=claimed.key, fence=claimed.fence, lease_end_ms=claimed.lease_end_ms,
        verdict=verdict, reason=reason, delay_ms=round(delay_s * 1000),
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
    """Return the verdict, its reason, the wait in seconds, and the effect on the destination."""
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
    """Return the finish after an error of ours outside of the attempt: by the schedule, then dead (section 6)."""
    claimed = noting_interruption(claimed, at_ms=at_ms)
    delay_s = wait_s(destination.retry_s, claimed.step + 1, rng=rng)
    verdict = Verdict.DEAD if delay_s is None else Verdict.RETRY
    made = Attempt(
        number=claimed.number, at_ms=at_ms, elapsed_ms=0, status=None, outcome=NAMES[verdict], reason="unexpected",
        reply=type(error).__name__, unknown=sent,
    )  # fmt: skip
    finish = Finish(
        key=claimed.key, fence=claimed.fence, lease_end_ms=claimed.lease_end_ms,
        verdict=verdict, reason="unexpected",
        delay_ms=round((delay_s or 0) * 1000), effect="none" if sent else "skip", unsure=sent,
        history=claimed.history.add(made),
    )  # fmt: skip
    return finish, made
