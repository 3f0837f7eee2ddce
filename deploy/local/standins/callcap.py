"""Callcap's phone numbers, after the document "Phone Numbers" (v3).

The document shows no reply and no error: the shapes here are ours, but for ``"status": "success"``, the answer to a
wrong key, and the error for what "did not exist or did not have anything to say", which Callcap's set-up page has.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl

from deploy.local.standins.callcap_pool import Number, SearchFault, found
from deploy.local.standins.store import Accounts, Shelf
from deploy.local.standins.wire import Answer, Asked, Route, digits, text

_CAMPAIGN = ("campaignName", "notes", "memo1", "memo2", "mediaTypeID", "brand", "service", "target", "offer")
_LEAST_DIGITS = 10


class Callcap:
    """Searches, provisions and updates numbers; provisioning twice costs twice."""

    def __init__(
        self, *, shelf: Shelf, accounts: Accounts, pool: tuple[Number, ...], now_ms: Callable[[], int]
    ) -> None:
        self._shelf = shelf
        self._accounts = accounts
        self._pool = pool
        self._now_ms = now_ms

    @property
    def routes(self) -> list[Route]:
        """Return the paths served."""
        return [
            Route("GET", "/v3/numbers", self.search),
            Route("GET", "/v3/numbers/", self.search),
            Route("POST", "/v3/numbers", self.provision),
            Route("POST", "/v3/numbers/", self.provision),
            Route("POST", "/v3/numbers/{tail}", self.update),
        ]

    def search(self, asked: Asked) -> Answer:
        """List the free numbers that match; none at all is an error status, as the vendor has it."""
        if refusal := self._refused_key(asked):
            return refusal
        try:
            numbers = self._matching(asked.query)
        except SearchFault as fault:
            return _error(str(fault))
        if not numbers:
            return _nothing()
        return Answer({"status": "success", "numbers": [number.shown() for number in numbers]})

    def provision(self, asked: Asked) -> Answer:
        """Take a number, the one named or the first that matches, into a location account."""
        if refusal := self._refused_key(asked):
            return refusal
        given = _given(asked)
        if given is None:
            return _error("The request could not be read")
        location = text(given, "locationID") or text(given, "account").removeprefix("L-")
        if not location:
            return _error("Either locationID or account is required")
        if location not in self._accounts.callcap_locations:
            return _error("A valid Callcap location account is required")
        if fault := self._fault(given, evaluations=("off", "realtime")):
            return _error(fault)
        try:
            wanted = {"fullNumber": text(given, "phoneNumber")} if text(given, "phoneNumber") else given
            numbers = self._matching(wanted)
        except SearchFault as wrong:
            return _error(str(wrong))
        if not numbers:
            return _error("The phone number is not available") if "fullNumber" in wanted else _nothing()
        number = numbers[0].full
        record = self._shelf.add(number, record_id=number, values=given, kind="number", account=f"L-{location}")
        record.values.setdefault("campaignName", number)
        self._shelf.post(record, "provisioned")
        return Answer({"status": "success", "phoneNumber": number, "campaignName": record.values["campaignName"]})

    def update(self, asked: Asked) -> Answer:
        """Change the routing, features and campaign of a provisioned number."""
        if refusal := self._refused_key(asked):
            return refusal
        record = self._shelf.records.get(asked.tail)
        if record is None:
            return _nothing()
        given = _given(asked)
        if given is None:
            return _error("The request could not be read")
        fault = self._fault(given, evaluations=("off", "realtime", "delayed")) or self._stop_fault(given)
        if fault:
            return _error(fault)
        known = {"destination", "stopDate", "recording", "evaluation", *_CAMPAIGN}
        record.values |= {key: value for key, value in given.items() if key in known}
        self._shelf.post(record, "updated")
        return Answer({"status": "success", "phoneNumber": record.id})

    def _matching(self, wanted: Mapping[str, Any]) -> list[Number]:
        free = (number for number in self._pool if number.full not in self._shelf.records)
        return found(free, wanted, locations=self._accounts.callcap_locations)

    def _fault(self, given: dict[str, Any], *, evaluations: tuple[str, ...]) -> str:
        if "evaluation" in given and given["evaluation"] not in evaluations:
            return f"evaluation must be one of {', '.join(evaluations)}"
        if "recording" in given and str(given["recording"]).lower() not in {"true", "false"}:
            return "recording must be true or false"
        if "destination" in given and len(digits(text(given, "destination"))) < _LEAST_DIGITS:
            return "destination must be a phone number"
        if "mediaTypeID" in given and not text(given, "mediaTypeID").isdigit():
            return "mediaTypeID must be numeric"
        return ""

    def _stop_fault(self, given: dict[str, Any]) -> str:
        if "stopDate" not in given:
            return ""
        try:
            stop = date.fromisoformat(text(given, "stopDate"))
        except ValueError:
            return "stopDate must be a valid date"
        today = datetime.fromtimestamp(self._now_ms() / 1000, UTC).date()
        return "" if stop >= today else "stopDate must be equal to the current day or in the future"

    def _refused_key(self, asked: Asked) -> Answer | None:
        scheme, _, key = asked.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and key in self._accounts.callcap_keys:
            return None
        return Answer(
            {"status": "unauthorized", "message": "Your key is invalid"},
            status=401,
            headers={"WWW-Authenticate": 'Bearer realm="https://api.callcap.com/v2/"'},
        )


def _given(asked: Asked) -> dict[str, Any] | None:
    """Read a body as JSON or as a form, by its content type."""
    if "json" in asked.headers.get("Content-Type", ""):
        return asked.fields()
    return dict(parse_qsl(asked.body.decode(errors="replace"), keep_blank_values=True))


def _error(message: str) -> Answer:
    return Answer({"status": "error", "message": message}, status=400)


def _nothing() -> Answer:
    message = "The resource did not exist or did not have anything to say"
    return Answer({"status": "not found", "message": message}, status=404)
