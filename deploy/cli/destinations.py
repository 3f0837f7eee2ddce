"""``switchboard destinations``: look at destinations, pause, resume or test them."""

import asyncio
from typing import Any

import click

from deploy import actions
from deploy.cli.output import Failed, as_option, emit, json_option, print_table
from deploy.cli.rendering import Gates
from deploy.cli.session import Session, put_on_record, with_ledger
from deploy.cli.startup import read_settings
from deploy.cli.values import iso
from worker.ledger import admin, queries


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


@click.group
def destinations() -> None:
    """Look at destinations, pause, resume or test them."""


destinations.add_command(test)


@destinations.command("list")
@json_option
def list_destinations(*, as_json: bool) -> None:
    """List the configured destinations, and those that have deliveries and are not configured."""

    async def work(session: Session) -> list[dict[str, Any]]:
        gates = await Gates.read(session)
        in_flight = [record.key.destination for record in await queries.in_flight(session.ledger)]
        return [
            {
                "destination": name,
                "vendor": session.vendor_of(name),
                "state": gates.shut(name) or "ok",
                "paused": status.paused,
                "blocked": status.blocked,
                "circuit_open": status.open,
                "next_probe": _moment(status.gate.get("probe_at", "")),
                "queued": status.queued,
                "due": status.due,
                "in_flight": in_flight.count(name),
                "dead": status.dead,
                "oldest_due_seconds": status.overdue_s,
            }
            for name, status in gates.statuses.items()
        ]

    found = with_ledger(work)
    if as_json:
        emit(found)
        return
    columns = ("destination", "vendor", "state", "next_probe", "queued", "due", "in_flight", "dead")
    rows = [[line[name] for name in columns] for line in found]
    least = ("next_probe", "in_flight", "vendor")
    print_table(columns, rows, least=least, empty="No destination is configured.")


@destinations.command
@click.argument("name")
@as_option
@json_option
def pause(*, name: str, as_json: bool) -> None:
    """Stop sending to a destination; its deliveries keep queueing until it is resumed."""

    async def work(session: Session) -> bool:
        await _require(session, name)
        return await admin.pause(session.ledger, name, by=session.does("destinations.pause", name))

    changed = with_ledger(work)
    if as_json:
        emit({"destination": name, "paused": True, "changed": changed})
    else:
        click.echo(f"{name} is paused" if changed else f"{name} was paused already")


@destinations.command
@click.argument("name")
@as_option
@json_option
def resume(*, name: str, as_json: bool) -> None:
    """Send to a destination again, whether it was paused, blocked or its circuit open."""

    async def work(session: Session) -> dict[str, str]:
        await _require(session, name)
        return await admin.resume(session.ledger, name, by=session.does("destinations.resume", name))

    was = with_ledger(work)
    why = "paused" if "paused" in was else was.get("blocked") or ("circuit_open" if "open" in was else "")
    if as_json:
        emit({"destination": name, "was": why or "ok", "changed": bool(was)})
    else:
        click.echo(f"{name} is served again; it was {why}" if was else f"{name} was ok already")


async def _require(session: Session, name: str) -> None:
    """Raise ``Failed`` when neither the configuration nor the ledger knows the destination."""
    if name not in session.settings.destinations and name not in await queries.known_destinations(session.ledger):
        raise Failed(f"There is no destination {name}.")


def _moment(probe_at: str) -> str | None:
    """Return a probe's time as ISO 8601, or ``never``: only resume opens such a destination."""
    return iso(int(probe_at)) if probe_at.isdigit() else probe_at or None
