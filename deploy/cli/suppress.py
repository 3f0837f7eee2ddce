"""``switchboard suppress``: keeps the list of numbers that no lead is made for."""

from typing import Any

import click

from deploy.cli.console import Failed, emit, json_option, say
from deploy.cli.session import Session, with_ledger
from schemas.phone import read_phone
from worker.ledger import browse, operate


@click.group
def suppress() -> None:
    """Keep the list of numbers that no lead is made for.

    It is looked at before each attempt at a dialler (Comunik8); other destinations do not ask it.
    """


@suppress.command
@click.argument("number")
@json_option
def add(*, number: str, as_json: bool) -> None:
    """Make no lead for NUMBER any more, queued ones included."""

    async def work(session: Session) -> dict[str, Any]:
        e164 = number_of(session, number)
        return {"number": e164, "changed": await operate.suppress(session.ledger, e164)}

    done = with_ledger(work)
    if as_json:
        emit(done)
    else:
        click.echo(f"{done['number']} is suppressed" if done["changed"] else f"{done['number']} was suppressed already")


@suppress.command
@click.argument("number")
@json_option
def remove(*, number: str, as_json: bool) -> None:
    """Make leads for NUMBER again."""

    async def work(session: Session) -> dict[str, Any]:
        e164 = number_of(session, number)
        if not await operate.unsuppress(session.ledger, e164):
            raise Failed(f"{e164} is not on the list.")
        return {"number": e164, "changed": True}

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
        numbers = await browse.suppressed(session.ledger)
        if number is None:
            return numbers
        e164 = number_of(session, number)
        if e164 not in numbers:
            raise Failed(f"{e164} is not on the list.")
        return [e164]

    found = with_ledger(work)
    if as_json:
        emit(found)
        return
    for e164 in found:
        click.echo(e164)
    if not found:
        say("No number is suppressed.")


def number_of(session: Session, text: str) -> str:
    """Write a number as E.164; raises ``BadParameter`` when it is no possible one."""
    phone = read_phone(text, default_region=session.settings.calls.default_region)
    if phone is None:
        raise click.BadParameter(f"{text!r} is no possible phone number", param_hint="NUMBER")
    return phone.e164
