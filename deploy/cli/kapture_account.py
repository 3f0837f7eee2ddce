"""Which Kapture account a command is about, and how what it answers is told."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import click

from deploy.cli.output import Failed, Misconfigured
from deploy.cli.values import Moment
from schemas.blanking import blank
from schemas.destination import Destination
from schemas.kapture.options import KaptureOptions
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
    """Give the destination meant; raises ``Misconfigured`` when it is not clear or lacks a key for one of ``needs``."""
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
    """Say whether there is a key for an operation."""
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
    """Tell why Kapture did not do it; after a lost answer, that nobody knows whether it did."""
    text = f"{destination.name}: {error.reason}"
    if error.detail:
        text += f": {blank(error.detail, destination.secrets)}"
    if isinstance(error, Transient) and error.unknown:
        text += "\nWhether Kapture did it is not known; look with: switchboard kapture search"
    return Failed(text)


def span(since_ms: int | None, until_ms: int | None) -> tuple[int, int]:
    """Give the span asked for, by default the last 24 hours; raises ``UsageError`` when it ends before it begins."""
    until = until_ms if until_ms is not None else round(time.time() * 1000)
    since = since_ms if since_ms is not None else until - DAY_MS
    if since >= until:
        raise click.UsageError("--since must be before --until.")
    return since, until
