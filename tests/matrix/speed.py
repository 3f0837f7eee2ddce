"""Memory a call and deliveries a second on each server, by turns in one run."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median

from tests.bench.rows.drain import drained
from tests.bench.seed import seed
from tests.bench.system import running

ROUNDS = 3
CALLS = 5_000


def speed(binaries: Mapping[str, Path], *, rounds: int = ROUNDS, calls: int = CALLS) -> dict[str, dict[str, float]]:
    """Return by server ``per_s``, the median of the rounds, and ``bytes`` of a call whose three deliveries wait."""
    rates: dict[str, list[float]] = {name: [] for name in binaries}
    found: dict[str, dict[str, float]] = {name: {} for name in binaries}
    for _ in range(rounds):
        for name, binary in binaries.items():
            with running(binary=binary) as system:
                if not found[name]:
                    empty = int(system.client.info("memory")["used_memory"])
                    seed(system.redis.url, calls=calls)
                    used = int(system.client.info("memory")["used_memory"])
                    found[name]["bytes"] = (used - empty) / calls
                rates[name].append(drained(system, calls=calls, workers=1)["per_s"])
    for name, values in rates.items():
        found[name]["per_s"] = median(values)
    return found
