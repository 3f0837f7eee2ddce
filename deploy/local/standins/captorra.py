"""Captorra's call tracking, after the document "Captorra Call Tracking".

The document gives no HTTP status: every verdict here comes with 200. Its ``Captorrald`` is a misprint of
``CaptorraId``, as Captorra's own plugin spells it. What a text over its limit is answered is not documented: here it is
a server error.
"""

import re
from datetime import datetime
from typing import Any

from deploy.local.standins.store import Accounts, Shelf
from deploy.local.standins.wire import Answer, Asked, Route, text

_LIMITS = (
    {"Name": 100, "ANI": 20, "ID": 100, "Multi01": 100}
    | {f"String{n:02}": 500 for n in range(1, 6)}
    | {f"String{n:02}": 300 for n in range(6, 11)}
    | {f"String{n:02}": 100 for n in range(11, 21)}
)
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (1[0-2]|0?[1-9]):([0-5]\d) ([AP])M")
_ANI = re.compile(r"\+?[\d ().-]{7,20}")
_GUID = re.compile(r"\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?")
_LEAST_DIGITS = 7


class Captorra:
    """Takes phone tracking records: one for each ``ID`` of an organisation, never changed afterwards."""

    def __init__(self, *, shelf: Shelf, accounts: Accounts) -> None:
        self._shelf = shelf
        self._accounts = accounts

    @property
    def routes(self) -> list[Route]:
        """Return the paths served."""
        return [Route("POST", "/api/captorracalltracking/create", self.create)]

    def create(self, asked: Asked) -> Answer:
        """Take one record, or refuse it in the document's words."""
        fields = asked.fields()
        if fields is None or not _referrer_fits(fields):
            return _refused("Invalid JSON data.")
        rest = all(text(fields, name) for name in ("Name", "ID", "ANI", "Date"))
        captorra_id = text(fields, "CaptorraId")
        if not captorra_id:
            return _refused("Please provide the CaptorraId, Name, ID, ANI, Date")
        if not rest:
            return _refused("Please provide Source Name, ID, ANI, Date")
        if captorra_id not in self._accounts.captorra_ids:
            return _refused("Please check CaptorraId.")
        if not _is_date(text(fields, "Date")):
            return _refused("Invalid Date")
        ani = text(fields, "ANI")
        if not _ANI.fullmatch(ani) or sum(map(str.isdigit, ani)) < _LEAST_DIGITS:
            return _refused("Invalid ANI")
        if any(len(str(value)) > _LIMITS[name] for name, value in fields.items() if name in _LIMITS):
            return Answer({"Message": "An error has occurred."}, status=500)
        return self._keep(captorra_id, text(fields, "ID"), fields)

    def _keep(self, captorra_id: str, source_id: str, fields: dict[str, Any]) -> Answer:
        key = f"{captorra_id}:{source_id}"
        if known := self._shelf.records.get(key):
            self._shelf.post(known, "duplicate")
            return _refused("Phone source already exists")
        record = self._shelf.add(key, record_id=source_id, values=fields, kind="phone_source", account=captorra_id)
        self._shelf.post(record, "added")
        return Answer({"success": True})


def _refused(error: str) -> Answer:
    return Answer({"success": False, "error": error})


def _referrer_fits(fields: dict[str, Any]) -> bool:
    referrer = fields.get("Referrer")
    return referrer is None or (isinstance(referrer, str) and bool(_GUID.fullmatch(referrer)))


def _is_date(value: str) -> bool:
    """Read ``01/01/2018 4:00 PM``, the one form that the document shows."""
    found = _DATE.fullmatch(value)
    if not found:
        return False
    month, day, year = (int(part) for part in found.group(1, 2, 3))
    try:
        datetime(year, month, day)  # noqa: DTZ001  a wall clock date without a zone, as the vendor has it
    except ValueError:
        return False
    return True
