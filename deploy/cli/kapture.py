"""``switchboard kapture``: look into a Kapture account, and change by hand what is there."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from deploy.cli.kapture_account import (
    account_of,
    ask,
    ask_beside,
    destination_option,
    has_key,
    pairs,
    show,
    since_option,
    span,
    tell,
    until_option,
)
from deploy.cli.output import Failed, as_option, emit, json_option, print_table, progress, say
from deploy.cli.session import Session, put_on_record, with_ledger
from deploy.cli.startup import read_settings
from deploy.cli.values import iso
from schemas.destination import Destination
from schemas.kapture.listing import Customer
from schemas.kapture.options import KaptureOptions
from schemas.kapture.reply import KaptureReply, digits_of
from tasks.kapture_audit import api
from tasks.kapture_audit import reconcile as task
from tasks.kapture_audit.reconcile import Delivered, deliver_again, delivered_callers
from tasks.vendors.protocol import Http
from worker.ledger.audit import Action

STEP = 200  # deliveries put back a round trip


@dataclass(slots=True)
class Found:
    """What a reconciliation found and did."""

    calls: int
    customers: int
    pending: int
    absent: list[Delivered]
    too_old: int = 0
    fixed: int = 0


@click.command
@since_option
@until_option
@click.option("--fix", is_flag=True, help="Deliver what is absent again: one call a customer, the newest.")
@destination_option
@as_option
@json_option
def reconcile(*, since_ms: int | None, until_ms: int | None, fix: bool, destination: str | None, as_json: bool) -> None:
    """Report the customers that were delivered and that Kapture does not have.

    It is about the calls received in the span, the last 24 hours unless it is given. Kapture's list of that time is
    read; whoever is not on it is searched for by number, code and phone, and is absent when nothing is found.
    With --fix the caller is forgotten, so that the delivery adds instead of updating; a delivery that waits for this
    already is pending and is not made twice. A call beyond the destination's max_age is left alone.
    """
    since, until = span(since_ms, until_ms)

    async def work(session: Session) -> Found:
        account = account_of(session.settings, destination, needs=())
        contact = _contact(account)
        account_of(session.settings, account.name, needs=["search"] if contact else ["select", "search"])

        async def look(http: Http) -> Found:
            return await _look(session, account, since=since, until=until, http=http)

        found = await ask_beside(account, look)
        max_age_s, now_s = account.max_age_s, time.time()
        young = [one for one in found.absent if max_age_s is None or now_s - one.started_at.timestamp() <= max_age_s]
        found.too_old = len(found.absent) - len(young)
        if fix:
            found.fixed = await _fix(session, young, by=session.does("kapture.reconcile", account.name))
        return found

    found = with_ledger(work)
    if as_json:
        emit(_shape(found, since=since, until=until))
        return
    rows = [(one.key.call_id, one.customer_id, one.calls, iso(one.delivered_ms)) for one in found.absent]
    print_table(("call_id", "customer_id", "calls", "delivered_at"), rows, empty="Kapture has every one of them.")
    click.echo(
        f"{found.customers} customers of {found.calls} calls: {len(found.absent)} absent, {found.pending} pending, "
        f"{found.fixed} delivered again"
    )
    if found.too_old:
        say(f"{found.too_old} are older than the destination's max_age and would be skipped.")


async def _look(session: Session, account: Destination, *, since: int, until: int, http: Http) -> Found:
    wanted = task.windows_of(since, until, now_ms=round(time.time() * 1000))
    with progress(0 if _contact(account) else len(wanted), "reading Kapture's list") as advance:
        listing = await task.read_listing(account, wanted, http=http, advance=advance)
    callers = await delivered_callers(
        session.ledger, account, since_ms=since, until_ms=until,
        default_region=session.settings.calls.default_region,
    )  # fmt: skip
    suspects = [one for one in callers if not listing.holds(one)]
    with progress(len(suspects), "searching for the rest") as advance:
        absent = await task.absent_among(suspects, account, http=http, advance=advance)
    return Found(
        calls=sum(one.calls for one in callers),
        customers=len(callers),
        pending=sum(one.pending for one in absent),
        absent=[one for one in absent if not one.pending],
    )


async def _fix(session: Session, absent: Sequence[Delivered], *, by: Action) -> int:
    fixed = 0
    with progress(len(absent), "delivering again") as advance:
        for start in range(0, len(absent), STEP):
            step = absent[start : start + STEP]
            fixed += await deliver_again(session.ledger, step, by=by)
            advance(len(step))
    return fixed


def _contact(account: Destination) -> bool:
    options: KaptureOptions = account.options
    return options.mode == "contact"


def _shape(found: Found, *, since: int, until: int) -> dict[str, Any]:
    return {
        "since": iso(since),
        "until": iso(until),
        "calls": found.calls,
        "customers": found.customers,
        "absent": [
            {
                "delivery": str(one.key),
                "call_id": one.key.call_id,
                "customer_id": one.customer_id,
                "calls": one.calls,
                "delivered_at": iso(one.delivered_ms),
            }
            for one in found.absent
        ],
        "pending": found.pending,
        "too_old": found.too_old,
        "fixed": found.fixed,
    }


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
    """Return the searches to try until one finds somebody."""
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
