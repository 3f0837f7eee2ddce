"""``switchboard kapture``: look into a Kapture account, and change by hand what is there."""

from collections.abc import Mapping, Sequence

import click

from deploy.cli.kapture_account import (
    account_of,
    ask,
    destination_option,
    has_key,
    since_option,
    span,
    until_option,
)
from deploy.cli.kapture_answers import pairs, show, tell
from deploy.cli.kapture_reconcile import reconcile
from deploy.cli.output import Failed, as_option, json_option, progress
from deploy.cli.session import put_on_record, read_settings
from schemas.destination import Destination
from schemas.kapture.listing import Customer
from schemas.kapture.reply import KaptureReply, digits_of
from tasks.kapture_audit import api
from tasks.vendors.protocol import Http

OF_CONTACTS = ("name", "phone", "email")  # mandatory, by the document's "Add more customer API"


@click.group
def kapture() -> None:
    """Look into a Kapture account, change what is there, and find what it lacks."""


kapture.add_command(reconcile)


@kapture.command
@click.argument("customer_id", required=False)
@click.option("--phone", metavar="NUMBER", help="By a number, of a contact too; however it is written.")
@click.option("--email", metavar="ADDRESS", help="By an e-mail address.")
@click.option("--customer-code", metavar="CODE", help="By the code that we sent: the caller's digits.")
@destination_option
@json_option
def search(*, destination: str | None, as_json: bool, **by: str | None) -> None:
    """Search for a customer by CUSTOMER_ID, or by one of the options. Status 1 when there is none."""
    given = {name: value for name, value in by.items() if value}
    if len(given) != 1:
        raise click.UsageError("Give CUSTOMER_ID, --phone, --email or --customer-code, one of them.")
    account = account_of(read_settings()[1], destination, needs=["search"])

    async def work(http: Http) -> list[Customer]:
        for wanted in _wanted(given, account):
            if found := await api.search(account, wanted, http=http):
                return found
        return []

    found = ask(account, work)
    show(found, as_json=as_json, empty="Kapture knows no such customer.")
    if not found:
        raise SystemExit(1)


@kapture.command
@since_option
@until_option
@destination_option
@json_option
def select(*, since_ms: int | None, until_ms: int | None, destination: str | None, as_json: bool) -> None:
    """List the customers added in a span of time, the last 24 hours unless it is given.

    Kapture is asked in windows of 24 hours, the most that it gives, with dates in UTC.
    """
    account = account_of(read_settings()[1], destination, needs=["select"])
    wanted = api.windows(*span(since_ms, until_ms))

    async def work(http: Http) -> list[Customer]:
        with progress(len(wanted), "reading") as advance:
            return await api.select_all(account, wanted, http=http, advance=advance)

    show(ask(account, work), as_json=as_json, empty="Kapture lists no customer for this time.")


@kapture.command
@click.argument("customer_id")
@click.argument("fields", metavar="FIELD=VALUE...", nargs=-1, required=True)
@destination_option
@as_option
@json_option
def update(*, customer_id: str, fields: tuple[str, ...], destination: str | None, as_json: bool) -> None:
    """Change fields of a customer, such as city=Perth. An unknown customer is status 1, and none is added."""
    account = account_of(read_settings()[1], destination, needs=["update"])
    values = pairs(fields)

    async def work(http: Http) -> KaptureReply:
        # The page adds whom it does not find, so look first, where there is a key for looking.
        if has_key(account, "search"):
            await _find(account, customer_id, http=http)
        return await api.update(account, customer_id, values, http=http)

    put_on_record("kapture.update", f"{account.name} customer={customer_id}")
    said = ask(account, work)
    tell(account, customer_id, said, as_json=as_json)
    if said.customer_id and said.customer_id != customer_id:
        raise Failed(f"Kapture says that it changed customer {said.customer_id}.")


@kapture.command("add-contact")
@click.argument("customer_id")
@click.argument("fields", metavar="FIELD=VALUE...", nargs=-1, required=True)
@click.option("--again", is_flag=True, help="Though the customer has a contact with this number.")
@destination_option
@as_option
@json_option
def add_contact(
    *, customer_id: str, fields: tuple[str, ...], again: bool, destination: str | None, as_json: bool
) -> None:
    """Add a contact to a customer; name=, phone= and email= are required, others such as gender= may follow."""
    account = account_of(read_settings()[1], destination, needs=["contact"])
    values = pairs(fields)
    if missing := [name for name in OF_CONTACTS if not values.get(name)]:
        raise click.UsageError(f"A contact needs {', '.join(f'{name}=' for name in missing)}.")

    async def work(http: Http) -> KaptureReply:
        if has_key(account, "search"):
            found = await _find(account, customer_id, http=http)
            numbers = {digits_of(one["phone"]) for one in api.by_phone(values["phone"], account)}
            if not again and any(numbers & customer.numbers for customer in found):
                raise Failed(f"Customer {customer_id} has a contact with this number; --again adds another.")
        return await api.add_contact(account, customer_id, values, http=http)

    put_on_record("kapture.add-contact", f"{account.name} customer={customer_id}")
    tell(account, customer_id, ask(account, work), as_json=as_json)


def _wanted(given: Mapping[str, str], account: Destination) -> Sequence[Mapping[str, str]]:
    """Give the searches to try until one finds somebody."""
    [(name, value)] = given.items()
    match name:
        case "customer_id":
            return [api.by_id(value)]
        case "phone":
            return list(api.by_phone(value, account))
        case "email":
            return [{"email_id": value}]  # the newer page's key: the document searches by number alone
        case _:
            return [{"customer_code": value}]


async def _find(account: Destination, customer_id: str, *, http: Http) -> list[Customer]:
    found = await api.search(account, api.by_id(customer_id), http=http)
    if not any(customer.customer_id in {"", customer_id} for customer in found):
        raise Failed(f"There is no customer {customer_id}.")
    return found
