"""``switchboard calls``: look at calls, and route them again."""

from typing import Any

import click

from deploy import actions, search
from deploy.cli.listing import Listing, call_filter, filter_options, listing_options
from deploy.cli.output import Failed, as_option, counted, emit, json_option, print_fitted, print_table, progress, shown
from deploy.cli.rendering import Gates, call_line, call_shape, print_attempts
from deploy.cli.session import Session, with_ledger
from deploy.cli.tail import tail
from deploy.cli.values import at_zone, iso, since_option, until_option
from worker.ledger import queries
from worker.ledger.audit import named

BATCH = 200  # calls a step of rerouting: a small step is soon whole


@click.group
def calls() -> None:
    """Look at calls, and route them again."""


calls.add_command(tail)


@calls.command("list")
@filter_options("calls")
@listing_options
@json_option
def list_calls(*, as_json: bool, **given: Any) -> None:
    """List calls, the newest first.

    --since and --until go by the first receipt. Times are shown in --tz; --json has them in UTC.
    """
    listing = Listing.of(given, as_json=as_json)

    async def work(session: Session) -> list[dict[str, Any]]:
        gates, wanted = await Gates.read(session), await call_filter(session, given)
        found = search.calls(session, wanted, sort=listing.sort, skip=listing.skip)
        return await listing.page_of(call_line(one.stored, gates) async for one in found)

    found = with_ledger(work)
    if as_json:
        emit(found)
        return
    rows = [
        [
            line["call_id"], line["state"], at_zone(line["started_at"], listing.tz), line["caller"], line["result"],
            line["service_name"], _states(line["deliveries"]),
        ]
        for line in found
    ]  # fmt: skip
    columns = ("call_id", "state", "started_at", "caller", "result", "service_name", "deliveries")
    least = ("deliveries", "service_name", "state", "result", "caller", "started_at")
    print_fitted(columns, rows, least=least, empty="There is no such call.")


@calls.command
@click.argument("call_id", metavar="ID")
@json_option
def show(*, call_id: str, as_json: bool) -> None:
    """Show a call whole: its events, its deliveries and their attempts."""

    async def work(session: Session) -> dict[str, Any]:
        stored = await queries.load_one(session.ledger, call_id)
        if stored is not None:
            return call_shape(stored, await Gates.read(session))
        if await queries.is_remembered(session.ledger, call_id):
            raise Failed(f"Of call {call_id} the id alone is left: it was removed by its retention or erased.")
        raise Failed(f"There is no call {call_id}.")

    found = with_ledger(work)
    if as_json:
        emit(found)
        return
    _print_call(found)


@calls.command
@click.argument("call_ids", metavar="[ID]...", nargs=-1)
@since_option
@until_option
@as_option
@json_option
def reroute(*, call_ids: tuple[str, ...], since_ms: int | None, until_ms: int | None, as_json: bool) -> None:
    """Route calls by the present configuration: those named, or all unrouted ones.

    A call that has deliveries already keeps them, and gets those that its routes add. --since and --until go by when a
    call was found to match no route.
    """
    if call_ids and (since_ms or until_ms):
        raise click.UsageError("Give ids, or --since and --until; not both.")

    async def work(session: Session) -> dict[str, Any]:
        ledger = session.ledger
        wanted = list(dict.fromkeys(call_ids)) or await queries.unrouted(ledger, since_ms=since_ms, until_ms=until_ms)
        known = {call.call_id for call in await ledger.load(call_ids)} if call_ids else set(wanted)
        unknown = [call_id for call_id in wanted if call_id not in known]
        times = {"since": iso(since_ms), "until": iso(until_ms)}
        which = " ".join(f"{name}={value}" for name, value in times.items() if value) or "all"
        by = session.does("calls.reroute", named(wanted) if call_ids else which)
        made, still = 0, 0
        with progress(len(wanted), "rerouting") as advance:
            for start in range(0, len(wanted), BATCH):
                batch = [call_id for call_id in wanted[start : start + BATCH] if call_id in known]
                rerouted = await actions.reroute(session, batch, by=by)
                made, still = made + rerouted.deliveries, still + rerouted.unrouted
                advance(len(batch))
        return {"calls": len(known), "deliveries": made, "unrouted": still, "unknown": unknown}

    done = with_ledger(work)
    if as_json:
        emit(done)
    else:
        deliveries = counted(done["deliveries"], "delivery", "deliveries")
        click.echo(f"{counted(done['calls'], 'call')} routed again: {deliveries}, {done['unrouted']} unrouted")
    if done["unknown"]:
        raise Failed("\n".join(f"There is no call {call_id}." for call_id in done["unknown"]))


def _states(deliveries: Any) -> str:
    return ", ".join(f"{one['destination']} {one['state']}" for one in deliveries)


def _print_call(found: dict[str, Any]) -> None:
    """Print a call for a person: its values, then its events, its deliveries and their attempts."""
    click.echo(f"state {found['state']}, revision {found['revision']}, routes: {', '.join(found['routes']) or 'none'}")
    print_table(("field", "value"), list(found["call"].items()), empty="")
    events = [(event["received_at"], event["kind"], len(event["values"])) for event in found["events"]]
    print_table(("received", "event", "values"), events, empty="")
    for one in found["deliveries"]:
        reason = f" ({one['reason']})" if one["reason"] else ""
        click.echo(shown(f"{one['destination']} {one['action']}: {one['state']}{reason}"))
        for note in one["notes"]:
            click.echo(shown(f"  note: {note}"))
        print_attempts(one["attempts"])
