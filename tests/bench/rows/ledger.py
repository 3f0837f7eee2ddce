"""What a call costs in Redis' memory."""

import time

from tests.bench.figures import Figure, Limit
from tests.bench.rows.drain import is_drained
from tests.bench.scale import Scale
from tests.bench.seed import seed
from tests.bench.system import System, running, wait_until


def ledger_bytes(scale: Scale) -> list[Figure]:
    """Measure a call whose three deliveries wait, and one whose deliveries are done."""
    calls = scale.of(20_000)
    with running() as system:
        empty = _used(system)
        seed(system.redis.url, calls=calls)
        queued = (_used(system) - empty) / calls
        system.start_workers(1)
        wait_until(lambda: is_drained(system), 600, "the deliveries")
        system.stop_processes()
        finished = (_used(system) - empty) / calls
    return [
        Figure(
            row="ledger bytes, queued", unit="bytes a call", subject=[queued],
            limits=[Limit(name="bytes", value=queued, must=3_000, aim=2_000, at_most=True)],
        ),
        Figure(
            row="ledger bytes, finished", unit="bytes a call", subject=[finished],
            limits=[Limit(name="bytes", value=finished, must=3_500, aim=2_200, at_most=True)],
        ),
    ]  # fmt: skip


def _used(system: System) -> int:
    time.sleep(1.5)  # buffers of the append-only file and of clients that have gone
    return int(system.client.info("memory")["used_memory"])
