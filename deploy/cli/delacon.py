"""``switchboard delacon``: the audit against Delacon's own list of calls."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

from deploy.cli.output import Failed, as_option, emit, json_option, print_table
from deploy.cli.session import Session, with_ledger
from tasks.delacon_audit.audit import audit_day, today_of
from worker.ledger.audit import note


@click.group
def delacon() -> None:
    """Compare the ledger with what Delacon itself lists."""


def _read_day(_context: click.Context, _parameter: click.Parameter, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("must be a day such as 2026-11-29") from None


@delacon.command
@click.option("--day", callback=_read_day, help="YYYY-MM-DD in the report's zone.  [default: yesterday]")
@click.option("--fix", is_flag=True, help="Take in the calls that are missing.")
@as_option
@json_option
def audit(*, day: date | None, fix: bool, as_json: bool) -> None:
    """Count for a day the calls that Delacon lists, those of them that are here, and those that are delivered."""

    async def work(session: Session) -> dict[str, Any]:
        settings = session.settings.delacon
        if settings is None:
            raise Failed("The configuration has no [delacon].")
        now = datetime.now(UTC)
        today = today_of(settings, now)
        wanted = day or today - timedelta(days=1)
        if wanted > today:
            raise click.BadParameter(f"{wanted} has not come yet", param_hint="--day")
        found, taken = await audit_day(
            session.settings, settings, ledger=session.ledger, day=wanted, now=now, fix=fix
        )  # fmt: skip
        if found.fault:
            raise Failed(f"{wanted} could not be audited: {found.fault}.")
        if taken:
            await note(session.ledger, session.does("delacon.fix", wanted.isoformat()), count=taken)
        return {**found.shape(), "taken": taken}

    done = with_ledger(work)
    if as_json:
        emit(done)
        return
    click.echo(_sentence(done))
    if taken := done["taken"]:
        click.echo(f"{taken} {'call was' if taken == 1 else 'calls were'} taken in, and will be delivered.")
    rows = [
        (name or "(none)", one["there"], one["here"], one["missing"], one["delivered"])
        for name, one in done["services"].items()
    ]
    print_table(("Service", "There", "Here", "Missing", "Delivered"), rows, empty="Delacon lists no call.")


def _sentence(done: dict[str, Any]) -> str:
    """Print the sentence of the contract."""
    there = f"{done['there']} {'call' if done['there'] == 1 else 'calls'} there"
    rest = f"{done['here']} here, {done['missing']} missing, {done['delivered']} delivered everywhere they should be"
    return f"{done['day']}: {there}, {rest}"
