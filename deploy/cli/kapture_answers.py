"""What is given to the commands about Kapture as FIELD=VALUE, and how they show what it answers."""

from collections.abc import Sequence
from typing import Any

import click

from deploy.cli.output import emit, print_table, shown
from schemas.destination import Destination
from schemas.kapture.listing import Customer
from schemas.kapture.reply import KaptureReply


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
    """Give a customer as JSON; ``record`` is all that Kapture gave, its outer keys in lower case."""
    return {
        "customer_id": customer.customer_id,
        "customer_code": customer.code,
        "name": customer.name,
        "phones": list(customer.phones),
        "emails": list(customer.emails),
        "created": customer.created,
        "record": dict(customer.record),
    }
