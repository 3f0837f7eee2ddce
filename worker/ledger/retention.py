"""Walks all calls in slices: removes what is old, of which the ids alone are remembered, and rescues what is lost."""

from dataclasses import dataclass

from worker.ledger.ledger import Ledger

SLICE = 200  # calls looked at in one script: some 10 ms of Redis
MOST_SLICES = 20  # a sweep, while there is more to look at; with a sweep each 10 s a worker keeps up with 400 calls/s
PASS_PAUSE_MS = 60_000  # between two passes over what is kept on, such as dead letters

RESCUE_SLICE = 500  # calls looked at in one script: some 2 ms of Redis
RESCUE_EVERY_MS = 1_900  # between two slices, of however many clocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long things are kept, in seconds (contract, section 4)."""

    calls_s: float
    dead_s: float
    remember_s: float


async def sweep(ledger: Ledger, retention: Retention) -> int:
    """Look at the next old calls and remove those whose time is over; returns how many.

    A call with work left is never removed.
    """
    total: int = 0
    for _ in range(MOST_SLICES):
        removed, more = await ledger.scripts.run(
            "sweep", SLICE, PASS_PAUSE_MS, round(retention.calls_s * 1000), round(retention.dead_s * 1000),
            round(retention.remember_s * 1000),
        )  # fmt: skip
        total += removed
        if not more:
            break
    return total


async def rescue(ledger: Ledger) -> int:
    """Look at the next calls and put those back that nobody would look at; return how many there were.

    A fault or a failover between two steps can leave such a call: acknowledged, and neither planned nor waiting.
    """
    return int(await ledger.scripts.run("rescue", RESCUE_SLICE, RESCUE_EVERY_MS, PASS_PAUSE_MS))
