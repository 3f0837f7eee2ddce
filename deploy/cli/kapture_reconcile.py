"""``switchboard kapture reconcile``: what was delivered to Kapture and is not there."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from deploy.cli.kapture_account import account_of, ask_beside, destination_option, since_option, span, until_option
from deploy.cli.output import as_option, emit, json_option, print_table, progress, say
from deploy.cli.session import Session, with_ledger
from deploy.cli.values import iso
from schemas.destination import Destination
from schemas.kapture.options import KaptureOptions
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
