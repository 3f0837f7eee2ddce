"""The metrics of the contract."""

import urllib.error
import urllib.request
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tasks.delivery.observer import Observer
from tests.ledgers import Driver
from worker.build import LEDGER_FORMAT
from worker.ledger.delacon_days import AuditedDay, Figures, keep
from worker.ledger.do_not_call import load
from worker.ledger.overview import DestinationStatus, Overview
from worker.metrics import OUTCOMES, Metrics, refresh_gauges


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

    [build] = map(dict, found["switchboard_build_info"])
    assert ("0a1b2c", str(LEDGER_FORMAT)) == (build["config"], build["ledger_format"])
    assert {"version", "ledger_format", "config"} == build.keys()
    assert found["switchboard_spooled_events"] == {frozenset()}
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


def test_a_worker_says_whether_it_is_well():
    """``/healthz`` beside the metrics: 200, or 503."""
    well = [True]
    port = Metrics().serve("127.0.0.1", 0, healthy=lambda: well[0])

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as reply:
        assert (200, b"ok\n") == (reply.status, reply.read())
    well[0] = False
    with pytest.raises(urllib.error.HTTPError, match="503") as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5)
    caught.value.close()


def test_every_destination_is_there_from_the_start_at_0():
    """Whoever asks for the rate of what never happened gets 0, not nothing."""
    metrics = Metrics()
    metrics.know({"crm": "kapture"})
    found = samples(metrics)

    for name in ("due", "due_oldest_seconds", "dead_letters", "attempt_seconds_count", "call_to_crm_seconds_count"):
        assert found[f"switchboard_{name}"] == {frozenset({("destination", "crm")})}
    for name in ("held", "circuit_open"):
        assert found[f"switchboard_{name}"] == {frozenset({("destination", "crm"), ("reason", "")})}
    assert len(OUTCOMES) == len(found["switchboard_deliveries_total"])
    assert {"waiting", "unrouted", "no_start"} == {dict(one)["state"] for one in found["switchboard_calls"]}


@pytest.mark.parametrize("busy", [0, 39, 41, 1000])
def test_a_thousand_destinations_give_at_most_2500_series(busy: int):
    """However many of them are busy, fail and are held; nothing is lost from a sum."""
    names = {f"d{number:03}": "kapture" for number in range(1000)}
    metrics = Metrics()
    metrics.know(names)
    observer = Observer(metrics, None)
    for number in range(busy):
        destination: Any = SimpleNamespace(name=f"d{number:03}", vendor="kapture")
        for outcome in OUTCOMES:
            made: Any = SimpleNamespace(outcome=outcome, status=200, elapsed_ms=5)
            observer.count(destination, made, call_to_crm_s=1.0)
    status = [
        DestinationStatus(
            name=name, due=1, queued=2, overdue_s=place, dead=3, paused=False, blocked="unauthorized", open=False
        )
        for place, name in enumerate(names)
        if place < busy
    ]
    metrics.show(
        Overview(
            now_ms=0, sign_ins=(), calls=0, waiting=0, waits_overdue_s=0, in_flight=0, no_start=0, unrouted=0,
            quarantined=0, destinations=tuple(status),
        ),
        dict.fromkeys(("calls", "captorra", "comunik8", "kapture", "callcap", "chores"), 0),
    )  # fmt: skip
    found = samples(metrics)

    def total(name: str) -> float:
        return sum(
            sample.value
            for family in text_string_to_metric_families(metrics.render().decode())
            for sample in family.samples
            if sample.name == f"switchboard_{name}"
        )

    assert sum(map(len, found.values())) <= 2500
    assert [busy * len(OUTCOMES), busy * len(OUTCOMES)] == [total("deliveries_total"), total("attempt_seconds_count")]
    assert [busy, 2 * busy, 3 * busy] == [total("due"), total("held"), total("dead_letters")]


async def test_leads_that_wait_for_a_do_not_call_list_are_held(driver: Driver):
    """Until one is loaded, and again once it is too old."""
    metrics = Metrics()
    metrics.know({"crm": "comunik8"})
    await driver.make("c1")

    async def held() -> set[frozenset[tuple[str, str]]]:
        await refresh_gauges(metrics, driver.ledger, destinations=["crm"], queues=[], list_ages={"crm": 60.0})
        return samples(metrics)["switchboard_held"]

    waiting = {frozenset({("destination", "crm"), ("reason", "no_fresh_list")})}
    served = {frozenset({("destination", "crm"), ("reason", "")})}
    assert waiting == await held()
    await load(driver.ledger, ["+61491570156"])
    assert served == await held()
    driver.time.pass_s(61)
    assert waiting == await held()


async def test_the_day_that_was_audited_last_is_shown(driver: Driver):
    """How many calls Delacon lists, and what became of them; a day that could not be audited changes nothing."""
    metrics = Metrics()
    services = {"101": Figures(there=7, here=6, missing=1, delivered=5)}
    await keep(driver.ledger, AuditedDay(day=date(2026, 10, 4), at_ms=1, services=services))
    await refresh_gauges(metrics, driver.ledger, destinations=[], queues=[])
    await keep(driver.ledger, AuditedDay(day=date(2026, 10, 5), at_ms=2, fault="no report"))
    await refresh_gauges(metrics, driver.ledger, destinations=[], queues=[])

    text = metrics.render().decode()
    for name, count in (("there", 7), ("here", 6), ("missing", 1), ("delivered", 5)):
        assert f'switchboard_delacon_calls{{is="{name}"}} {count}.0' in text
    assert "switchboard_delacon_audited_seconds 1.791072e+09" in text
