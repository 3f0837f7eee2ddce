"""Traces (contract, section 13): one a call, its spans written when they are over.

So no span is ever open or current: nothing is passed on to a vendor, and a broker that is away leaves none behind. The
SDK is imported only where ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set.
"""

import asyncio
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import structlog
from redis import RedisError
from redis.asyncio import Redis

from worker.build import code_version
from worker.ledger.trace_notes import CALL, Noted, Traced

log = structlog.get_logger(__name__)

FLUSH_S = 0.2
MOST_WAITING = 20_000  # spans that are not written yet; what comes beyond is dropped, and counted in the log
AT_ONCE = 500
NOTE_S = 0.2  # how long a webhook waits for its sender's trace to be noted; without the note a link is missing
CLOSE_MS = 3_000
SAMPLED = "01"
WEBHOOK = "webhook"
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


@dataclass(frozen=True, slots=True)
class Parent:
    """A span of somebody else, as hexadecimal text."""

    trace: str
    span: str
    flags: str


def parse_traceparent(text: str | None) -> Parent | None:
    """Read a ``traceparent`` header (W3C Trace Context); ``None`` for what is none."""
    found = _TRACEPARENT.fullmatch((text or "").strip())
    if found is None or not found[1].strip("0") or not found[2].strip("0"):
        return None
    return Parent(found[1], found[2], found[3])


def trace_of(call_id: str) -> str:
    """Return the trace of a call that no sender put into another one."""
    return blake2b(call_id.encode(), digest_size=16, person=b"switchboard").hexdigest()


def span_of(*parts: object) -> str:
    """Return the id of a span from what it is about."""
    return blake2b("\n".join(map(str, parts)).encode(), digest_size=8, person=b"switchboard").hexdigest()


