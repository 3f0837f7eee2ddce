"""Traces: what a collector that speaks OTLP over HTTP gets from a real receiver and a real worker."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.acceptance.stack import END, START, TOKEN, Stack, end_of, landed, start_of
from tests.alert_sink import AlertSink

SENDERS_TRACE, SENDERS_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OTHER_TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass(frozen=True)
class Got:
    """A span as the collector got it."""

    name: str
    trace: str
    span: str
    parent: str
    links: tuple[tuple[str, str], ...]
    attributes: dict[str, Any]
    service: str
    took_ns: int


class Collector:
    """An OTLP/HTTP collector of our own."""

    def __init__(self) -> None:
        self.sink = AlertSink()
        self.sink.status = 200

    def spans(self) -> list[Got]:
        """Return all that came."""
        found = []
        for method, path, _, body in list(self.sink.requests):
            assert ("POST", "/v1/traces") == (method, path)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = {one.key: one.value.string_value for one in resource.resource.attributes}["service.name"]
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        values = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
                        links = tuple((one.trace_id.hex(), one.span_id.hex()) for one in span.links)
                        found.append(
                            Got(
                                span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), links,
                                values, service, span.end_time_unix_nano - span.start_time_unix_nano,
                            )
                        )  # fmt: skip
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Return a collector that listens."""
    made = Collector()
    yield made
    made.sink.close()


def post(stack: Stack, kind: str, body: bytes, *, parent: str = "") -> None:
    """Post a webhook as a sender with traces does."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.port}/services/calldata/{kind}?token={TOKEN}", data=body, method="POST",
        headers={"traceparent": parent} if parent else {},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert 200 == reply.status


def traced(make_stack: Any, collector: Collector, **environ: str) -> Stack:
    """Start a receiver and a worker with traces."""
    stack: Stack = make_stack(
        environ={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.sink.url, "OTEL_BSP_SCHEDULE_DELAY": "200"} | environ
    )
    stack.start()
    return stack


def test_a_call_is_one_trace_from_its_webhooks_to_its_last_attempt(make_stack, collector):
    """A start, an end, a dispatch with a link, an attempt a vendor, one of them tried twice; no number, no key."""
    stack = traced(make_stack, collector)
    stack.lay_fault({"vendor": "captorra", "status": 503, "times": 1})
    post(stack, "create", START)
    post(stack, "update", END)
    stack.wait_for(lambda: len([s for s in collector.spans() if s.name == "attempt"]) == 4, 40, "four attempts")
    stack.wait_for(lambda: len([s for s in collector.spans() if s.name == "webhook"]) == 2, 10, "two webhooks")
    spans = collector.spans()
    webhooks, attempts = ([s for s in spans if s.name == name] for name in ("webhook", "attempt"))
    [dispatch] = [s for s in spans if s.name == "dispatch"]

    assert 1 == len({span.trace for span in spans})
    assert ["start", "end"] == [span.attributes["switchboard.event"] for span in webhooks]
    assert ["", ""] == [span.parent for span in webhooks]
    assert dispatch.parent == webhooks[1].span
    assert dispatch.links == ((webhooks[0].trace, webhooks[0].span),)
    assert {dispatch.span} == {span.parent for span in attempts}
    assert {"law", "dialler", "crm"} == {span.attributes["switchboard.destination"] for span in attempts}
    assert {"switchboard-receiver", "switchboard-worker"} == {span.service for span in spans}
    assert all(0 < span.took_ns < 20e9 for span in spans)
    assert len(spans) == len({span.span for span in spans})
    text = str(spans)
    assert not [secret for secret in ("0444444444", "444444444", "standin", TOKEN) if secret in text]

    stack.post("update", END)
    stack.wait_for(lambda: len([s for s in collector.spans() if s.name == "webhook"]) == 3, 10, "the doubled webhook")
    doubled = [s for s in collector.spans() if s.name == "webhook"][2]
    assert ("same", webhooks[1].trace) == (doubled.attributes["switchboard.outcome"], doubled.trace)
    assert doubled.span not in {span.span for span in spans}


def test_a_senders_trace_goes_on_and_no_vendor_is_told_of_it(make_stack, collector):
    """The call is in the trace of the first; another one is linked. What a sender does not sample is not written."""
    stack = traced(make_stack, collector)
    post(stack, "create", START, parent=f"00-{SENDERS_TRACE}-{SENDERS_SPAN}-01")
    post(stack, "update", END, parent=f"00-{OTHER_TRACE}-{SENDERS_SPAN}-01")
    stack.wait_for(lambda: len([s for s in collector.spans() if s.name == "attempt"]) == 3, 30, "three attempts")
    stack.wait_for(lambda: len([s for s in collector.spans() if s.name == "webhook"]) == 2, 10, "two webhooks")
    spans = {(s.name, s.attributes.get("switchboard.event", "")): s for s in collector.spans()}
    start, end, dispatch = spans["webhook", "start"], spans["webhook", "end"], spans["dispatch", ""]

    assert (SENDERS_TRACE, SENDERS_SPAN) == (start.trace, start.parent)
    assert (OTHER_TRACE, SENDERS_SPAN) == (end.trace, end.parent)
    assert (SENDERS_TRACE, start.span) == (dispatch.trace, dispatch.parent)
    assert ((OTHER_TRACE, end.span),) == dispatch.links
    assert {SENDERS_TRACE} == {s.trace for s in collector.spans() if s.name == "attempt"}
    stack.wait_for(lambda: landed(stack, 1), 10, "all three vendors")
    for vendor in ("captorra", "comunik8", "kapture"):
        sent = stack._control(f"requests?vendor={vendor}&limit=10")["requests"]
        assert sent
        assert "traceparent" not in str(sent).lower()

    before = len(collector.spans())
    post(stack, "create", start_of("unsampled"), parent=f"00-{'ab' * 16}-{SENDERS_SPAN}-00")
    post(stack, "update", end_of("unsampled"), parent="not a traceparent")
    stack.wait_for(lambda: landed(stack, 2), 20, "the call that is not sampled")
    post(stack, "create", start_of("last"))
    stack.wait_for(
        lambda: any(s.attributes["switchboard.call_id"] == "last" for s in collector.spans()[before:]), 10, "the last"
    )
    assert not [s for s in collector.spans() if s.attributes["switchboard.call_id"] == "unsampled"]


def test_a_collector_that_is_away_harms_nobody(make_stack, collector):
    """Calls land as ever, and the processes end in time."""
    collector.sink.close()
    stack = traced(make_stack, collector, OTEL_EXPORTER_OTLP_TIMEOUT="1")
    post(stack, "create", START)
    post(stack, "update", END)
    stack.wait_for(lambda: landed(stack, 1), 20, "all three vendors")


def test_without_the_variable_nothing_of_it_is_imported():
    """No receiver and no worker knows the SDK's traces then; redis-py imports its metrics where it is installed."""
    script = (
        "import sys; import receiver.lifecycle, tasks.celery_tasks;"
        "sys.exit(any(name.startswith(('opentelemetry.sdk.trace', 'opentelemetry.exporter')) for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
