"""Traces of webhooks: what the view does instead of handing an event to the inbox, where traces are on."""

import time

from receiver.inbox import EventOutcome, Inbox, InboxFull
from receiver.tally import EVENTS
from schemas.delacon.events import Event
from worker.ledger.sender_mark import sender_of, unmarked
from worker.traces import WEBHOOK, Span, Traces, parse_traceparent, span_of, webhook_span

_STORED = {EventOutcome.STORED, EventOutcome.SPOOLED, EventOutcome.KEPT}


class TracedInbox:
    """An inbox whose events leave a span each."""

    def __init__(self, inbox: Inbox, traces: Traces) -> None:
        self._inbox = inbox
        self._traces = traces

    async def put(self, event: Event, record: str, *, traceparent: str | None, begun: float) -> EventOutcome:
        """Hand in an event, as ``Inbox.put`` does; ``begun`` is when its request came (``perf_counter``)."""
        begun_ns = time.time_ns() - round((time.perf_counter() - begun) * 1e9)
        bare = unmarked(record)
        parent = parse_traceparent(traceparent)
        if parent is not None:
            await self._traces.note_parent(event.call_id, bare, parent)
        outcome = EventOutcome.REFUSED
        try:
            outcome = await self._inbox.put(event.call_id, record)
        except InboxFull:
            pass
        finally:
            ended_ns = time.time_ns()
            # The webhook that brought an event has a span of its own; one that brought it again has another.
            own = webhook_span(event.call_id, bare)
            attributes = {"call_id": event.call_id, "event": EVENTS[event.kind], "outcome": outcome.value}
            if sender := sender_of(record):
                attributes["sender"] = sender
            self._traces.add(
                Span(
                    name=WEBHOOK, call_id=event.call_id, begun_ns=begun_ns, ended_ns=ended_ns, attributes=attributes,
                    span=own if outcome in _STORED else span_of(own, begun_ns), failed=outcome not in _FINE,
                    parent=parent,
                )
            )  # fmt: skip
        return outcome


_FINE = {*_STORED, EventOutcome.SAME, EventOutcome.REMEMBERED}