def webhook_span(call_id: str, record: str) -> str:
    """Return the span of the webhook that brought an event, for whoever finds the event in the ledger."""
    return span_of("webhook", call_id, record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span that is over; ids as hexadecimal text, times in epoch nanoseconds."""

    name: str
    call_id: str
    span: str
    begun_ns: int
    ended_ns: int
    attributes: Mapping[str, str | int]
    failed: bool = False
    parent: Parent | None = None
    """What is known of it already; else ``delivery`` or nothing says it."""
    delivery: str = ""
    """``destination:action`` of an attempt, whose parent is the dispatch that made it."""
    events: Sequence[str] = field(default=())
    """Spans of the webhooks that a dispatch was made of, in the order of their receipt."""


class Traces:
    """Writes spans off the paths that make them; ``close`` at the end."""

    def __init__(self, redis: Redis, provider: Any) -> None:
        self._traced = Traced(redis)
        self._provider = provider
        self._writer = _Writer(provider)
        self._waiting: list[Span] = []
        self._dropped = 0

    @classmethod
    def open(cls, redis: Redis, *, service: str) -> "Traces":
        """Begin to write to where the environment says; ``service`` is what this process is called there."""
        return cls(redis, _make_provider(service))

    async def note_parent(self, call_id: str, record: str, parent: Parent) -> None:
        """Note, before its event is stored, that a webhook belongs to a sender's trace."""
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(NOTE_S):
                span = webhook_span(call_id, record)
                await self._traced.note_webhook(call_id, span, Noted(parent.trace, parent.flags))

    async def note_deliveries(self, made: Mapping[tuple[str, str], str]) -> None:
        """Note, before they can be attempted, which dispatches made deliveries."""
        with suppress(RedisError, OSError):
            await self._traced.note_deliveries(made)

    def add(self, span: Span) -> None:
        """Write a span soon; neither blocks nor raises."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(span)
        else:
            self._dropped += 1

    async def run(self) -> None:
        """Write what was added, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what was added until now."""
        while self._waiting:
            spans, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            noted: list[Mapping[str, str]]
            try:
                begun = {
                    span.call_id: Noted(trace_of(span.call_id), SAMPLED)
                    for span in spans
                    if span.name == WEBHOOK and span.parent is None
                }
                noted = await self._traced.read([span.call_id for span in spans], begun)
            except (RedisError, OSError):
                noted = [{} for _ in spans]
            for span, known in zip(spans, noted, strict=True):
                try:
                    self._writer.write(span, known)
                except Exception as error:  # noqa: BLE001  traces never harm what they are about
                    log.warning("traces.failed", error=type(error).__name__)
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            log.warning("traces.dropped", count=dropped)

    async def close(self) -> None:
        """Write what is left; a collector that does not answer is waited for some seconds."""
        await self.flush()
        await asyncio.to_thread(self._provider.force_flush, CLOSE_MS)


@asynccontextmanager
async def writing(traces: Traces | None) -> AsyncIterator[None]:
    """Write what is added, and at the end what is left; nothing where traces are off."""
    if traces is None:
        yield
        return
    task = asyncio.create_task(traces.run())
    try:
        yield
    finally:
        task.cancel()
        await traces.close()


class _Writer:
    """Makes the SDK's spans."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry import trace  # noqa: PLC0415  an extra

        self._trace = trace
        self._tracer = provider.get_tracer("switchboard", code_version())

    def write(self, span: Span, known: Mapping[str, str]) -> None:
        """Write one; ``known`` is what is noted of its call."""
        own = Noted.parse(known.get(CALL)) or Noted(trace_of(span.call_id), SAMPLED)
        parent, links = span.parent, [self._event(span, other, known) for other in span.events]
        if span.delivery and (made := known.get(f"d:{span.delivery}")):
            parent = Parent(own.trace, made, own.flags)
        elif links:
            # The last of its events that is in the call's own trace has brought the dispatch about.
            parent = next((one for one in reversed(links) if one.trace == own.trace), None)
            links = [one for one in links if one is not parent]
        trace = self._trace
        context = None
        if parent is not None:
            context = trace.set_span_in_context(trace.NonRecordingSpan(self._context(parent)))
        elif own.flags[-1:] in "02468ace":
            return  # the sender samples none of it
        _ids.trace, _ids.span = int(own.trace, 16), int(span.span, 16)
        made_span = self._tracer.start_span(
            span.name, context=context or trace.context_api.Context(), start_time=span.begun_ns,
            links=[trace.Link(self._context(one)) for one in links],
            attributes={f"switchboard.{name}": value for name, value in span.attributes.items()},
        )  # fmt: skip
        if span.failed:
            made_span.set_status(trace.StatusCode.ERROR)
        made_span.end(span.ended_ns)

    def _event(self, span: Span, other: str, known: Mapping[str, str]) -> Parent:
        noted = Noted.parse(known.get(other)) or Noted.parse(known.get(CALL)) or Noted(trace_of(span.call_id), SAMPLED)
        return Parent(noted.trace, other, noted.flags)

    def _context(self, parent: Parent) -> Any:
        flags = self._trace.TraceFlags(int(parent.flags, 16) & 1)
        return self._trace.SpanContext(int(parent.trace, 16), int(parent.span, 16), is_remote=True, trace_flags=flags)


_ids = threading.local()
"""The ids of the span that is being made in this thread."""


def given_ids() -> Any:
    """Return what gives the SDK the ids of the span that is being made, which were derived."""
    from opentelemetry.sdk.trace.id_generator import IdGenerator  # noqa: PLC0415

    class Given(IdGenerator):
        def generate_span_id(self) -> int:
            return int(_ids.span)

        def generate_trace_id(self) -> int:
            return int(_ids.trace)

    return Given()


def _make_provider(service: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": f"switchboard-{service}"}
    provider = TracerProvider(resource=Resource.create(named), id_generator=given_ids(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def ns_of(monotonic_s: float) -> int:
    """Return the epoch nanoseconds of a moment of ``time.monotonic``, which does not jump."""
    return time.time_ns() - round((time.monotonic() - monotonic_s) * 1e9)
