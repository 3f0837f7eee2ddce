"""``switchboard report``: how calls ended, by destination, service, day or tracking number."""

import io
import time
from collections.abc import Sequence
from datetime import tzinfo
from html import escape
from typing import Any

import click

from deploy.cli.output import emit, print_fitted, say, shown
from deploy.cli.session import Session, with_ledger
from deploy.cli.spreadsheet import Sheet
from deploy.cli.values import at_zone, iso, since_option, tz_option, until_option
from deploy.report import BY, COLUMNS, audits, audits_sentence, report
from deploy.search import service_names

WEEK_MS = 7 * 86_400_000
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 14px/1.4 sans-serif; margin: 2rem }} table {{ border-collapse: collapse }}
th, td {{ border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: right }}
th:first-child, td:first-child {{ text-align: left }} tr:last-child td {{ font-weight: bold }}
</style></head><body><h1>{title}</h1><p>{span}</p>
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""


@click.command("report")
@since_option
@until_option
@click.option("--by", type=click.Choice(BY), default="destination", show_default=True, help="A line for each.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "html", "json"]), default="table", show_default=True,
    help="How it is printed.",
)  # fmt: skip
@tz_option
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def report_command(
    *, since_ms: int | None, until_ms: int | None, by: str, form: str, tz: tzinfo | None, as_json: bool
) -> None:
    """Report what became of calls, of the last 7 days unless --since is given.

    Calls count when they are ready, deliveries (first ones of a call) when they end; the seconds are from the webhook
    of a call's end to its CRM, as exact as the buckets that they are counted in. By the hour, for 400 days: every hour
    that the span touches is whole in it. By destination, calls are those whose delivery ended; by number, the tracking
    number that was called, deliveries alone.
    """
    until = round(time.time() * 1000) if until_ms is None else until_ms
    since = until - WEEK_MS if since_ms is None else since_ms

    async def work(session: Session) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        names = await service_names(session) if by == "service" else {}
        zone = tz or (session.settings.delacon.timezone if session.settings.delacon else None)
        found = await audits(session.ledger, since_ms=since, until_ms=until, tz=zone)
        return await report(session.ledger, by, since_ms=since, until_ms=until, tz=tz, names=names), found

    lines, audited = with_ledger(work)
    if as_json or form == "json":
        emit({"since": iso(since), "until": iso(until), "by": by, "lines": lines, "delacon": audited})
        return
    if audited is not None:
        say(audits_sentence(audited))
    columns = [by, *(name for name in COLUMNS if any(line[name] is not None for line in lines)), "skipped_by_reason"]
    rows = [[line["name"], *(line[name] for name in columns[1:-1]), _reasons(line)] for line in lines]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    if form == "csv":
        stream = io.StringIO(newline="")
        sheet = Sheet(stream, columns)
        for row in rows:
            sheet.write(row)
        click.echo(stream.getvalue(), nl=False)
    elif form == "html":
        span = f"{at_zone(iso(since), tz)} to {at_zone(iso(until), tz)}"
        click.echo(_html(f"Calls by {by}", span, columns, rows))
    else:
        least = ("skipped_by_reason", "cancelled", "under_60_seconds", "under_5_seconds", "p50_seconds", "missed")
        print_fitted(columns, rows, least=least, empty="Nothing was counted.")


def _reasons(line: dict[str, Any]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in (line["skipped_by_reason"] or {}).items())


def _html(title: str, span: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def cells(tag: str, values: Sequence[object]) -> str:
        return "".join(f"<{tag}>{'' if one is None else escape(shown(str(one)))}</{tag}>" for one in values)

    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return _PAGE.format(title=escape(title), span=escape(span), head=cells("th", columns), rows=body)
