"""Traces: what is derived, what a sender's header means, and which span is whose parent."""

from collections.abc import AsyncIterator

import pytest
from fakeredis import FakeAsyncRedis
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from redis.exceptions import ConnectionError as RedisConnectionError

from worker.traces import (
    MOST_WAITING,
    WEBHOOK,
    Parent,
    Span,
    Traces,
    given_ids,
    parse_traceparent,
    span_of,
    trace_of,
    webhook_span,
)

SENDERS = Parent("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "01")


class Kept:
    """Traces whose spans are kept in memory."""

    def __init__(self, redis: FakeAsyncRedis) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(id_generator=given_ids(), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.redis = redis
        self.traces = Traces(redis, provider)

    async def webhook(self, record: str, *, parent: Parent | None = None) -> str:
        """Let a webhook be traced; return its span."""
        if parent is not None:
            await self.traces.note_parent("c1", record, parent)
        span = webhook_span("c1", record)
        self.traces.add(made(WEBHOOK, span, parent=parent))
        await self.traces.flush()
        return span

    def spans(self) -> dict[str, ReadableSpan]:
        """Return what was written, by the spans' ids."""
        return {format(one.context.span_id, "016x"): one for one in self.exporter.get_finished_spans() if one.context}


def made(name: str, span: str, **changes: object) -> Span:
    """Return a span of the call c1."""
    values: dict[str, object] = {
        "name": name, "call_id": "c1", "span": span, "begun_ns": 1, "ended_ns": 2, "attributes": {"call_id": "c1"},
    }  # fmt: skip
    return Span(**(values | changes))  # type: ignore[arg-type]


def trace_id(span: ReadableSpan) -> str:
    """Return a span's trace."""
    assert span.context is not None
    return format(span.context.trace_id, "032x")


@pytest.fixture
async def kept() -> AsyncIterator[Kept]:
    """Return traces on a fake Redis."""
    async with FakeAsyncRedis(decode_responses=True) as redis:
        yield Kept(redis)


@pytest.mark.parametrize(
    ("text", "parent"),
    [
        (f"00-{SENDERS.trace}-{SENDERS.span}-01", SENDERS),
        (f" 00-{SENDERS.trace}-{SENDERS.span}-00 ", Parent(SENDERS.trace, SENDERS.span, "00")),
        (f"cc-{SENDERS.trace}-{SENDERS.span}-01-what-the-future-is-like", SENDERS),
        (f"ff-{SENDERS.trace}-{SENDERS.span}-01", None),
        (f"00-{'0' * 32}-{SENDERS.span}-01", None),
        (f"00-{SENDERS.trace}-{'0' * 16}-01", None),
        (f"00-{SENDERS.trace.upper()}-{SENDERS.span}-01", None),
        ("00-1-2-3", None),
        ("", None),
        (None, None),
    ],
)
def test_a_traceparent_is_read_as_the_w3c_wrote_it(text: str | None, parent: Parent | None):
    """Later versions may say more; what is none begins nothing."""
    assert parent == parse_traceparent(text)


async def test_the_first_webhook_decides_which_trace_the_call_is_in(kept: Kept):
    """A sender's trace that comes with the end is linked, and the call stays in the one that its start began."""
    start = await kept.webhook("s{}")
    end = await kept.webhook("e{}", parent=SENDERS)
    kept.traces.add(made("dispatch", "00000000000000d1", events=(start, end)))
    await kept.traces.flush()
    spans = kept.spans()
    dispatch = spans["00000000000000d1"]

    assert trace_of("c1") == trace_id(spans[start]) == trace_id(dispatch)
    assert SENDERS.trace == trace_id(spans[end])
    assert dispatch.parent is not None
    assert start == format(dispatch.parent.span_id, "016x")
    assert [(SENDERS.trace, end)] == [
        (format(one.context.trace_id, "032x"), format(one.context.span_id, "016x")) for one in dispatch.links
    ]


async def test_an_attempt_is_the_child_of_the_dispatch_that_made_it(kept: Kept):
    """Whichever came later; one of which nothing was noted is in the trace all the same."""
    await kept.webhook("s{}")
    await kept.traces.note_deliveries({("c1", "crm:create"): "00000000000000d1"})
    await kept.traces.note_deliveries({("c1", "crm:create"): "00000000000000d2"})
    kept.traces.add(made("attempt", "00000000000000a1", delivery="crm:create"))
    kept.traces.add(made("attempt", "00000000000000a2", delivery="law:create"))
    await kept.traces.flush()
    known, unknown = kept.spans()["00000000000000a1"], kept.spans()["00000000000000a2"]

    assert known.parent is not None
    assert 0xD1 == known.parent.span_id
    assert unknown.parent is None
    assert trace_of("c1") == trace_id(known) == trace_id(unknown)


async def test_a_redis_that_is_away_costs_links_and_no_spans(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """Nothing raises: what is traced goes on."""

    async def away(*_: object, **__: object) -> None:
        raise RedisConnectionError

    monkeypatch.setattr(kept.redis, "execute_command", away)
    monkeypatch.setattr("redis.asyncio.client.Pipeline.execute", away)
    span = await kept.webhook("s{}", parent=SENDERS)
    await kept.traces.note_deliveries({("c1", "crm:create"): "00000000000000d1"})
    kept.traces.add(made("attempt", "00000000000000a1", delivery="crm:create"))
    await kept.traces.flush()

    assert {span, "00000000000000a1"} == kept.spans().keys()
    assert trace_of("c1") == trace_id(kept.spans()["00000000000000a1"])


async def test_what_waits_is_bounded(kept: Kept):
    """A flood drops spans, and not memory."""
    for number in range(MOST_WAITING + 5):
        kept.traces.add(made("attempt", span_of(number)))

    assert MOST_WAITING == len(kept.traces._waiting)
