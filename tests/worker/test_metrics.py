"""The metrics of the contract."""

import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from worker.metrics import Metrics


def samples(metrics: Metrics) -> dict[str, set[frozenset[tuple[str, str]]]]:
    """Return the label sets of every sample by name."""
    found: dict[str, set[frozenset[tuple[str, str]]]] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).add(frozenset(sample.labels.items()))
    return found


def test_every_metric_of_the_contract_is_there():
    """Names and labels are those of contract section 9."""
    metrics = Metrics()
    metrics.webhooks.labels(event="start", outcome="stored").inc()
    metrics.ack_seconds.observe(0.002)
    metrics.spooled_events.set(3)
    metrics.deliveries.labels(destination="crm", vendor="kapture", outcome="delivered").inc()
    metrics.attempt_seconds.labels(destination="crm").observe(0.1)
    metrics.call_to_crm_seconds.labels(destination="crm").observe(1)
    metrics.queue_depth.labels(queue="calls").set(1)
    metrics.due_oldest_seconds.labels(destination="crm").set(1)
    metrics.dead_letters.labels(destination="crm").set(1)
    metrics.circuit_open.labels(destination="crm", reason="blocked").set(1)
    metrics.tell_build("0a1b2c")

    found = samples(metrics)

    assert found["switchboard_webhooks_total"] == {frozenset({("event", "start"), ("outcome", "stored")})}
    [build] = map(dict, found["switchboard_build_info"])
    assert ("0a1b2c", "1") == (build["config"], build["ledger_format"])
    assert {"version", "ledger_format", "config"} == build.keys()
    assert found["switchboard_spooled_events"] == {frozenset()}
    assert found["switchboard_ack_seconds_count"] == {frozenset()}
    assert found["switchboard_deliveries_total"] == {
        frozenset({("destination", "crm"), ("vendor", "kapture"), ("outcome", "delivered")})
    }
    assert found["switchboard_queue_depth"] == {frozenset({("queue", "calls")})}
    assert found["switchboard_circuit_open"] == {frozenset({("destination", "crm"), ("reason", "blocked")})}
    for name in ("attempt_seconds_count", "call_to_crm_seconds_count", "due_oldest_seconds", "dead_letters"):
        assert found[f"switchboard_{name}"] == {frozenset({("destination", "crm")})}


def test_two_processes_worth_of_metrics_do_not_meet():
    """Each ``Metrics`` has a registry of its own."""
    one, other = Metrics(), Metrics()
    one.spooled_events.set(1)

    assert one.render() != other.render()


@pytest.mark.parametrize("labels", [("crm", "blocked"), ("crm", "open")])
def test_replacing_forgets_what_is_gone(labels):
    """A circuit that closed is not shown as open for ever."""
    metrics = Metrics()
    metrics.circuit_open.labels("crm", "paused").set(1)

    metrics.replace(metrics.circuit_open, {labels: 1})

    assert samples(metrics)["switchboard_circuit_open"] == {
        frozenset({("destination", labels[0]), ("reason", labels[1])})
    }


def test_replacing_takes_a_single_label_as_text():
    """Gauges with one label are given by its value."""
    metrics = Metrics()
    metrics.replace(metrics.queue_depth, {"calls": 2, "crm": 0})
    metrics.replace(metrics.queue_depth, {"calls": 3})

    assert b'switchboard_queue_depth{queue="calls"} 3.0' in metrics.render()
    assert b'queue="crm"' not in metrics.render()


def test_a_worker_serves_its_metrics():
    """``serve`` answers on loopback; a port that is taken is told, not raised."""
    metrics = Metrics()
    port = metrics.serve("127.0.0.1", 0)

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
        assert b"switchboard_spooled_events" in reply.read()
    assert metrics.serve("127.0.0.1", port) == 0
