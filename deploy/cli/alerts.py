"""``switchboard alerts``: the causes that hold, the messages, and a test message."""

import asyncio
import time
from typing import Any

import click

from deploy.cli.output import Failed, as_option, emit, json_option, print_table, say
from deploy.cli.session import Session, with_ledger
from tasks.alerts.causes import moment
from tasks.alerts.watch import targets_of
from tasks.alerts.wording import title_of
from worker.ledger import alerts as kept
from worker.ledger.alerts import Line, Message, Sent, Standing
from worker.ledger.audit import note

WAIT_S = 20.0
LOOK_EVERY_S = 0.2


@click.group
def alerts() -> None:
    """Look at the alerts of the configuration, and try the way to those who are told."""


@alerts.command("list")
@json_option
def list_alerts(*, as_json: bool) -> None:
    """Show what is on, what waits to be told, and what was told lately."""

    async def work(session: Session) -> dict[str, Any]:
        names = {name: target.shown for name, target in targets_of(session.settings.alerts).items()}
        ledger = session.ledger
        return {
            "on": [standing_line(one) for one in await kept.standing(ledger)],
            "waiting": [_line(one, names) for one in await kept.lines(ledger)],
            "sent": [_sent(one, names) for one in await kept.sent(ledger)],
        }

    found = with_ledger(work)
    if as_json:
        emit(found)
        return
    on = [(one["cause"], one["since"], one["told"] or "not yet", one["text"]) for one in found["on"]]
    print_table(("Cause", "Since", "Told", "What"), on, empty="Nothing is on.")
    if found["waiting"]:
        rows = [(one["target"], one["messages"], one["tries"], one["reason"], one["next"]) for one in found["waiting"]]
        print_table(("Waiting for", "Messages", "Tries", "Last", "Next"), rows, empty="")
    if found["sent"]:
        sent = [(one["at"], one["outcome"], one["target"], one["text"]) for one in found["sent"][:20]]
        print_table(("Told at", "Outcome", "To", "What"), sent, empty="")


@alerts.command
@as_option
@json_option
def test(*, as_json: bool) -> None:
    """Send a test message to every address of the configuration, by a worker, and say whether it arrived.

    Status 1: one did not arrive within 20 s; it is kept and tried again, as any message is.
    """

    async def work(session: Session) -> list[dict[str, Any]]:
        targets = targets_of(session.settings.alerts)
        if not targets:
            raise Failed("The configuration has no [[alerts]].")
        asked = {
            name: await kept.put_test(session.ledger, name, {"by": session.actor.who}) for name in targets
        }  # fmt: skip
        await note(session.ledger, session.does("alerts.test"), count=len(asked))
        done = await _outcomes(session, set(asked.values()))
        return [
            {
                "target": targets[name].shown, "id": message_id,
                "outcome": done[message_id].outcome if message_id in done else "waiting",
            }
            for name, message_id in asked.items()
        ]  # fmt: skip

    found = with_ledger(work)
    if as_json:
        emit(found)
    else:
        print_table(("To", "Outcome"), [(one["target"], one["outcome"]) for one in found], empty="")
    if late := [one for one in found if one["outcome"] != "delivered"]:
        say("Is a worker running that takes the queue chores? switchboard alerts list says why a message waits.")
        raise Failed(f"{len(late)} of {len(found)} did not arrive.")


async def _outcomes(session: Session, wanted: set[str]) -> dict[str, Sent]:
    """Wait for these messages; return those that were delivered or given up in time."""
    until = time.monotonic() + WAIT_S
    while True:
        done = {one.message.message_id: one for one in await kept.sent(session.ledger)}
        found = {name: done[name] for name in wanted & done.keys()}
        if len(found) == len(wanted) or time.monotonic() > until:
            return found
        await asyncio.sleep(LOOK_EVERY_S)


def standing_line(one: Standing) -> dict[str, Any]:
    """Return a cause that holds as one line of a listing."""
    began = one.begun_ms or one.since_ms
    as_message = Message(
        message_id="", kind="begun", alert=one.alert, since_ms=one.since_ms, begun_ms=began, at_ms=began,
        facts=one.facts,
    )  # fmt: skip
    return {
        "cause": one.cause, "alert": one.alert, "since": _time(one.since_ms), "begun": _time(one.begun_ms),
        "told": _time(one.told_ms), "text": title_of(as_message),
    }  # fmt: skip


def _line(one: Line, names: dict[str, str]) -> dict[str, Any]:
    return {
        "target": names.get(one.target, f"{one.target} (no longer configured)"), "messages": one.waiting,
        "tries": one.tries, "reason": one.reason, "next": _time(one.next_ms),
    }  # fmt: skip


def _sent(one: Sent, names: dict[str, str]) -> dict[str, Any]:
    return {
        "target": names.get(one.target, one.target), "outcome": one.outcome, "at": _time(one.at_ms),
        "tries": one.tries, "reason": one.reason, "id": one.message.message_id, "kind": one.message.kind,
        "cause": one.message.cause, "text": title_of(one.message),
    }  # fmt: skip


def _time(ms: int | None) -> str | None:
    return None if ms is None else moment(ms).isoformat(timespec="seconds")
