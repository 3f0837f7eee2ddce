"""``switchboard quarantine``: look at pushed bodies that could not be read, and retry them."""

from typing import Any

import click

from deploy.actions import retry_body
from deploy.cli.output import Failed, as_option, emit, json_option, limit_of, limit_option, print_table, shown
from deploy.cli.session import Session, with_ledger
from deploy.cli.values import iso, since_option, until_option
from worker.ledger import audit, queries
from worker.ledger.queries import QuarantinedBody
from worker.ledger.sender_mark import is_foreign

PREVIEW = 60  # characters of a body in the table


@click.group
def quarantine() -> None:
    """Look at pushed bodies that could not be read, and retry them."""


@quarantine.command("list")
@since_option
@until_option
@limit_option
@json_option
def list_bodies(*, since_ms: int | None, until_ms: int | None, limit: int | None, as_json: bool) -> None:
    """List the bodies, the newest first."""

    async def work(session: Session) -> list[QuarantinedBody]:
        found, most = [], limit_of(limit, as_json=as_json)
        async for body in queries.quarantined(session.ledger, since_ms=since_ms, until_ms=until_ms):
            found.append(body)
            if len(found) == most:
                break
        return found

    bodies = with_ledger(work)
    if as_json:
        emit([_line(body) for body in bodies])
        return
    rows = [(*_line(body).values(), _text(body)[:PREVIEW]) for body in bodies]
    columns, least = ("id", "received", "reason", "path", "bytes", "begins"), ("begins", "path", "bytes", "received")
    print_table(columns, rows, least=least, empty="Nothing is in quarantine.")


@quarantine.command
@click.argument("body_id", metavar="ID")
@json_option
def show(*, body_id: str, as_json: bool) -> None:
    """Show a body as it was pushed; bytes that are no UTF-8 are replaced."""

    async def work(session: Session) -> QuarantinedBody:
        [body] = await queries.find_bodies(session.ledger, [body_id])
        if body is None:
            raise Failed(f"There is no body {body_id} in quarantine.")
        return body

    body = with_ledger(work)
    if as_json:
        emit({**_line(body), "body": _text(body)})
        return
    for name, value in _line(body).items():
        click.echo(shown(f"{name}: {value}"))
    click.echo(shown(_text(body), lines=True))


@quarantine.command
@click.argument("body_ids", metavar="[ID]...", nargs=-1)
@as_option
@json_option
def retry(*, body_ids: tuple[str, ...], as_json: bool) -> None:
    """Read bodies again, those named or all, such as after an upgrade; what can be read leaves quarantine.

    It counts as received when it was. Status 1 when a body that was named stays. A body whose sender does not speak
    for its call is taken only when it is named: you decide that it belongs there.
    """

    async def work(session: Session) -> list[dict[str, Any]]:
        if body_ids:
            asked = await queries.find_bodies(session.ledger, list(dict.fromkeys(body_ids)))
            named = zip(dict.fromkeys(body_ids), asked, strict=True)
            by = session.does("quarantine.retry", audit.named(list(dict.fromkeys(body_ids))))
            return [await retry_body(session, body_id, body, by=by) for body_id, body in named]
        found = [body async for body in queries.quarantined(session.ledger)]
        bodies = [body for body in found if not is_foreign(body.reason)]
        by = session.does("quarantine.retry", "all")
        return [await retry_body(session, body.body_id, body, by=by) for body in reversed(bodies)]

    results = with_ledger(work)
    if as_json:
        emit(results)
    else:
        rows = [(result["id"], result["outcome"], result["call_id"]) for result in results]
        print_table(("id", "outcome", "call_id"), rows, empty="Nothing is in quarantine.")
    left = [result["id"] for result in results if not result["accepted"]]
    if left and body_ids:
        raise Failed(f"Still not usable: {', '.join(left)}")


def _line(body: QuarantinedBody) -> dict[str, Any]:
    return {
        "id": body.body_id, "received_at": iso(body.received_us / 1000), "reason": body.reason, "path": body.path_kind,
        "bytes": len(body.body),
    }  # fmt: skip


def _text(body: QuarantinedBody) -> str:
    return body.body.decode("utf-8", "replace")
