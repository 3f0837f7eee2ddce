"""The figures of a receiver of several processes: whichever is asked answers for all."""

import asyncio

import pytest

from receiver.measures import Measures
from receiver.tally import Tally
from worker.metrics import Metrics


class Refresh:
    """Reads the ledger's gauges, or fails or hangs as a test asks for."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.calls = 0
        self.fault: Exception | None = None

    async def __call__(self) -> None:
        """Count a look."""
        self.calls += 1
        if self.fault is not None:
            raise self.fault
        self.metrics.redis_up.set(1)


def counted(metrics: Metrics, *, stored: int) -> Metrics:
    """Return metrics that have counted starts that were stored."""
    tally = Tally(metrics.registry)
    for number in range(stored):
        tally.acknowledged(str(number), kind="s", sender="", outcome="stored", took_s=0.01)
    return metrics


def value(text: bytes, name: str) -> float:
    """Return a sample's value."""
    [line] = [line for line in text.decode().splitlines() if line.startswith(name + " ")]
    return float(line.rsplit(" ", 1)[1])


STARTS = 'switchboard_webhooks_total{event="start",outcome="stored"}'


async def test_counters_of_other_processes_are_added(tmp_path):
    """Also labels that only another process has; gauges and broken files are left alone."""
    other = Metrics()
    tally = Tally(other.registry)
    for outcome in ("stored",) * 5 + ("unspoken",) * 2:
        tally.acknowledged("1", kind="s" if outcome == "stored" else "e", sender="", outcome=outcome, took_s=0.01)
    (tmp_path / "1.prom").write_bytes(other.render())
    (tmp_path / "2.prom").write_bytes(counted(Metrics(), stored=1).render())
    (tmp_path / "3.prom").mkdir()
    text = await Measures(counted(Metrics(), stored=3), shared=tmp_path).render()

    assert 9 == value(text, STARTS)
    assert 2 == value(text, 'switchboard_webhooks_total{event="end",outcome="unspoken"}')
    assert 11 == value(text, "switchboard_ack_seconds_count")


async def test_a_process_writes_what_it_counted_and_reads_it_not_twice(tmp_path):
    """Its own file is for the others; it is written at the end too, so no counter ever goes back."""
    measures = Measures(counted(Metrics(), stored=3), shared=tmp_path)
    running = asyncio.create_task(measures.run())
    while not list(tmp_path.glob("*.prom")):  # noqa: ASYNC110  the file tells nobody
        await asyncio.sleep(0.001)
    measures.metrics.refused.labels(sender="x", reason="token").inc()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    [file] = tmp_path.glob("*.prom")

    refused = 'switchboard_refused_total{reason="token",sender="x"}'

    assert (3, 1) == (value(file.read_bytes(), STARTS), value(file.read_bytes(), refused))
    assert (3, 1) == (value(await measures.render(), STARTS), value(await measures.render(), refused))


async def test_a_folder_that_is_gone_stops_nobody(tmp_path):
    """The figures of this process are still there."""
    measures = Measures(counted(Metrics(), stored=3), shared=tmp_path / "gone")
    measures._write(tmp_path / "gone")

    assert 3 == value(await measures.render(), STARTS)


async def test_one_process_alone_writes_no_file():
    """Without a shared folder there is nobody to answer for."""
    await Measures(Metrics()).run()


async def test_the_ledger_is_asked_at_most_once_a_second():
    """Whoever may look may look often."""
    metrics, now = Metrics(), [100.0]
    refresh = Refresh(metrics)
    measures = Measures(metrics, refresh=refresh, monotonic=lambda: now[0])
    first = await measures.render()
    await measures.render()
    now[0] += 1.0
    await measures.render()

    assert 1 == value(first, "switchboard_redis_up")
    assert 2 == refresh.calls


async def test_a_redis_that_is_away_is_told_and_the_last_figures_stay():
    """The answer comes all the same."""
    metrics = Metrics()
    refresh = Refresh(metrics)
    refresh.fault = OSError("away")
    text = await Measures(counted(metrics, stored=3), refresh=refresh).render()

    assert 0 == value(text, "switchboard_redis_up")
    assert 3 == value(text, STARTS)
