"""``switchboard numbers``: search, provision, update and list Callcap's phone numbers."""

import asyncio
from collections.abc import Mapping
from typing import Any

import click

from deploy.cli import number_options as options
from deploy.cli.number_list import open_requests, owned
from deploy.cli.number_sending import carry_out, read, read_account, show
from deploy.cli.number_shapes import number_rows, request_shape, search_shape
from deploy.cli.output import Failed, as_option, emit, json_option, print_table, say
from deploy.cli.session import Session, with_ledger
from schemas.callcap.requests import Kind, Outcome, RequestState
from tasks.callcap.exchange import search as search_numbers
from worker.http.client import HttpClient
from worker.ledger.numbers import Numbers

dry_run_option = click.option("--dry-run", is_flag=True, help="Print the request and send nothing.")
key_option = click.option(
    "--key", metavar="KEY", help="The request's key: the same one again sends nothing and gives the first result."
)


@click.group
def numbers() -> None:
    """Search, provision, update and list Callcap's phone numbers.

    Provisioning costs money: each request has a key, is written down first and sent once.
    """


@numbers.command
@options.parameters(options.SEARCH, options.ACCOUNT)
@dry_run_option
@json_option
def search(*, dry_run: bool, as_json: bool, **values: Any) -> None:
    """Search for numbers that can be provisioned."""
    account = read_account()
    request = read(Kind.SEARCH, values)
    if dry_run:
        show(account, request, as_json=as_json)
        return

    async def work() -> Outcome:
        async with HttpClient.open() as http:
            return await search_numbers(account, request.parameters, http=http)

    found = asyncio.run(work())
    if as_json:
        emit(search_shape(found))
    if found.state is not RequestState.DONE:
        raise Failed(f"Callcap gave no numbers ({found.reason}): {found.words}")
    if not as_json:
        print_table(*number_rows(found), empty=f"Nothing was found. {found.words}".strip())


@numbers.command
@options.parameters(options.ACCOUNT, options.EXACT, options.CAMPAIGN, options.PROVISION_EVALUATION, options.SEARCH)
@key_option
@dry_run_option
@as_option
@json_option
def provision(*, key: str | None, dry_run: bool, as_json: bool, **values: Any) -> None:
    """Provision a number: --phone-number, or the first one that a search finds. It costs money at once.

    Search first and name the number: only a named one can be looked up when Callcap's answer is lost.
    """
    account = read_account()
    request = read(Kind.PROVISION, values)
    if dry_run:
        show(account, request, as_json=as_json)
        return
    carry_out(account, request, key=key, as_json=as_json)


@numbers.command
@click.argument("number", metavar="NUMBER")
@options.parameters(options.CAMPAIGN, options.UPDATE_EVALUATION, options.STOP)
@key_option
@dry_run_option
@as_option
@json_option
def update(*, number: str, key: str | None, dry_run: bool, as_json: bool, **values: Any) -> None:
    """Change the routing, features or campaign of a number of yours."""
    account = read_account()
    request = read(Kind.UPDATE, values, number=number)
    if dry_run:
        show(account, request, as_json=as_json)
        return
    carry_out(account, request, key=key, as_json=as_json)


@numbers.command("list")
@click.option("--key", metavar="KEY", help="Show this one request.")
@json_option
def list_numbers(*, key: str | None, as_json: bool) -> None:
    """List the numbers provisioned here, with the Delacon service of each, and the requests that are open."""

    async def work(session: Session) -> dict[str, Any]:
        requests = Numbers(session.ledger)
        if key is not None:
            record = await requests.read(key)
            if record is None:
                raise Failed(f"There is no request {key}.")
            return request_shape(record)
        records = [record async for record in requests.records()]
        return {
            "numbers": [number.shape() for number in owned(records)],
            "open": [request_shape(record) for record in open_requests(records)],
        }

    found = with_ledger(work)
    if as_json:
        emit(found)
    elif key is not None:
        _print_request(found)
    else:
        _print_list(found)


def _print_request(found: Mapping[str, Any]) -> None:
    """Print a request for a person: what it is, then what to do."""
    names = ("key", "kind", "state", "number", "reason", "words", "written_at", "sent_at", "settled_at")
    rows = [(name, found[name]) for name in names if found[name]] + list(found["parameters"].items())
    print_table(("field", "value"), rows, empty="")
    if found["advice"]:
        say(found["advice"])


def _print_list(found: Mapping[str, Any]) -> None:
    columns = ("number", "delacon_service", "campaign", "destination", "account", "stop_date", "provisioned_at")
    rows = [
        (
            one["number"], one["delacon_service"], one["campaign"].get("campaignName"),
            one["campaign"].get("destination"), one["account"], one["campaign"].get("stopDate"), one["provisioned_at"],
        )
        for one in found["numbers"]
    ]  # fmt: skip
    print_table(columns, rows, empty="No number was provisioned here.")
    for one in found["open"]:
        say(f"{one['key']}: {one['kind']} {one['number'] or ''} is {one['state']}. {one['advice']}")
