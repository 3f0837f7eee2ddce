"""Destinations, orders and replies for the tests of every room, made as the settings make them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from schemas.blanking import secrets_of
from schemas.call import Call
from schemas.delivery import DeliveryKey, Order, Request, Response
from schemas.destination import Destination, VendorSpec
from schemas.mapping import mapping_in_force

AUTH_KEY = "kapture/key+0123456789"
API_KEY = "comunik8 key".replace(" ", "&") + "-0123456789"

TABLES: Mapping[str, Mapping[str, Any]] = {
    "captorra": {"captorra_id": "111111", "timezone": "Australia/Sydney"},
    "comunik8": {"api_key": API_KEY, "type": "motor-trade", "email": "{caller_digits}@calls.example.com"},
    "kapture": {"auth_key": AUTH_KEY, "email": "{caller_digits}@calls.example.com"},
}
"""The smallest table of each vendor's own keys."""


def make_destination(
    spec: VendorSpec, table: Mapping[str, Any] | None = None, *, fields: Mapping[str, str] | None = None, **changes: Any
) -> Destination:
    """Make a destination of a vendor: ``table`` is laid over its smallest one, ``changes`` are of ``Destination``."""
    raw = {key: value for key, value in {**TABLES.get(spec.name, {}), **(table or {})}.items() if value is not None}
    options = spec.options().load(raw)
    in_force, faults = mapping_in_force(spec, fields or {})
    if faults:
        raise AssertionError(faults)
    destination = Destination(
        name="crm",
        vendor=spec.name,
        url="https://crm.example.com",
        phone_format="national",
        region="AU",
        timeout_s=20.0,
        concurrency=50,
        rate_per_s=None,
        max_age_s=None,
        retry_s=(5.0, 30.0),
        fields=in_force,
        options=options,
        secrets=secrets_of(spec, options),
    )
    return replace(destination, **changes)


def make_order(call: Call, destination: Destination, *, action: str = "create", **changes: Any) -> Order:
    """Make the order of a first attempt."""
    key = DeliveryKey(call.call_id, destination.name, action)
    return replace(Order(key=key, call=call, destination=destination, number=1), **changes)


def make_response(body: Any, status: int = 200, **headers: str) -> Response:
    """Make a reply: bytes and texts as they stand, anything else as JSON; ``retry_after="5"`` is a header."""
    match body:
        case bytes():
            raw = body
        case str():
            raw = body.encode()
        case _:
            raw = json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=named, body=raw, elapsed_ms=5)


class ScriptedHttp:
    """An ``Http`` that answers from a list and keeps what it was asked."""

    def __init__(self, *responses: Response) -> None:
        self.requests: list[Request] = []
        self._responses = list(responses)

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Return the next scripted response."""
        assert timeout_s > 0
        self.requests.append(request)
        return self._responses.pop(0)
