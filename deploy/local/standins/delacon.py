"""Delacon's report API (support.delaconcorp.com 360035651453): the calls of some days, as CSV or XML.

What it lists is laid by a test: POST rows to ``/delacon/rows``, each with ``rowid``, ``cid`` and ``datetime`` as the
report shows it. Of a key that is unknown, or whose account's password has expired, it sends a web page with status 200.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from deploy.local.standins.store import Accounts, Shelf
from deploy.local.standins.wire import Answer, Asked, Route

MOST_DAYS = 100
_COLUMNS = {
    "rowid": "rowid", "cid": "cid", "datetime": "Date/Time", "dialfrom": "Dial From", "result": "Result",
    "timesec": "Time(sec)", "city": "City", "recurl": "Rec URL",
}  # fmt: skip
"""A row's name, which is XML's tag as well, and the header of CSV."""
_PAGE = b"<!DOCTYPE html>\n<html><body><h1>Your password has expired</h1></body></html>\n"
_FORM = "%d/%m/%Y %H:%M:%S"


class Delacon:
    """Serves the rows of its shelf; the same row may stand there twice, as Delacon's do at times."""

    def __init__(self, *, shelf: Shelf, accounts: Accounts) -> None:
        self._shelf = shelf
        self._accounts = accounts

    @property
    def routes(self) -> list[Route]:
        """Return what it serves."""
        return [Route("GET", "/report.jsp", self._report), Route("POST", "/rows", self._lay)]

    def _lay(self, asked: Asked) -> Answer:
        rows = asked.json()
        for row in rows:
            number = self._shelf.number()
            self._shelf.add(str(number), record_id=str(number), values=row)
        return Answer({"rows": len(rows)})

    def _report(self, asked: Asked) -> Answer:
        if asked.headers.get("Auth") not in self._accounts.delacon_keys:
            return Answer(_PAGE, headers={"Content-Type": "text/html"})
        days = [self._day(asked.query.get(name, "")) for name in ("datefrom", "dateto")]
        first, last = days
        if first is None or last is None:
            return Answer(b"Invalid date\n", headers={"Content-Type": "text/plain"})
        if last - first >= timedelta(days=MOST_DAYS):
            return Answer(b"The date range must not exceed 100 days\n", headers={"Content-Type": "text/plain"})
        services = set(filter(None, asked.query.get("cids", "").split(",")))
        rows = [
            record.values
            for record in self._shelf.records.values()
            if first <= datetime.strptime(record.values["datetime"], _FORM) < last + timedelta(days=1)  # noqa: DTZ007
            and (not services or record.values["cid"] in services)
        ]
        if asked.query.get("reportoption") == "xml":
            return Answer(_as_xml(rows), headers={"Content-Type": "text/xml"})
        return Answer(_as_csv(rows), headers={"Content-Type": "text/csv"})

    def _day(self, text: str) -> datetime | None:
        """Read a day; the present one by its name only."""
        if text == "TODAY":
            return datetime.now().replace(hour=0, minute=0, second=0, microsecond=0)  # noqa: DTZ005  the machine's
        try:
            return datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007
        except ValueError:
            return None


def _as_csv(rows: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS.values())
    writer.writerows([row.get(name, "") for name in _COLUMNS] for row in rows)
    return text.getvalue().encode()


def _as_xml(rows: Sequence[Mapping[str, str]]) -> bytes:
    calls = "".join(
        "<call>" + "".join(f"<{name}>{escape(row.get(name, ''))}</{name}>" for name in _COLUMNS) + "</call>"
        for row in rows
    )
    return f"<?xml version='1.0'?><report>{calls}</report>".encode()
