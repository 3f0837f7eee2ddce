"""``switchboard deliveries retry``, ``cancel`` and ``redeliver``: an operator's actions on deliveries."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import click

from deploy import actions
from deploy.cli.output import Failed, as_option, emit, json_option, yes_option
from deploy.cli.rendering import in_order
from deploy.cli.selection import Selection, destinations_meant, read_key, selection_options
from deploy.cli.session import Session, with_ledger
from deploy.cli.steps import Act, Done, in_steps
from schemas.delivery import FINAL, DeliveryKey, State
from worker.ledger import admin, queries
from worker.ledger.records import DeliveryRecord

OPEN = frozenset({State.QUEUED, State.RETRYING})


@click.command
@selection_options("deliveries")
@yes_option
@as_option
@json_option
def retry(*, yes: bool, as_json: bool, **selected: Any) -> None:
    """Try deliveries now, whatever their wait. Those of a paused or blocked destination go on waiting for it.

    Keys, or filters: --since and --until go by the receipt of the call.
    """
    selection = Selection(**selected)
    selection.check()

    async def work(session: Session) -> tuple[Sequence[DeliveryKey], Done]:
        by = session.does("deliveries.retry", selection.which())
        act = partial(admin.retry, session.ledger, by=by)
        return await _act(session, selection, OPEN, act, question=None if yes else "Retry {} now?", label="retrying")

    _tell(*with_ledger(work), selection, "retried", as_json=as_json)


@click.command
@selection_options("deliveries")
@yes_option
@as_option
@json_option
def cancel(*, yes: bool, as_json: bool, **selected: Any) -> None:
    """Cancel what is not sent: it is never sent, unless it is redelivered. What is under way is left alone.

    A delivery that is retried may have landed, if an earlier answer was lost. Keys, or filters: --since and --until go
    by the receipt of the call.
    """
    selection = Selection(**selected)
    selection.check()

    async def work(session: Session) -> tuple[Sequence[DeliveryKey], Done]:
        by = session.does("deliveries.cancel", selection.which())
        act = partial(admin.cancel, session.ledger, by=by)
        question = None if yes else "Cancel {} for good?"
        return await _act(session, selection, OPEN, act, question=question, label="cancelling")

    _tell(*with_ledger(work), selection, "cancelled", as_json=as_json)


@click.command
@selection_options("deliveries")
@click.option(
    "--state", "states", multiple=True, type=click.Choice([state.value for state in State if state in FINAL]),
    help="Those in this final state; may be repeated, and is needed with filters.",
)  # fmt: skip
@yes_option
@as_option
@json_option
def redeliver(*, states: tuple[str, ...], yes: bool, as_json: bool, **selected: Any) -> None:
    """Deliver final deliveries again: the vendor may get them twice. They are shown with reason redelivered.

    Keys, or filters with --state: --since and --until go by the receipt of the call, for dead ones by when they died.
    """
    selection = Selection(**selected)
    selection.check()
    if not selection.keys and not states:
        raise click.UsageError("Filters need --state, so that nothing is delivered twice by the way.")
    wanted = frozenset(State(state) for state in states) or FINAL

    async def work(session: Session) -> tuple[Sequence[DeliveryKey], Done]:
        which = " ".join(filter(None, (selection.which(), *(f"state={state}" for state in states))))
        by = session.does("deliveries.redeliver", which)
        act = partial(actions.redeliver, session, states=tuple(wanted), by=by)
        question = None if yes else "Deliver {} again? A vendor may get them twice."
        return await _act(session, selection, wanted, act, question=question, label="redelivering")

    _tell(*with_ledger(work), selection, "redelivered", as_json=as_json)


async def _act(
    session: Session, selection: Selection, states: frozenset[State], act: Act, *, question: str | None, label: str
) -> tuple[Sequence[DeliveryKey], Done]:
    keys = [
        record.key
        async for record in chosen(session, selection, states)
        if record.state in states and selection.reason in {None, record.reason}
    ]
    if keys and question:
        noun = "delivery" if len(keys) == 1 else "deliveries"
        click.confirm(question.format(f"{len(keys)} {noun}"), abort=True, err=True)
    return keys, await in_steps(keys, act, rate=None, label=label)


async def chosen(session: Session, selection: Selection, states: frozenset[State]) -> AsyncIterator[DeliveryRecord]:
    """Return the deliveries that a selection may mean, from the shortest list that holds all of these states."""
    ledger = session.ledger
    if selection.keys:
        keys = [read_key(key, "delivery") for key in dict.fromkeys(selection.keys)]
        for record in await queries.find(ledger, keys):
            if record is not None:
                yield record
        return
    names = [name for name in await destinations_meant(session, selection.destination) if name != queries.CALLS]
    since, until = selection.since_ms, selection.until_ms
    if states == {State.DEAD}:
        async for letter in queries.dead_letters(ledger, names, since_ms=since, until_ms=until):
            if letter.record is not None:
                yield letter.record
        return
    pages = (
        queries.calls_with_open_work(ledger, names, since_ms=since, until_ms=until)
        if states == OPEN
        else queries.call_ids(ledger, since_ms=since, until_ms=until)
    )
    async for page in pages:
        for stored in await ledger.load(page):
            for record in in_order(stored, session):
                if record.key.destination in names:
                    yield record


def _tell(keys: Sequence[DeliveryKey], done: Done, selection: Selection, did: str, *, as_json: bool) -> None:
    """Print the count; raises ``Failed`` unless everything was done that was asked for."""
    known = {str(key) for key in keys}
    unknown = [key for key in dict.fromkeys(selection.keys) if key not in known]
    left = len(keys) - done.count
    if as_json:
        emit({did: done.count, "left": left, "unknown": unknown})
    else:
        click.echo(f"{done.count} {did}")
    faults = [f"There is no delivery {key} that could be {did}." for key in unknown]
    if done.stopped:
        faults.append(f"Stopped: {left} are left as they were.")
    elif left and selection.keys:
        faults.append(f"{left} could not be {did}: under way, final or behind another one by now.")
    if faults:
        raise Failed("\n".join(faults))
