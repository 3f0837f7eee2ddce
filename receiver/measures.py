"""The figures of a receiver's ``/metrics``: its own, those of its siblings, and the ledger's as they are now."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import structlog
from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from worker.metrics import Metrics

log = structlog.get_logger(__name__)

WRITE_EVERY_S = 1.0  # some 2 ms of CPU
FRESH_S = 1.0  # whoever may look may look often
REFRESH_TIMEOUT_S = 1.0

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Measures:
    """Renders the metrics of all processes of a receiver.

    ``shared`` is a folder of the processes that share a port: each writes what it counted into a file there once a
    second, and whichever is asked adds the others' to its own. Files of processes that have ended stay, so that no
    counter ever goes back. ``refresh`` reads the ledger's gauges, which are the same wherever they are read.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        refresh: Callable[[], Awaitable[None]] | None = None,
        shared: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.metrics = metrics
        self._refresh = refresh
        self._shared = shared
        self._monotonic = monotonic
        self._refreshed = monotonic() - FRESH_S
        self._lock = asyncio.Lock()

    async def render(self) -> bytes:
        """Return everything in Prometheus's text form."""
        if self._refresh is not None:
            async with self._lock:
                if self._monotonic() - self._refreshed >= FRESH_S:
                    await self._look(self._refresh)
                    self._refreshed = self._monotonic()
        if self._shared is None:
            return self.metrics.render()
        others = await asyncio.to_thread(_counted, self._shared, _file(self._shared))
        return generate_latest(_Sum(self.metrics, others))

    async def run(self) -> None:
        """Write what this process counted, each second and at its end, until cancelled."""
        if self._shared is None:
            return
        try:
            while True:
                await asyncio.to_thread(self._write, self._shared)
                await asyncio.sleep(WRITE_EVERY_S)
        finally:
            self._write(self._shared)

    async def _look(self, refresh: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(REFRESH_TIMEOUT_S):
                await refresh()
        except Exception as error:  # noqa: BLE001  what was last read stays, and the metrics say that Redis is away
            self.metrics.redis_up.set(0)
            log.debug("metrics.not_refreshed", error=type(error).__name__)

    def _write(self, folder: Path) -> None:
        place = _file(folder)
        fresh = place.with_suffix(".new")
        try:
            fresh.write_bytes(self.metrics.render())
            fresh.replace(place)
        except OSError as error:
            log.warning("metrics.not_shared", error=error.strerror)


def _file(folder: Path) -> Path:
    return folder / f"{os.getpid()}.prom"


def _counted(folder: Path, own: Path) -> dict[_Key, float]:
    """Add up what the other processes counted: counters and histograms; gauges are the same in all."""
    found: dict[_Key, float] = {}
    for place in folder.glob("*.prom"):
        if place == own:
            continue
        try:
            text = place.read_text()
        except OSError:
            continue
        for family in text_string_to_metric_families(text):
            if family.type in {"counter", "histogram"} and family.name.startswith("switchboard_"):
                for sample in family.samples:
                    key = _key(sample)
                    found[key] = found.get(key, 0.0) + sample.value
    return found


def _key(sample: Sample) -> _Key:
    return sample.name, tuple(sorted(sample.labels.items()))


class _Sum:
    """A registry's metrics with those of others added."""

    def __init__(self, metrics: Metrics, others: Mapping[_Key, float]) -> None:
        self._metrics = metrics
        self._others = dict(others)

    def collect(self) -> Iterator[Metric]:
        """Return each family; labels that only others have come after one's own."""
        for family in self._metrics.registry.collect():
            if family.type in {"counter", "histogram"} and family.name.startswith("switchboard_"):
                family.samples = [
                    sample._replace(value=sample.value + self._others.pop(_key(sample), 0.0))
                    for sample in family.samples
                ]
                names = {f"{family.name}{end}" for end in ("_total", "_bucket", "_count", "_sum")}
                for name, labels in [key for key in self._others if key[0] in names]:
                    family.samples.append(Sample(name, dict(labels), self._others.pop((name, labels))))
            yield family
