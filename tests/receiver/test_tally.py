"""What the receiver counts of webhooks, as Prometheus reads it."""

import json
from collections.abc import Iterator
from typing import TextIO

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from receiver.tally import ACK_BUCKETS_S, Tally
from worker.log import configure_logging

TOOK_S = (0.0, 0.0004, 0.0005, 0.00051, 0.003, 0.125, 1.999, 2.0, 2.1, 40.0)


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return the value of each sample, by its name and its labels' values."""
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def took(tally: Tally, took_s: float = 0.001, *, call_id: str = "1", kind: str = "s", sender: str = "") -> None:
    """Count one webhook that was stored."""
    tally.acknowledged(call_id, kind=kind, sender=sender, outcome="stored", took_s=took_s)


def test_answers_are_counted_as_the_library_counts_them():
    """Each bucket, the sum and the count are those of the library's own histogram."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = Tally(ours)
    histogram = Histogram("switchboard_ack_seconds", "the same", buckets=ACK_BUCKETS_S, registry=theirs)
    for seconds in TOOK_S:
        took(tally, seconds)
        histogram.observe(seconds)

    found = {key: value for key, value in samples(ours).items() if key[0].startswith("switchboard_ack_seconds")}

    assert samples(theirs) == pytest.approx(found)


def test_webhooks_are_counted_by_event_and_outcome():
    """A partial end is an end; what was refused before it was read has no event."""
    registry = CollectorRegistry()
    tally = Tally(registry)
    for kind in "seepcq":
        took(tally, kind=kind)
    tally.count("unauthorized")
    tally.count("refused", kind="s")

    found = samples(registry)

    assert {"start": 1, "end": 3, "complete": 2} == {
        event: found["switchboard_webhooks_total", (event, "stored")] for event in ("start", "end", "complete")
    }
    assert 1 == found["switchboard_webhooks_total", ("unauthorized", "unread")]
    assert 1 == found["switchboard_webhooks_total", ("refused", "start")]
    assert 6 == found["switchboard_ack_seconds_count", ()]


@pytest.fixture
def log(tmp_path) -> Iterator[TextIO]:
    """Return a file that stands for standard error."""
    with (tmp_path / "log").open("w+") as file:
        yield file


def test_each_webhook_that_was_taken_has_its_line_once(log: TextIO):
    """The line names the call, the event and the sender, if there are several."""
    configure_logging("json", stream=log)
    tally = Tally(CollectorRegistry())
    took(tally, call_id='a"1')
    took(tally, call_id="b-2", kind="q", sender="smith-law")
    tally.count("unauthorized")
    tally.tell()
    tally.tell()
    log.seek(0)

    first, second = map(json.loads, log)

    assert {"call_id": 'a"1', "kind": "start", "outcome": "stored"} == {key: first[key] for key in list(first)[3:]}
    assert ("b-2", "complete", "smith-law") == (second["call_id"], second["kind"], second["sender"])
    assert "webhook.taken" == first["event"]
