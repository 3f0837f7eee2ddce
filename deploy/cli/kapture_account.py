"""The Kapture account that a command is about, and the printing of its answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import click

from deploy.cli.output import Failed, Misconfigured, emit, print_table, shown
from deploy.cli.values import Moment
from schemas.blanking import blank
from schemas.destination import Destination
from schemas.kapture.listing import Customer
from schemas.kapture.options import KaptureOptions
from schemas.kapture.reply import KaptureReply
from tasks.vendors.protocol import Http
from worker.config.settings import Settings
from worker.errors import DeliveryError, Transient
from worker.http.client import HttpClient

T = TypeVar("T")
DAY_MS = 86_400_000

destination_option = click.option(
    "--destination", metavar="NAME", help="Which Kapture destination; may be left out where there is only one."
)
since_option = click.option(
    "--since", "since_ms", type=Moment(), help="Not older than this: ISO 8601, or an age such as 2h.  [default: 24h]"
)
until_option = click.option(
    "--until", "until_ms", type=Moment(), help="Not newer than this: ISO 8601, or an age such as 2h.  [default: now]"
)


def account_of(settings: Settings, name: str | None, *, needs: Sequence[str]) -> Destination:
    """Return the destination meant; raises ``Misconfigured`` when it is unclear or lacks a key of ``needs``."""
    accounts = {one.name: one for one in settings.destinations.values() if one.vendor == "kapture"}
    if name is not None and name not in settings.destinations:
        raise Failed(f"There is no destination {name}.")
    if name is not None and name not in accounts:
        raise Misconfigured([f"{name} is no Kapture destination."])
    if name is None and len(accounts) != 1:
        known = ", ".join(accounts) or "none is configured"
        raise Misconfigured([f"Say which Kapture destination, with --destination: {known}."])
    destination = accounts[name] if name is not None else next(iter(accounts.values()))
    options: KaptureOptions = destination.options
    missing = [operation for operation in needs if options.key_of(operation) is None]
    if missing:
        raise Misconfigured(
            [f"destinations.{destination.name}.auth_keys: lacks {' and '.join(missing)}, which this needs"]
        )
    return destination


def has_key(destination: Destination, operation: str) -> bool:
    """Return whether there is a key for an operation."""
    options: KaptureOptions = destination.options
    return options.key_of(operation) is not None


def ask(destination: Destination, work: Callable[[Http], Awaitable[T]]) -> T:
    """Do the work over HTTP on a loop of its own; raises ``Failed`` in Kapture's words, keys blanked."""
    return asyncio.run(ask_beside(destination, work))


async def ask_beside(destination: Destination, work: Callable[[Http], Awaitable[T]]) -> T:
    """Do the same on the loop of a command that has the ledger open."""
    try:
        async with HttpClient.open() as http:
            return await work(http)
    except DeliveryError as error:
        raise failed(destination, error) from None


def failed(destination: Destination, error: DeliveryError) -> Failed:
    """Return why Kapture did not do it; after a lost answer, that nobody knows whether it did."""
    text = f"{destination.name}: {error.reason}"
    if error.detail:
        text += f": {blank(error.detail, destination.secrets)}"
    if isinstance(error, Transient) and error.unknown:
        text += "\nWhether Kapture did it is not known; look with: switchboard kapture search"
    return Failed(text)


def span(since_ms: int | None, until_ms: int | None) -> tuple[int, int]:
    """Return the span asked for, by default the last 24 hours; raises ``UsageError`` when it ends before it begins."""
    until = until_ms if until_ms is not None else round(time.time() * 1000)
    since = since_ms if since_ms is not None else until - DAY_MS
    if since >= until:
        raise click.UsageError("--since must be before --until.")
    return since, until


def pairs(fields: Sequence[str]) -> dict[str, str]:
    """Read FIELD=VALUE, where an empty value is sent as such; raises ``UsageError``."""
    values: dict[str, str] = {}
    for text in fields:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise click.UsageError(f"{text!r} is not FIELD=VALUE.")
        if name == "customer_id" or name in values:
            raise click.UsageError(f"{name} is given already.")
        values[name] = value.strip()
    return values


def show(found: Sequence[Customer], *, as_json: bool, empty: str) -> None:
    """Print customers."""
    if as_json:
        emit([_customer_shape(customer) for customer in found])
        return
    columns = ("customer_id", "name", "phones", "emails", "customer_code", "created")
    rows = [
        (one.customer_id, one.name, ", ".join(one.phones), ", ".join(one.emails), one.code, one.created)
        for one in found
    ]
    print_table(columns, rows, empty=empty)


def tell(account: Destination, customer_id: str, said: KaptureReply, *, as_json: bool) -> None:
    """Print what Kapture said to a change."""
    message = "; ".join(said.words)
    if as_json:
        result: dict[str, Any] = {
            "destination": account.name, "customer_id": customer_id, "status": said.status, "message": message,
        }  # fmt: skip
        emit(result)
    else:
        click.echo(shown(f"{customer_id}: {message or said.status}"))


def _customer_shape(customer: Customer) -> dict[str, Any]:
    """Return a customer as JSON; ``record`` is all that Kapture gave, its outer keys in lower case."""
    return {
        "customer_id": customer.customer_id,
        "customer_code": customer.code,
        "name": customer.name,
        "phones": list(customer.phones),
        "emails": list(customer.emails),
        "created": customer.created,
        "record": dict(customer.record),
    }
