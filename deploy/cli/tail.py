"""``switchboard calls tail``: follows what happens, a line an event."""

import asyncio
import json
import signal
from collections import deque
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

import click

from deploy.cli.output import json_option, shown
from deploy.cli.rendering import KINDS, Gates
from deploy.cli.session import Session, with_ledger
from deploy.cli.values import at_zone, iso, since_option, tz_option
from schemas.delivery import FINAL
from worker.ledger import queries
from worker.ledger.audit import audited
from worker.ledger.records import StoredCall

LOOK_S = 0.5
FOLLOWED = 500
"""Calls followed at once; beyond it the one that was quiet for longest is left."""
Event = dict[str, Any]


class Tail:
    """Follows the calls that move: those that came in since, and those that are under way."""

    def __init__(self, session: Session, since_ms: int) -> None:
        self._session = session
        self._since_ms = since_ms
        self._began_ms = since_ms
        self._seen: dict[str, set[str]] = {}
        self._told: deque[str] = deque(maxlen=FOLLOWED)

    async def look(self) -> list[Event]:
        """Return what happened since the last look, in the order of its time."""
        ledger = self._session.ledger
        gates = await Gates.read(self._session)
        async for page in queries.call_ids(ledger, since_ms=self._since_ms):
            for call_id in page:
                self._seen.setdefault(call_id, set())
        for record in await queries.in_flight(ledger):
            self._seen.setdefault(record.key.call_id, set())
        self._since_ms = max(self._since_ms, await ledger.now_ms() - round(LOOK_S * 4000))
        events: list[Event] = []
        for stored in await ledger.load(list(self._seen)):
            seen = self._seen[stored.call_id]
            fresh = [event for event in _events(stored, gates) if event["mark"] not in seen]
            seen.update(event["mark"] for event in fresh)
            events += [event for event in fresh if event["ms"] >= self._began_ms]
            if fresh:
                self._seen[stored.call_id] = self._seen.pop(stored.call_id)
        while len(self._seen) > FOLLOWED:
            del self._seen[next(iter(self._seen))]
        events += await self._changes()
        return sorted(events, key=lambda event: int(event["ms"]))

    async def _changes(self) -> list[Event]:
        """Return what operators did since."""
        found = []
        async for record in audited(self._session.ledger, since_ms=max(self._began_ms, self._since_ms - 60_000)):
            if record.action_id not in self._told:
                self._told.append(record.action_id)
                what = f"{record.who} {record.what} {record.which}, {record.count}"
                found.append(_event(record.at_ms, "", "operator", what, record.action_id))
        return found


def _events(stored: StoredCall, gates: Gates) -> Iterator[Event]:
    """Return every line that a call has to tell."""
    for event in stored.listed:
        ms = event.received_us // 1000
        yield _event(ms, stored.call_id, "webhook", KINDS[event.kind], f"e{event.received_us}{event.kind}")
    for record in stored.deliveries.values():
        where = f"{record.key.destination} {record.key.action}"
        for attempt in record.history.attempts:
            answer = "no answer" if attempt.status is None else str(attempt.status)
            what = f"{where} attempt {attempt.number}: {answer}, {attempt.outcome} {attempt.reason}".rstrip()
            yield _event(attempt.at_ms, stored.call_id, "attempt", what, f"a{where}{attempt.number}")
        if record.state in FINAL:
            state, reason = gates.state_of(record)
            what = f"{where} {state} {reason}".rstrip()
            yield _event(record.at_ms, stored.call_id, "ended", what, f"d{where}{state}{record.fence}")


def _event(ms: int, call_id: str, kind: str, what: str, mark: str) -> Event:  # noqa: PLR0917  a line and its mark
    return {"ms": ms, "call_id": call_id, "event": kind, "what": what, "mark": mark}


@click.command
@since_option
@tz_option
@click.option("--once", is_flag=True, help="End after what has happened so far.")
@json_option
def tail(*, since_ms: int | None, tz: tzinfo | None, once: bool, as_json: bool) -> None:
    """Follow what happens, a line an event, until Ctrl-C: webhooks, attempts, ends, and what operators do.

    With --since it begins with what has happened since. --json prints an object a line. No numbers are shown.
    """

    async def work(session: Session) -> None:
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
        tail = Tail(session, await session.ledger.now_ms() if since_ms is None else since_ms)
        while not stopped.is_set():
            for event in await tail.look():
                _print(event, tz, as_json=as_json)
            if once:
                return
            try:
                await asyncio.wait_for(stopped.wait(), LOOK_S)
            except TimeoutError:
                continue

    with_ledger(work)


def _print(event: Event, tz: tzinfo | None, *, as_json: bool) -> None:
    at = iso(event["ms"])
    if as_json:
        value = {"at": at, "call_id": event["call_id"], "event": event["event"], "what": event["what"]}
        click.echo(json.dumps(value, ensure_ascii=False))
    else:
        click.echo(shown(f"{at_zone(at, tz)}  {event['call_id'] or '-'}  {event['event']}  {event['what']}"))
