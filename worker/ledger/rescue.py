"""Finds calls that wait for dispatch and stand nowhere where it would find them."""

from worker.ledger.ledger import Ledger

SLICE = 500  # calls looked at in one script: under 2 ms of Redis
EVERY_MS = 1_900  # between two slices, of however many clocks
PASS_PAUSE_MS = 60_000  # between two passes over all calls


async def rescue(ledger: Ledger) -> int:
    """Look at the next calls and put those back that nobody would look at; return how many there were.

    A fault or a failover between two steps can leave such a call: acknowledged, and neither planned nor waiting.
    """
    return int(await ledger.scripts.run("rescue", SLICE, EVERY_MS, PASS_PAUSE_MS))
