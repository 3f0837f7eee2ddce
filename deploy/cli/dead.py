"""``switchboard dead``: look at dead letters, replay or drop them."""

import json
from functools import partial
from typing import Any

import click

from deploy import actions
from deploy.cli.output import (
    Failed,
    as_option,
    emit,
    json_option,
    limit_of,
    limit_option,
    print_table,
    say,
    shown,
    yes_option,
)
from deploy.cli.rendering import Causes, attempt_shape, dead_line, merged, print_attempts
from deploy.cli.selection import SAVED_UNPROCESSED, Chosen, Selection, choose, letters, read_key, selection_options
from deploy.cli.session import Session, with_ledger
from deploy.cli.steps import Done, in_steps
from deploy.cli.values import Rate, since_option, until_option
from worker.ledger import admin, queries


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
    """Return dead letters up for good: they leave the list, and their calls keep them as cancelled."""
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
    """Raise ``Failed`` unless everything was done that was asked for."""
    faults = [f"There is no dead letter {key}." for key in chosen.unknown]
    if done.stopped:
        faults.append(f"Stopped: {len(chosen.keys) - done.count} are left as they were.")
    if faults:
        raise Failed("\n".join(faults))


@click.group
def dead() -> None:
    """Look at dead letters, replay or drop them.

    The key of a dead letter is CALL_ID:DESTINATION:ACTION; a call whose start never came is CALL_ID:calls:start.
    """


dead.add_command(replay)
dead.add_command(drop)


@dead.command("list")
@click.option("--destination", metavar="NAME", help="Only those of one destination; calls: those without a start.")
@click.option("--reason", help="Only those of this reason.")
@since_option
@until_option
@click.option("--by", type=click.Choice(["cause"]), help="Group by destination, reason and the vendor's words.")
@limit_option
@json_option
def list_dead(
    *, destination: str | None, reason: str | None, since_ms: int | None, until_ms: int | None, by: str | None,
    limit: int | None, as_json: bool,
) -> None:  # fmt: skip
    """List dead letters, of each destination the newest first."""
    selection = Selection(destination=destination, reason=reason, since_ms=since_ms, until_ms=until_ms)

    async def work(session: Session) -> list[dict[str, Any]]:
        most = limit_of(limit, as_json=as_json)
        causes, lines = Causes(), list[dict[str, Any]]()
        async for letter in letters(session, selection):
            line = dead_line(letter, session)
            if by is not None:
                causes.add(line)
                continue
            lines.append(line)
            if len(lines) == most:
                break
        return lines if by is None else causes.groups()[:most]

    found = with_ledger(work)
    if as_json:
        emit(found)
        return
    columns: tuple[str, ...] = ("key", "reason", "died_at", "attempts", "words")
    least: tuple[str, ...] = ("words", "attempts", "died_at")
    if by is not None:
        columns = ("count", "destination", "reason", "words", "oldest", "newest", "example")
        least = ("newest", "oldest", "words")
    rows = [[line[name] for name in columns] for line in found]
    print_table(columns, rows, least=least, empty="There is no such dead letter.")


@dead.command
@click.argument("key")
@json_option
def show(*, key: str, as_json: bool) -> None:
    """Show a dead letter: the vendor's words, the payload as it was sent, every attempt."""

    async def work(session: Session) -> dict[str, Any]:
        letter = await queries.find_dead(session.ledger, read_key(key))
        if letter is None:
            raise Failed(f"There is no dead letter {key}.")
        stored = await queries.load_one(session.ledger, letter.key.call_id)
        history = letter.record.history if letter.record else None
        return {
            **dead_line(letter, session),
            "notes": list(history.notes) if history else [],
            "payload": _payload(history.payload) if history else None,
            "attempts": [attempt_shape(attempt) for attempt in history.attempts] if history else [],
            "call": merged(session, stored).call.canonical() if stored else {},
        }

    found = with_ledger(work)
    if as_json:
        emit(found)
        return
    for name in ("key", "reason", "words", "died_at"):
        click.echo(shown(f"{name}: {found[name]}"))
    click.echo(shown(f"payload: {json.dumps(found['payload'], ensure_ascii=False)}"))  # to be pasted into a request
    for note in found["notes"]:
        click.echo(shown(f"note: {note}"))
    print_attempts(found["attempts"])


def _payload(text: str) -> Any:
    """Return the payload as JSON; a very long one was cut, and is returned as text."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
