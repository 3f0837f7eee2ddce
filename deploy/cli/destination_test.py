"""``switchboard destinations test``: asks a vendor something that creates nothing."""

import asyncio

import click

from deploy import actions
from deploy.cli.output import Failed, as_option, emit, json_option
from deploy.cli.session import put_on_record, read_settings


@click.command
@click.argument("name")
@as_option
@json_option
def test(*, name: str, as_json: bool) -> None:
    """Ask a destination something that creates nothing, and say what was done.

    Comunik8 gets a lead marked as a test, Captorra a post without its required fields, Kapture a search for a customer
    who cannot exist. Status 1 when the answer is not the expected one. A paused or blocked destination stays so.
    """
    _, settings = read_settings()
    destination = settings.destinations.get(name)
    if destination is None:
        raise Failed(f"There is no destination {name}.")
    put_on_record("destinations.test", name)
    tested = asyncio.run(actions.test_destination(destination))
    if as_json:
        emit(tested.shape())
    else:
        click.echo(f"{name}: {tested.did}")
        if tested.ok:
            click.echo(f"{name}: {tested.words} ({tested.status}, {tested.milliseconds} ms)")
    if not tested.ok:
        raise Failed(f"{name}: {tested.reason}{': ' if tested.words else ''}{tested.words}")
