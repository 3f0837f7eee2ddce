"""``switchboard deliveries``: look at deliveries, and lend a hand."""

from collections.abc import AsyncIterator
from typing import Any

import click

from deploy.cli.delivery_actions import cancel, redeliver, retry
from deploy.cli.erase import forms_in
from deploy.cli.output import emit, json_option, limit_of, limit_option, print_table
from deploy.cli.rendering import Gates, delivery_line, in_order
from deploy.cli.selection import destinations_meant
from deploy.cli.session import Session, with_ledger
from deploy.cli.suppress import asked_number
from deploy.cli.values import since_option, until_option
from schemas.delivery import State
from schemas.phones.asked_number import AskedNumber
from worker.ledger import queries
from worker.ledger.records import DeliveryRecord


@click.group
def deliveries() -> None:
    """Look at deliveries; retry, cancel or redeliver them.

    The key of a delivery is CALL_ID:DESTINATION:ACTION.
    """


deliveries.add_command(retry)
deliveries.add_command(cancel)
deliveries.add_command(redeliver)


@deliveries.command("list")
@click.option("--destination", metavar="NAME", help="Only those of one destination.")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
@click.option("--caller", metavar="NUMBER", help="Only those of this number's calls.")
@since_option
@until_option
@limit_option
@json_option
def list_deliveries(
    *, destination: str | None, state: str | None, caller: str | None, since_ms: int | None, until_ms: int | None,
    limit: int | None, as_json: bool,
) -> None:  # fmt: skip
    """List deliveries, those of the newest calls first.

    --since and --until go by the receipt of the call, for dead and in_flight ones by when they became so.
    """

    async def work(session: Session) -> list[dict[str, Any]]:
        await destinations_meant(session, destination)
        asked = asked_number(session, caller) if caller else None
        theirs: dict[str, bool] = {}
        gates, lines, most = await Gates.read(session), [], limit_of(limit, as_json=as_json)
        async for record in _records(
            session, destination=destination, state=state, since_ms=since_ms, until_ms=until_ms
        ):
            wanted = destination in {None, record.key.destination} and state in {None, gates.state_of(record)[0]}
            if wanted and asked is not None and record.key.call_id not in theirs:
                theirs[record.key.call_id] = await _is_of(session, record, asked)
            if wanted and theirs.get(record.key.call_id, True):
                lines.append(delivery_line(record, gates))
            if len(lines) == most:
                break
        return lines

    found = with_ledger(work)
    if as_json:
        emit(found)
        return
    columns = ("key", "state", "reason", "attempts", "due_at", "ended_at")
    print_table(columns, [[line[name] for name in columns] for line in found], empty="There is no such delivery.")


async def _is_of(session: Session, record: DeliveryRecord, asked: AskedNumber) -> bool:
    stored = await queries.load_one(session.ledger, record.key.call_id)
    return stored is not None and bool(forms_in(stored, asked))


async def _records(
    session: Session, *, destination: str | None, state: str | None, since_ms: int | None, until_ms: int | None
) -> AsyncIterator[DeliveryRecord]:
    """Return candidates from the shortest list that holds all of the state."""
    ledger = session.ledger
    match state:
        case State.DEAD:
            names = {destination} if destination else await queries.known_destinations(ledger)
            async for letter in queries.dead_letters(ledger, sorted(names), since_ms=since_ms, until_ms=until_ms):
                if letter.record is not None:
                    yield letter.record
        case State.IN_FLIGHT:
            for record in await queries.in_flight(ledger):
                yield record
        case _:
            async for page in queries.call_ids(ledger, since_ms=since_ms, until_ms=until_ms):
                for stored in await ledger.load(page):
                    for record in in_order(stored, session):
                        yield record
