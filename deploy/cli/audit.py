"""``switchboard audit``: who changed what, when, from where, and how many."""

from typing import Any

import click

from deploy.cli.output import emit, json_option, limit_of, limit_option, print_table
from deploy.cli.session import Session, with_ledger
from deploy.cli.values import iso, since_option, until_option
from worker.ledger.audit import Audited, audited


@click.group
def audit() -> None:
    """Look at what was changed by the command line and the console, and by whom."""


@audit.command("list")
@click.option("--who", metavar="NAME", help="Only what this one did.")
@since_option
@until_option
@limit_option
@json_option
def list_audit(
    *, who: str | None, since_ms: int | None, until_ms: int | None, limit: int | None, as_json: bool
) -> None:
    """List what was changed, the newest first: who, when, from where, what, which filters or ids, and how many."""

    async def work(session: Session) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        most = limit_of(limit, as_json=as_json)
        async for record in audited(session.ledger, since_ms=since_ms, until_ms=until_ms, who=who):
            found.append(audit_line(record))
            if len(found) == most:
                break
        return found

    lines = with_ledger(work)
    if as_json:
        emit(lines)
        return
    columns = ("at", "who", "from", "what", "which", "count")
    rows = [[f"{line['by']} {line['from']}" if name == "from" else line[name] for name in columns] for line in lines]
    print_table(columns, rows, least=("from", "count"), empty="Nothing has been changed.")


def audit_line(record: Audited) -> dict[str, Any]:
    """Return a record as one line of a listing."""
    return {
        "id": record.action_id, "at": iso(record.at_ms), "who": record.who, "by": record.door, "from": record.address,
        "what": record.what, "which": record.which, "count": record.count,
    }  # fmt: skip
