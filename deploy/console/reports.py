"""The report of a month, and the listed calls as CSV."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from deploy.cli.spreadsheet import Sheet
from deploy.console.call_finder import Cursor
from deploy.console.pages import filter_of, queries_of, visitor_of
from deploy.console.rendering import PAGES, SESSION
from deploy.report import BY, audits, audits_sentence, report
from deploy.search import service_names

MONTHS: Final = 13  # as far as the counters reach back
MOST: Final = 10_000
"""Calls of one file; ``switchboard export`` knows no such bound."""
COLUMNS: Final = (
    "name", "calls", "answered", "missed", "delivered", "skipped", "dead", "cancelled", "p50_seconds", "p95_seconds",
    "under_5_seconds", "under_60_seconds",
)  # fmt: skip
_CALL: Final = ("call_id", "state", "started_at", "caller", "service_name", "result", "duration", "deliveries")


def add_reports(router: web.UrlDispatcher) -> None:
    """Add every address."""
    router.add_get("/report", report_page)
    router.add_get("/report.csv", report_file)
    router.add_get("/calls.csv", calls_file)


async def report_page(request: web.Request) -> web.StreamResponse:
    """Show the report of a month, to be read or printed."""
    by, month, rows = await read_report(request)
    everything = visitor_of(request).user.destinations is None
    session, zone = request.app[SESSION], request.app[PAGES].zone_of(request)
    own = session.settings.delacon.timezone if session.settings.delacon else zone
    since_ms, until_ms = _span(month, own)
    audited = await audits(session.ledger, since_ms=since_ms, until_ms=until_ms + 1, tz=own) if everything else None
    return request.app[PAGES].render(
        request, "report.html", by=by, month=month, rows=rows, choices=BY if everything else ("destination",),
        months=_months(request.app[PAGES].zone_of(request)), asked=dict(request.query),
        audited=audits_sentence(audited) if audited else "",
    )  # fmt: skip


async def report_file(request: web.Request) -> web.Response:
    """Return the report of a month as CSV."""
    by, month, rows = await read_report(request)
    return _file(f"report-{month}-by-{by}.csv", COLUMNS, [[row.get(name) for name in COLUMNS] for row in rows])


async def calls_file(request: web.Request) -> web.Response:
    """Return the calls that a search finds as CSV: all of its pages, up to a bound."""
    wanted, queries = filter_of(request), queries_of(request)
    found: list[dict[str, Any]] = []
    while len(found) < MOST:
        page = await queries.calls(wanted)
        found += page["calls"]
        if page["older"] is None:
            break
        wanted = replace(wanted, older=Cursor.read(page["older"]))
    rows = [
        [*(line[name] for name in _CALL[:-1]), " ".join(f"{d['destination']}:{d['state']}" for d in line["deliveries"])]
        for line in found[:MOST]
    ]
    return _file("calls.csv", _CALL, rows)


async def read_report(request: web.Request) -> tuple[str, str, list[dict[str, Any]]]:
    """Return the grouping, the month and the lines; the sum comes last, for visitors who see all destinations."""
    session, user = request.app[SESSION], visitor_of(request).user
    zone = request.app[PAGES].zone_of(request)
    months = _months(zone)
    by, month = request.query.get("by", ""), request.query.get("month", "")
    by = by if by in BY and user.destinations is None else "destination"
    month = month if month in months else months[0]
    since_ms, until_ms = _span(month, zone)
    names = await service_names(session) if by == "service" else {}
    rows = await report(
        session.ledger, by, since_ms=since_ms, until_ms=until_ms, tz=zone, names=names,
    )  # fmt: skip
    if user.destinations is not None:
        rows = [row for row in rows[:-1] if user.sees(row["name"])]
    return by, month, rows


def _span(month: str, zone: ZoneInfo) -> tuple[int, int]:
    """Return the first and the last millisecond of a month in a zone."""
    begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=zone)
    end = (begin + timedelta(days=32)).replace(day=1)
    return round(begin.timestamp() * 1000), round(end.timestamp() * 1000) - 1


def _months(zone: ZoneInfo) -> list[str]:
    day = datetime.now(UTC).astimezone(zone).replace(day=1)
    months = []
    for _ in range(MONTHS):
        months.append(f"{day:%Y-%m}")
        day = (day - timedelta(days=1)).replace(day=1)
    return months


def _file(name: str, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> web.Response:
    stream = io.StringIO(newline="")
    sheet = Sheet(stream, columns)
    for row in rows:
        sheet.write(row)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(text=stream.getvalue(), content_type="text/csv", charset="utf-8", headers=headers)
