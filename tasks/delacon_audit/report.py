"""Delacon's report of one day: fetched, and read as the events that a webhook would have brought."""

import asyncio
import csv
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import aiohttp
import orjson

from schemas.delacon.call_keys import CALL_ID
from schemas.delacon.events import Event, UnusableBody, read_event
from schemas.delacon.import_row import DELACONS_DATE, STARTED, ImportRows, RefusedRow
from schemas.delacon.report import key_of_column
from worker.config.delacon import DelaconSettings

TIMEOUT_S = 120.0  # a report is made when it is asked for
MOST_BYTES = 64 * 1024 * 1024  # of a day of one account; HttpClient reads 256 KB, as replies of vendors are
_FORMS = (DELACONS_DATE, "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M")
_OK = 200


class NoReport(Exception):
    """Raised where there is no report to be read; its text is for the operator, and holds nothing of the reply."""


async def fetch(settings: DelaconSettings, day: date, *, today: date) -> list[Event]:
    """Return the calls that Delacon lists for a day, each once; raises ``NoReport``.

    A request is for one day, so the 100 days that Delacon allows are never exceeded; the present day has a name of its
    own. No redirect is followed: the key would go with it.
    """
    asked = "TODAY" if day == today else day.isoformat()
    query = {
        "datefrom": asked, "dateto": asked, "cids": ",".join(settings.service_ids), "showrowid": "1", "showcid": "1",
        "showrecurl": "1", "reportoption": "csv",
    }  # fmt: skip
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            aiohttp.ClientSession(headers={"Auth": settings.auth, "User-Agent": "Switchboard"}) as session,
            session.get(settings.report_url, params=query, allow_redirects=False) as reply,
        ):
            if reply.status != _OK:
                raise NoReport(f"Delacon answered with status {reply.status}")
            body = b""
            async for chunk in reply.content.iter_chunked(65536):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise NoReport("the report is larger than 64 MB")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NoReport(f"Delacon could not be asked ({type(error).__name__})") from None
    return read_report(body, settings.timezone)


def read_report(body: bytes, zone: ZoneInfo) -> list[Event]:
    """Read a report, CSV or XML, whichever came; a call that stands there twice counts once. Raises ``NoReport``."""
    text = body.decode("utf-8-sig", "replace").strip()
    start = text[:500].lstrip().lower()
    if start.startswith(("<!doctype html", "<html")):
        raise NoReport("Delacon sent a web page instead of a report: has the password of its account expired?")
    rows = _xml_rows(text) if start.startswith("<") else _csv_rows(text)
    found: dict[str, Event] = {}
    for row in rows:
        event = _event(row, zone)
        if event is not None:
            found.setdefault(event.call_id, event)
    return list(found.values())


def _csv_rows(text: str) -> Iterator[Mapping[str, str]]:
    lines = csv.reader(io.StringIO(text))
    keys = [key_of_column(header) for header in next(lines, [])]
    if CALL_ID not in keys:
        raise NoReport("what Delacon sent is no report: it has no column with the id of a call")
    for line in lines:
        # Where two columns say the same, such as rowid and Call ID, the first that says something stands.
        yield _first(zip(keys, line, strict=False))


def _xml_rows(text: str) -> Iterator[Mapping[str, str]]:
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise NoReport("what Delacon sent is no plain XML")
    try:
        root = ET.fromstring(text)  # noqa: S314  without a document type there are no entities to expand
    except ET.ParseError:
        raise NoReport("what Delacon sent is no report that can be read: it may have been cut off") from None
    for element in root.iter():
        named = [(key_of_column(child.tag), child.text or "") for child in element if not len(child)]
        named += [(key_of_column(name), value) for name, value in element.attrib.items()]
        row = _first(named)
        if row.get(CALL_ID):
            yield row


def _first(pairs: "Iterator[tuple[str, str]] | zip[tuple[str, str]] | list[tuple[str, str]]") -> dict[str, str]:
    row: dict[str, str] = {}
    for key, value in pairs:
        if key and value.strip() and key not in row:
            row[key] = value.strip()
    return row


def _event(row: Mapping[str, str], zone: ZoneInfo) -> Event | None:
    """Make the event of a row; of a value that cannot be read the row keeps the others. ``None``: it has no id."""
    values = {**row}
    started = values.pop(STARTED, "")
    if moment := _moment(started, zone):
        values[STARTED] = f"{int(moment.timestamp() * 1000):020}"
    rows = ImportRows(timezone=zone, formats=_FORMS, now=lambda: datetime.now(UTC))
    try:
        return rows.read(read_event(orjson.dumps(values), path_kind="either"))
    except (UnusableBody, RefusedRow):
        return None


def _moment(text: str, zone: ZoneInfo) -> datetime | None:
    """Read a date of the report in its zone; of a time that its clocks show twice, the first."""
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone).astimezone(UTC)
        except ValueError:
            continue
    return None
