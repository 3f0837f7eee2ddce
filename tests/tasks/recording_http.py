"""The real vendor classes and the real HTTP client against the stand-ins, and what was said between them."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from deploy.local.standins.app import StandIns
from deploy.local.standins.faults import Fault
from schemas.call import Call
from schemas.delivery import Receipt, Request, Response
from schemas.destination import Destination
from tasks.kapture_audit.api import Window, add_contact, by_id, search, select, update
from tasks.vendors.registry import VENDORS
from tests.destinations import make_destination, make_order
from worker.errors import DeliveryError
from worker.http.client import HttpClient

TABLES: Mapping[str, Mapping[str, Any]] = {
    "captorra": {"captorra_id": "111111", "timezone": "America/New_York"},
    "comunik8": {"api_key": "standin-comunik8-key", "type": "motor-trade"},
    "kapture": {"auth_key": "standin-kapture-key"},
}
PATHS = {"captorra": "/captorra/api/captorracalltracking/create", "comunik8": "/comunik8", "kapture": "/kapture"}
DAY_S = 24 * 3600
NEW = {"name": "Ann", "phone": "0491570158", "email": "ann@example.com"}


class RecordingHttp:
    """An ``Http`` that passes everything on to the real one, and keeps what was asked and answered."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self.requests: list[Request] = []
        self.responses: list[Response] = []

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send once."""
        self.requests.append(request)
        self.responses.append(await self._http.send(request, timeout_s=timeout_s))
        return self.responses[-1]

    @property
    def asked(self) -> tuple[str, str]:
        """Return the method and the path of the last request, without the vendor's prefix and its key."""
        path = self.requests[-1].url.split("://", 1)[1].split("/", 2)[2].partition("?")[0]
        return self.requests[-1].method, f"/{path}"

    @property
    def said(self) -> Any:
        """Return the last answer's JSON value."""
        return json.loads(self.responses[-1].body)

    @property
    def printed(self) -> str:
        """Return the last answer as it came."""
        return self.responses[-1].body.decode()

    @property
    def status(self) -> int:
        """Return the last answer's HTTP status."""
        return self.responses[-1].status


class VendorHarness:
    """What a test asks of a vendor."""

    def __init__(self, standins: StandIns, heard: RecordingHttp) -> None:
        self.standins = standins
        self.heard = heard

    def destination(
        self, vendor: str, table: Mapping[str, Any] | None = None, fields: Mapping[str, str] | None = None
    ) -> Destination:
        """Make a destination at the stand-in."""
        url = self.standins.url + PATHS[vendor]
        return make_destination(VENDORS[vendor].spec, {**TABLES[vendor], **(table or {})}, fields=fields, url=url)

    async def attempt(
        self,
        vendor: str,
        call: Call,
        *,
        table: Mapping[str, Any] | None = None,
        fields: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        **order: Any,
    ) -> Receipt:
        """Make one real attempt; ``body`` is laid over what would be sent."""
        made = make_order(call, self.destination(vendor, table, fields), **order)
        prepared = VENDORS[vendor].prepare(made)
        request = replace(prepared.request, json=prepared.request.json | (body or {}))
        return await VENDORS[vendor].send(made, prepared=replace(prepared, request=request), http=self.heard)

    async def refusal(self, vendor: str, call: Call, **how: Any) -> DeliveryError:
        """Return what an attempt raises."""
        with pytest.raises(DeliveryError) as caught:
            await self.attempt(vendor, call, **how)
        return caught.value

    async def operate(self, operation: str, call: Call, *, auth_key: str = "standin-kapture-key") -> Any:
        """Ask Kapture one of its five APIs, of the customer with the first number where one has to be named."""
        table = {"auth_key": auth_key}
        destination = self.destination("kapture", table)
        now_s = self.standins.store.now_ms() // 1000
        match operation:
            case "add":
                return await self.attempt("kapture", call, table=table)
            case "update":
                return await update(destination, "272930", {"city": "Perth"}, http=self.heard)
            case "search":
                return await search(destination, by_id("272930"), http=self.heard)
            case "select":
                return await select(destination, Window(now_s - DAY_S + 60, now_s + 60), http=self.heard)
            case _:
                return await add_contact(destination, "272930", NEW, http=self.heard)

    async def failure(self, operation: str, call: Call, **how: Any) -> DeliveryError:
        """Return what an operation of Kapture raises."""
        with pytest.raises(DeliveryError) as caught:
            await self.operate(operation, call, **how)
        return caught.value

    def let_say(self, vendor: str, saying: str) -> None:
        """Let a vendor answer once as its document prints it (``deploy/local/standins/faults.py``)."""
        self.standins.store.faults.append(Fault(vendor=vendor, says=saying, times=1))


@asynccontextmanager
async def open_harness(standins: StandIns) -> AsyncIterator[VendorHarness]:
    """Open a harness."""
    async with HttpClient.open() as http:
        yield VendorHarness(standins, RecordingHttp(http))
