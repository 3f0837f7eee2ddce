"""``switchboard suppress``: keeps the list of numbers that no lead is made for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from deploy.cli.number_list import NumberList
from deploy.cli.output import Failed, as_option, counted, emit, json_option, say
from deploy.cli.session import Session, with_ledger
from deploy.cli.values import iso
from schemas.phones.asked_number import AskedNumber, likely_meant
from worker.ledger import admin, queries
from worker.ledger.do_not_call import LoadedList, load, loaded_list, release
from worker.redaction import mask_number


@click.group
def suppress() -> None:
    """Keep the list of numbers that no lead is made for.

    It is looked at before each attempt at a dialler (Comunik8); other destinations do not ask it.
    """


@suppress.command
@click.argument("number")
@as_option
@json_option
def add(*, number: str, as_json: bool) -> None:
    """Make no lead for NUMBER any more, queued ones included."""

    async def work(session: Session) -> dict[str, Any]:
        asked = asked_number(session, number, needed=True)
        e164 = asked.phone.e164 if asked.phone else ""
        changed = await admin.suppress(session.ledger, e164, by=session.does("suppress.add", mask_number(e164)))
        return {"number": e164, "changed": changed, "understood": asked.shape()}

    done = with_ledger(work)
    if as_json:
        emit(done)
    else:
        click.echo(f"{done['number']} is suppressed" if done["changed"] else f"{done['number']} was suppressed already")


@suppress.command
@click.argument("number")
@as_option
@json_option
def remove(*, number: str, as_json: bool) -> None:
    """Make leads for NUMBER again."""

    async def work(session: Session) -> dict[str, Any]:
        asked = asked_number(session, number)
        held = sorted(asked.numbers & set(await queries.suppressed(session.ledger)))
        by = session.does("suppress.remove", " ".join(map(mask_number, held)))
        if not held or not await admin.unsuppress(session.ledger, *held, by=by):
            listed = [one for one in asked.numbers if await session.ledger.is_suppressed(one)]
            where = "not on the list" if not listed else "on the do-not-call list that was loaded: load one without it"
            raise Failed(f"{_named(asked)} is {where}.")
        return {"number": ", ".join(held), "changed": True, "understood": asked.shape()}

    done = with_ledger(work)
    if as_json:
        emit(done)
    else:
        click.echo(f"{done['number']} is no longer suppressed")


@suppress.command("list")
@click.argument("number", required=False)
@json_option
def list_numbers(*, number: str | None, as_json: bool) -> None:
    """List the suppressed numbers, or say whether NUMBER is one (status 1: it is not)."""

    async def work(session: Session) -> list[str]:
        numbers = await queries.suppressed(session.ledger)
        if number is None:
            _tell_misread(session, numbers)
            if listed := await loaded_list(session.ledger):
                say(f"Beside these, {counted(listed.count, 'number')} of the do-not-call list: {_loaded_at(listed)}.")
            return numbers
        asked = asked_number(session, number)
        standings = {one: await session.ledger.standing_of(one) for one in asked.numbers}
        held = sorted(one for one, standing in standings.items() if standing.suppressed)
        if not held:
            raise Failed(f"{_named(asked)} is not on the list.")
        if not set(numbers).issuperset(held):
            say("It stands on the do-not-call list that was loaded by `switchboard suppress import`.")
        return held

    found = with_ledger(work)
    if as_json:
        emit(found)
        return
    for e164 in found:
        click.echo(e164)
    if not found:
        say("No number is suppressed.")


@suppress.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--column", help="The header of the column with the numbers.  [default: the first column]")
@as_option
@json_option
def import_list(*, file: BinaryIO, column: str | None, as_json: bool) -> None:
    """Load the do-not-call list FILE in the place of the one loaded before; - is standard input.

    One number a line, or a CSV file. The list before stays in use until all of this one is read, and what `suppress
    add` put on the list stays on it. Leads that were held for want of a fresh list go out.
    """

    async def work(session: Session) -> dict[str, Any]:
        numbers = NumberList(file, column, session.settings.calls.default_region)
        by = session.does("suppress.import", Path(file.name).name)
        done = await load(session.ledger, _once_most_are_read(numbers), by=by)
        if done is None:
            raise Failed("The list was lost while it was loaded; the one before is still in use. Load it again.")
        known = await queries.known_destinations(session.ledger)
        released = await release(session.ledger, sorted(known & session.settings.destinations.keys()))
        return {
            "numbers": done.count, "before": done.before, "doubled": numbers.read - done.count,
            "unread": numbers.unread, "unread_lines": numbers.unread_lines, "released": released,
        }  # fmt: skip

    done = with_ledger(work)
    if as_json:
        emit(done)
        return
    click.echo(f"{counted(done['numbers'], 'number')} loaded; the list before had {done['before']:,}")
    if done["unread"]:
        lines = ", ".join(map(str, done["unread_lines"]))
        more = " and more" if done["unread"] > len(done["unread_lines"]) else ""
        say(f"{counted(done['unread'], 'line')} held no number, and were passed over: {lines}{more}")
    if done["released"]:
        say(f"{counted(done['released'], 'lead')} waited for a list, and go out now.")


def _once_most_are_read(numbers: NumberList) -> Iterator[str]:
    """Return the numbers; raises ``Failed`` at the end of what is no list of numbers, so that it replaces none."""
    yield from numbers
    if not numbers.read or numbers.unread > numbers.read:
        raise Failed(
            f"{counted(numbers.read, 'line')} held a number and {numbers.unread} held none: this is no list of numbers,"
            " or --column names another column. The list before is still in use."
        )


def asked_number(session: Session, text: str, *, needed: bool = False) -> AskedNumber:
    """Read a number as callers are read, and print how it was read; raises ``BadParameter``.

    ``needed``: one that only versions before could read is none.
    """
    settings = session.settings
    regions = dict.fromkeys(one.region for one in settings.destinations.values())
    try:
        asked = AskedNumber.read(text, default_region=settings.calls.default_region, regions=regions)
    except ValueError:
        asked = None
    if asked is None or (needed and asked.phone is None) or asked.is_anothers:
        raise click.BadParameter(f"{text!r} is no possible phone number", param_hint="NUMBER")
    say(asked.sentence())
    return asked


def _tell_misread(session: Session, numbers: list[str]) -> None:
    """Print which numbers an earlier version misread, so that nobody is called who asked not to be."""
    for number in numbers:
        meant = likely_meant(number, default_region=session.settings.calls.default_region)
        if meant is not None and meant not in numbers:
            say(f"{number} was misread by an earlier version; add {meant} if that is meant.")


def _loaded_at(listed: LoadedList) -> str:
    return f"loaded at {iso(listed.loaded_ms)}" if listed.loaded_ms else "not whole since a restore, load it again"


def _named(asked: AskedNumber) -> str:
    return asked.phone.e164 if asked.phone else ", ".join(sorted(asked.numbers))
