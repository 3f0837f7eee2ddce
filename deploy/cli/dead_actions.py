"""``switchboard dead replay`` and ``drop``: put dead letters back, or give them up."""

from functools import partial
from typing import Any

import click

from deploy import actions
from deploy.cli.output import Failed, as_option, emit, json_option, say, yes_option
from deploy.cli.selection import SAVED_UNPROCESSED, Chosen, Selection, choose, selection_options
from deploy.cli.session import Session, with_ledger
from deploy.cli.steps import Done, in_steps
from deploy.cli.values import Rate
from worker.ledger import admin


@click.command
@selection_options("dead letters")
@click.option("--rate", type=Rate(), metavar="N/s", help="At most so many a second.")
@as_option
@json_option
def replay(*, rate: float | None, as_json: bool, **selected: Any) -> None:
    """Put dead letters back: they are tried again at once, by the present configuration.

    Without keys, those of reason saved_unprocessed are left out unless --reason names it: the vendor has saved them.
    """
    selection = Selection(**selected)
    selection.check()

    async def work(session: Session) -> tuple[Chosen, Done]:
        chosen = await choose(session, selection, leaving_out=SAVED_UNPROCESSED)

        by = session.does("dead.replay", selection.which())
        return chosen, await in_steps(
            chosen.keys, partial(actions.replay, session, by=by), rate=rate, label="replaying"
        )

    chosen, done = with_ledger(work)
    if as_json:
        emit({"replayed": done.count, "left_out": chosen.left_out, "unknown": list(chosen.unknown)})
    else:
        click.echo(f"{done.count} replayed")
    if chosen.left_out:
        say(f"{chosen.left_out} of reason {SAVED_UNPROCESSED} left out; --reason {SAVED_UNPROCESSED} replays them.")
    _end(chosen, done)


@click.command
@selection_options("dead letters")
@yes_option
@as_option
@json_option
def drop(*, yes: bool, as_json: bool, **selected: Any) -> None:
    """Give dead letters up for good: they leave the list, and their calls keep them as cancelled."""
    selection = Selection(**selected)
    selection.check()

    async def work(session: Session) -> tuple[Chosen, Done]:
        chosen = await choose(session, selection)
        if chosen.keys and not yes:
            click.confirm(f"Drop {len(chosen.keys)} dead letters for good?", abort=True, err=True)

        by = session.does("dead.drop", selection.which())
        return chosen, await in_steps(
            chosen.keys, partial(admin.drop, session.ledger, by=by), rate=None, label="dropping"
        )

    chosen, done = with_ledger(work)
    if as_json:
        emit({"dropped": done.count, "unknown": list(chosen.unknown)})
    else:
        click.echo(f"{done.count} dropped")
    _end(chosen, done)


def _end(chosen: Chosen, done: Done) -> None:
    """Raise ``Failed`` where not all that was asked for was done."""
    faults = [f"There is no dead letter {key}." for key in chosen.unknown]
    if done.stopped:
        faults.append(f"Stopped: {len(chosen.keys) - done.count} are left as they were.")
    if faults:
        raise Failed("\n".join(faults))
