"""Sets the gauges that only the ledger and the broker can tell."""

from collections.abc import Iterable

from worker.ledger.ledger import Ledger
from worker.metrics import Metrics

Values = dict[str | tuple[str, ...], float]


async def refresh_gauges(
    metrics: Metrics, ledger: Ledger, *, destinations: Iterable[str], queues: Iterable[str]
) -> None:
    """Read the ledger's overview and the queues' lengths into the metrics; raises ``redis.RedisError``."""
    overview = await ledger.overview(destinations)
    overdue: Values = {d.name: d.overdue_s for d in overview.destinations}
    dead: Values = {d.name: d.dead for d in overview.destinations}
    shut: Values = {(d.name, d.shut_by): 1 for d in overview.destinations if d.shut_by}
    depths: Values = dict((await ledger.queue_depths(queues)).items())
    metrics.replace(metrics.due_oldest_seconds, overdue)
    metrics.replace(metrics.dead_letters, dead | {"calls": overview.no_start})
    metrics.replace(metrics.circuit_open, shut)
    metrics.replace(metrics.queue_depth, depths)
