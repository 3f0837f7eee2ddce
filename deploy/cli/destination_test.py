"""``switchboard destinations test``: asks a vendor something that creates nothing."""

import asyncio
from dataclasses import dataclass
from typing import Any

import click

from deploy.cli.console import Failed, emit, json_option
from deploy.cli.session import read_settings
from schemas.blanking import blank
from schemas.destination import Destination
from tasks.registry import VENDORS
from tasks.vendor import Testable
from worker.errors import DeliveryError
from worker.http_client import HttpClient


@dataclass(slots=True)
class Tested:
    """What was done and what came of it."""

    did: str = "sent nothing"
    ok: bool = False
    status: int | None = None
    milliseconds: int | None = None
    reason: str = ""
    words: str = ""


@click.command
@click.argument("name")
@json_option
def test(*, name: str, as_json: bool) -> None:
    """Ask a destination something that creates nothing, and say what was done.

    Comunik8 gets a lead marked as a test, Captorra a post without its required fields, Kapture a search for a customer
    who cannot exist. Status 1 when the answer is not the expected one. A paused or blocked destination stays so.
    """
    _, settings = read_settings()
    destination = settings.destinations.get(name)
    if destination is None:
        raise Failed(f"There is no destination {name}.")
    tested = asyncio.run(_test(destination))
    if as_json:
        shape: dict[str, Any] = {
            "destination": name, "vendor": destination.vendor, "ok": tested.ok, "did": tested.did,
            "status": tested.status, "milliseconds": tested.milliseconds, "reason": tested.reason,
            "words": tested.words,
        }  # fmt: skip
        emit(shape)
    else:
        click.echo(f"{name}: {tested.did}")
        if tested.ok:
            click.echo(f"{name}: {tested.words} ({tested.status}, {tested.milliseconds} ms)")
    if not tested.ok:
        raise Failed(f"{name}: {tested.reason}{': ' if tested.words else ''}{tested.words}")


async def _test(destination: Destination) -> Tested:
    vendor = VENDORS[destination.vendor]
    tested = Tested()
    if not isinstance(vendor, Testable):
        tested.reason, tested.words = "no_test", f"{destination.vendor} has no request that creates nothing"
        return tested
    try:
        prepared = vendor.probe(destination)
        tested.did = "; ".join(prepared.notes)
        async with HttpClient.open() as http:
            response = await http.send(prepared.request, timeout_s=destination.timeout_s)
        tested.status, tested.milliseconds = response.status, response.elapsed_ms
        tested.words = vendor.judge_probe(destination, response)
        tested.ok = True
    except DeliveryError as error:
        tested.reason, tested.words = error.reason, blank(error.detail, destination.secrets)
    return tested
