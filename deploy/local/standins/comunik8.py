"""Comunik8's dialler, after the document "Comunik8 - Leads API".

The document gives no answer for a wrong key and no HTTP status for ``processed: false``: here they are 401 and 200.
A lead is dialled when its delay and a minute more have passed, by the stand-ins' clock.
"""

import re
from collections.abc import Callable
from typing import Any

import orjson

from deploy.local.standins.store import Accounts, Record, Shelf
from deploy.local.standins.wire import Answer, Asked, Route, digits, text

_DIAL_AFTER_MS = 60_000
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+?[\d ().-]{7,20}")
_LABELS = {"email": "Email", "first_name": "First Name", "surname": "Surname", "mobile": "Mobile", "type": "Type"}

Faults = dict[str, dict[str, str]]


class Comunik8:
    """Takes leads, one scheduled for a type and number at a time, and withdraws them."""

    def __init__(self, *, shelf: Shelf, accounts: Accounts, now_ms: Callable[[], int]) -> None:
        self._shelf = shelf
        self._accounts = accounts
        self._now_ms = now_ms

    @property
    def routes(self) -> list[Route]:
        """Return the paths served."""
        return [Route("POST", "/lead/add", self.add), Route("POST", "/lead/cancel", self.cancel)]

    def add(self, asked: Asked) -> Answer:
        """Save a lead."""
        if refusal := self._refused_key(asked):
            return refusal
        fields = asked.fields() or {}
        if faults := _faults(fields, required=tuple(_LABELS)):
            return Answer(faults, status=400)
        if fields.get("test") in (True, "true"):
            return Answer({"test": "ok"})
        key = _key(fields)
        if text(fields, "type") not in self._accounts.comunik8_types:
            record = self._shelf.records.get(key) or self._make(key, fields)
            record.state = "unprocessed"
            self._shelf.post(record, "unknown type")
            return Answer({"saved": True, "processed": False, "error": "Unknown Type"})
        return self._schedule(key, fields)

    def cancel(self, asked: Asked) -> Answer:
        """Withdraw a lead that has not been dialled."""
        if refusal := self._refused_key(asked):
            return refusal
        fields = asked.fields() or {}
        if faults := _faults(fields, required=("mobile", "type")):
            return Answer(faults, status=400)
        if text(fields, "type") not in self._accounts.comunik8_types:
            # Without quotation marks, as the document has had it since its first day: this reply is not JSON.
            return Answer(b'{\n    "cancelled": false,\n    "warning": server error (call group)\n}')
        record = self._shelf.records.get(_key(fields))
        if record is None or record.state == "cancelled":
            return Answer({"cancelled": False, "warning": "not found"})
        if self._dialled(record):
            self._shelf.post(record, "already processed")
            return Answer({"cancelled": False, "warning": "already processed"})
        record.state = "cancelled"
        self._shelf.post(record, "cancelled")
        return Answer({"cancelled": True})

    def _schedule(self, key: str, fields: dict[str, Any]) -> Answer:
        known = self._shelf.records.get(key)
        if known and known.state == "scheduled":
            error = "Existing Contact" if self._dialled(known) else "Another call is already scheduled"
            self._shelf.post(known, "duplicate")
            return Answer({"saved": True, "processed": False, "error": error})
        record = known or self._make(key, fields)
        record.values = fields
        record.state = "scheduled"
        record.created_ms = self._now_ms()
        self._shelf.post(record, "added")
        return Answer({"saved": True, "processed": True})

    def _make(self, key: str, fields: dict[str, Any]) -> Record:
        return self._shelf.add(key, record_id=key, values=fields, kind="lead", account=text(fields, "type"))

    def _dialled(self, record: Record) -> bool:
        delay_ms = float(record.values.get("delays") or 0) * 1000
        return self._now_ms() >= record.created_ms + delay_ms + _DIAL_AFTER_MS

    def _refused_key(self, asked: Asked) -> Answer | None:
        if asked.query.get("key") in self._accounts.comunik8_keys:
            return None
        return Answer({"error": "Invalid Key"}, status=401)


def _key(fields: dict[str, Any]) -> str:
    return f"{text(fields, 'type')}:{digits(text(fields, 'mobile'))}"


def _faults(fields: dict[str, Any], *, required: tuple[str, ...]) -> Faults:
    """Return every failing validation in the vendor's shape: field, then numbered messages."""
    faults: Faults = {name: {"0": f"{_LABELS[name]} cannot be blank."} for name in required if not text(fields, name)}
    if "email" in required and "email" not in faults and not _EMAIL.fullmatch(text(fields, "email")):
        faults["email"] = {"0": "Email is not a valid email address."}
    if "mobile" not in faults and not _PHONE.fullmatch(text(fields, "mobile")):
        faults["mobile"] = {"0": "Mobile is not a valid phone number."}
    if fields.get("data") is not None and not _is_json_text(fields["data"]):
        faults["data"] = {"0": "Empty or invalid content of `data` field"}
    if fields.get("delays") is not None and not _is_number(fields["delays"]):
        faults["delays"] = {"0": "Delays must be a number."}
    return faults


def _is_json_text(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return bool(orjson.loads(value))
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
