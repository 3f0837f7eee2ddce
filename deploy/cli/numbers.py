"""``switchboard numbers``: search, provision, update and list Callcap's phone numbers."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
from marshmallow import ValidationError
from redis import RedisError

from deploy.cli import number_options as options
from deploy.cli.number_options import faults_of, given
from deploy.cli.number_shapes import number_rows, open_requests, owned, request_shape, search_shape
from deploy.cli.output import Failed, Misconfigured, as_option, emit, json_option, print_table, say
from deploy.cli.session import Session, with_ledger
from deploy.cli.startup import read_settings
from schemas.callcap.requests import Kind, NumberOutcome, NumberRequest, RequestState, read_key, read_request
from schemas.callcap.wire import provision_request, search_request, shown, update_request
from tasks.callcap.exchange import search as search_numbers
from tasks.callcap.requests import Callcap, NoSuchRequest, NotNoted, new_key
from worker.config.settings import CallcapSettings
from worker.http.client import HttpClient
from worker.ledger.audit import note
from worker.ledger.numbers import NumberRecord, Numbers, Written


def read_account() -> CallcapSettings:
    """Return ``[callcap]`` of the configuration; raises ``Misconfigured`` when there is none."""
    environment, settings = read_settings()
    if settings.callcap is None:
        raise Misconfigured([f"{environment.config}: [callcap] is missing; it takes url and api_key"])
    return settings.callcap


def read(kind: Kind, values: Mapping[str, Any], *, number: str = "") -> NumberRequest:
    """Check what is asked for; raises ``Misconfigured`` with every fault. Today is the day it is on this machine."""
    today = datetime.now(UTC).astimezone().date()
    try:
        return read_request(kind, given(values), today=today, number=number)
    except ValidationError as error:
        raise faults_of(error.messages_dict) from None


def show(account: CallcapSettings, request: NumberRequest, *, as_json: bool) -> None:
    """Print the HTTP request that would be sent, its key blanked."""
    match request.kind:
        case Kind.SEARCH:
            wire = search_request(account, request.parameters)
        case Kind.PROVISION:
            wire = provision_request(account, request.parameters)
        case Kind.UPDATE:
            wire = update_request(account, request.number, request.parameters)
    found = shown(wire)
    if as_json:
        emit({"dry_run": True, "request": found})
        return
    click.echo(f"{found['method']} {found['url']}")
    for name, value in found["headers"].items():
        click.echo(f"{name}: {value}")
    if found["body"] is not None:
        click.echo(f"body, sent as {found['encoding']}:")
        for name, value in found["body"].items():
            click.echo(f"  {name} = {value}")
    say("Nothing was sent.")


_NOT_SENT = "Nothing was sent, for the ledger did not take the request"


def carry_out(account: CallcapSettings, request: NumberRequest, *, key: str | None, as_json: bool) -> None:
    """Write a request down, send it once, and tell what became of it; status 1 unless it is done."""
    if key is None:
        key = new_key()
        # Before anything is sent: whatever happens to this process, the key tells what became of the request.
        say(f"The key of this request is {key}; with --key {key} it gives its result and is not sent twice.")
    try:
        key = read_key(key)
    except ValueError as error:
        raise Misconfigured([f"--key: {error}"]) from None
    try:
        _tell(with_ledger(lambda session: _send(session, account, request, key), unopened=_NOT_SENT), as_json=as_json)
    except KeyboardInterrupt:
        raise Failed(f"Interrupted. The same command with --key {key} tells what became of it.") from None


async def _send(
    session: Session, account: CallcapSettings, request: NumberRequest, key: str
) -> tuple[NumberRecord, NumberOutcome | None]:
    """Write and carry out; returns the record, and the outcome where the ledger did not take it."""
    numbers = Numbers(session.ledger)
    try:
        written = await numbers.write(key, request)
    except RedisError as error:
        raise Failed(f"{_NOT_SENT}: {error}") from None
    if written is Written.OTHER:
        raise Misconfigured([f"--key: {key} stands for a different request; nothing was sent"])
    if written is Written.NEW:
        await note(session.ledger, session.does(f"numbers.{request.kind}", f"request={key}"))
    record = await numbers.read(key)
    try:
        async with HttpClient.open() as http:
            return await Callcap(account, http=http, numbers=numbers).carry_out(key, request.kind), None
    except NotNoted as error:
        if record is None:
            raise
        return record, error.outcome
    except (RedisError, NoSuchRequest) as error:
        raise Failed(
            f"The ledger failed ({error}). The same command with --key {key} tells what became of the request; "
            "it is not sent twice."
        ) from None


def _tell(ended: tuple[NumberRecord, NumberOutcome | None], *, as_json: bool) -> None:
    record, unnoted = ended
    found = request_shape(record, outcome=unnoted)
    if as_json:
        emit(found)
    if unnoted is not None:
        say(f"The ledger did not take this outcome and will call request {record.key} unknown; keep this output.")
    if found["state"] != RequestState.DONE:
        raise Failed(found["advice"])
    if not as_json:
        done = {Kind.PROVISION: "provisioned", Kind.UPDATE: "updated", Kind.SEARCH: "searched"}[record.request.kind]
        click.echo(f"{found['number'] or 'a number'} is {done} (request {record.key})")


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

    async def work() -> NumberOutcome:
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
