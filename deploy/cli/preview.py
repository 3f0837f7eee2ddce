"""``switchboard preview``: shows the requests that a call would make, without making any."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

import click

from deploy.cli.output import Failed, emit, json_option, shown
from deploy.cli.startup import read_settings
from schemas.blanking import BLANK, blank
from schemas.call import Call
from schemas.delacon.events import StoredEvent, UnusableBody, merge, read_event
from schemas.delivery import DeliveryKey, Order, Prepared
from schemas.destination import Destination
from tasks.delivery.attempt import check_wanted
from tasks.vendors.registry import VENDORS
from worker.config.routes import destinations_of
from worker.errors import DeliveryError


@dataclass(frozen=True, slots=True)
class Previewed:
    """The request that one destination would get; ``reason`` says why it would get none."""

    destination: Destination
    reason: str
    prepared: Prepared | None


@click.command
@click.argument("file", type=click.File("rb"))
@click.option("--destination", "names", metavar="NAME", multiple=True, help="Of these, whatever the routes say.")
@json_option
def preview(*, file: IO[bytes], names: tuple[str, ...], as_json: bool) -> None:
    """Show the requests that a call would make.

    FILE (- is standard input) holds one object with the keys of both events, or a list of events of one call, in the
    order of their receipt. Keys are blanked. Nothing is sent, and neither Redis nor the list of suppressed numbers is
    asked.
    """
    _, settings = read_settings()
    unknown = [name for name in names if name not in settings.destinations]
    if unknown:
        raise Failed("\n".join(f"There is no destination {name}." for name in unknown))
    call = _read_call(file.read(), default_region=settings.calls.default_region)
    routed = destinations_of(call, settings.routes)
    found = [_preview(call, settings.destinations[name]) for name in names or routed]
    if as_json:
        deliveries = [_shape(one) for one in found]
        emit({"call": call.canonical(), "notes": list(call.notes), "routes": list(routed), "deliveries": deliveries})
        return
    click.echo(f"routes: {', '.join(routed) or 'none matches: the call would be kept as unrouted'}")
    for note in call.notes:
        click.echo(shown(f"note: {note}"))
    for one in found:
        _print(one)


def _read_call(body: bytes, *, default_region: str) -> Call:
    """Merge the events of a file as the receiver and the workers would; raises ``Failed``."""
    try:
        value = json.loads(body)
    except ValueError:
        value = None  # not strictly JSON: the receiver mends some of that
    bodies = [json.dumps(item).encode() for item in value] if isinstance(value, list) else [body]
    try:
        events = [read_event(one, path_kind="either") for one in bodies]
    except UnusableBody as error:
        raise Failed(f"This would not be accepted: {error}.") from None
    ids = {event.call_id for event in events}
    if len(ids) != 1:
        raise Failed(f"The file must hold the events of one call; it has {len(ids)} ids.")
    now_us = time.time_ns() // 1000
    stored = [StoredEvent(now_us + place, event.kind, event.values) for place, event in enumerate(events)]
    return merge(ids.pop(), stored, default_region=default_region).call


def _preview(call: Call, destination: Destination) -> Previewed:
    vendor = VENDORS[destination.vendor]
    order = Order(
        key=DeliveryKey(call.call_id, destination.name, "create"), call=call, destination=destination, number=1
    )
    prepared, reason = None, ""
    try:
        prepared = vendor.prepare(order)
        check_wanted(order, now=datetime.now(UTC), skip="")
    except DeliveryError as error:
        reason = f"{error.reason}: {error.detail}" if error.detail else error.reason
    return Previewed(destination, reason, prepared)


def _shape(one: Previewed) -> dict[str, Any]:
    """Return a preview as JSON values; secrets blanked wherever they stand."""
    destination = one.destination
    shape: dict[str, Any] = {
        "destination": destination.name, "vendor": destination.vendor, "action": "create",
        "sent": not one.reason, "reason": one.reason, "request": None, "notes": [], "missing": [],
    }  # fmt: skip
    if one.prepared is None:
        return shape
    request = one.prepared.request
    body = json.loads(blank(json.dumps(request.json, ensure_ascii=False), destination.secrets))
    shape["request"] = {
        "method": request.method,
        "url": blank(request.url, destination.secrets),
        "headers": dict.fromkeys(request.headers, BLANK),
        "body": body,
    }
    shape["notes"] = list(one.prepared.notes)
    shape["missing"] = sorted(_missing(one, body))
    return shape


def _missing(one: Previewed, body: Any) -> Iterator[str]:
    """Return the mapped fields that are empty for this call, and so left out."""
    sent = body[0] if isinstance(body, list) else body
    for key, template in one.destination.fields.items():
        if template is not None and key not in sent:
            yield key


def _print(one: Previewed) -> None:
    shape = _shape(one)
    verdict = f"would not be sent ({one.reason})" if one.reason else "would be sent"
    click.echo(shown(f"\n{shape['destination']} ({shape['vendor']}) {verdict}", lines=True))
    if shape["request"] is None:
        return
    request = shape["request"]
    click.echo(shown(f"{request['method']} {request['url']}"))
    for name, value in request["headers"].items():
        click.echo(shown(f"{name}: {value}"))
    click.echo(shown(json.dumps(request["body"], indent=2, ensure_ascii=False), lines=True))
    for note in shape["notes"]:
        click.echo(shown(f"note: {note}"))
    if shape["missing"]:
        click.echo(shown(f"empty and left out: {', '.join(shape['missing'])}"))
