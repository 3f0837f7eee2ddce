"""``switchboard suppress``: keeps the list of numbers that no lead is made for."""

from typing import Any

import click

from deploy.cli.output import Failed, as_option, emit, json_option, say
from deploy.cli.session import Session, with_ledger
from schemas.phones.asked_number import AskedNumber, likely_meant
from worker.ledger import admin, queries
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
            raise Failed(f"{_named(asked)} is not on the list.")
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
            return numbers
        asked = asked_number(session, number)
        held = sorted(asked.numbers & set(numbers))
        if not held:
            raise Failed(f"{_named(asked)} is not on the list.")
        return held

    found = with_ledger(work)
    if as_json:
        emit(found)
        return
    for e164 in found:
        click.echo(e164)
    if not found:
        say("No number is suppressed.")


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


def _named(asked: AskedNumber) -> str:
    return asked.phone.e164 if asked.phone else ", ".join(sorted(asked.numbers))
