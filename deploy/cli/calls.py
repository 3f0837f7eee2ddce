"""``switchboard calls``: look at calls, and route them again."""

from typing import Any

import click

from deploy import actions
from deploy.cli.erase import forms_in
from deploy.cli.output import Failed, as_option, emit, json_option, limit_of, limit_option, print_table, progress, shown
from deploy.cli.rendering import Gates, call_line, call_shape, print_attempts
from deploy.cli.session import Session, with_ledger
from deploy.cli.suppress import asked_number
from deploy.cli.values import iso, since_option, until_option
from worker.ledger import queries
from worker.ledger.audit import named

BATCH = 200  # calls a step of rerouting: a small step is soon whole
STATES = ("waiting", "ready", "unrouted", "no_start")


@click.group
def calls() -> None:
    """Look at calls, and route them again."""


@calls.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only calls in this state.")
@click.option("--caller", metavar="NUMBER", help="Only calls of this number.")
@since_option
@until_option
@limit_option
@json_option
def list_calls(
    *, state: str | None, caller: str | None, since_ms: int | None, until_ms: int | None, limit: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """List calls, the newest first."""

    async def work(session: Session) -> list[dict[str, Any]]:
        asked = asked_number(session, caller) if caller else None
        gates, lines, most = await Gates.read(session), [], limit_of(limit, as_json=as_json)
        async for page in queries.call_ids(session.ledger, since_ms=since_ms, until_ms=until_ms):
            for stored in await session.ledger.load(page):
                if (state and stored.state != state) or (asked and not forms_in(stored, asked)):
                    continue
                lines.append(call_line(stored, gates))
                if len(lines) == most:
                    return lines
        return lines

    found = with_ledger(work)
    if as_json:
        emit(found)
        return
    columns = ("call_id", "state", "started_at", "caller", "result", "service_name")
    rows = [[*(line[name] for name in columns), _states(line["deliveries"])] for line in found]
    print_table([*columns, "deliveries"], rows, empty="There is no such call.")


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
        click.echo(f"{done['calls']} calls routed again: {done['deliveries']} deliveries, {done['unrouted']} unrouted")
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
