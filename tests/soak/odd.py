"""Two trees under one load with odd replies: ``python -m tests.soak.odd --beside CHECKOUT`` compares what became of it.

200 calls a second for 20 minutes, both trees at once, each with its own Redis, receiver, two workers and vendor. The
first request of each hundredth call, at each of the three vendors, meets a row of the table of replies
(tests/worker/http); the next one meets the ordinary answer. Compared are, of each delivery, its state, its reason and
how often the vendor was asked. Each row that comes to something else by one client than by the other is printed. The
status is 1 where the end of an ordinary answer differs, where a row came to different ends within one tree, or where
there is no delivery.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from schemas.delivery import DeliveryKey
from tests.acceptance.stack import ROOT
from tests.bench import bodies
from tests.bench.rows.drain import is_drained
from tests.bench.system import DESTINATIONS, System, running, spent, wait_until
from tests.soak.__main__ import load
from tests.soak.odd_vendor import row_of
from worker.ledger.records import DeliveryRecord

COMMON = 'concurrency = 64\ntimeout = "2s"\nretry = ["1s", "1s", "2s", "2s", "5s", "5s", "10s", "10s"]'
WORKERS = 2
VENDORS = {"law": "captorra", "dialler": "comunik8", "crm": "kapture"}
AT_ONCE = 500
ENDED_S = 120.0


class End(NamedTuple):
    """What became of a delivery."""

    state: str
    reason: str
    asked: int


def measured(system: System, *, minutes: float, rate: int) -> tuple[int, dict[str, float]]:
    """Load a system; return how many calls it was sent, and the CPU seconds that each role took."""
    before = system.cpu()
    calls, refused = load(system, minutes=minutes, rate=rate)
    if +refused:
        raise AssertionError(f"not acknowledged: {dict(refused)}")
    wait_until(lambda: is_drained(system), ENDED_S, "the last deliveries")
    return calls, spent(before, system.cpu())


def ends_of(system: System, calls: int) -> Iterator[tuple[int, str, End | None]]:
    """Read what became of each delivery: the call's number, the destination, the end; ``None``: there is none."""
    asked: Mapping[str, int] = system.vendor.report()["asked"]
    for first in range(0, calls, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, calls))
        with system.client.pipeline(transaction=False) as pipe:
            for number in numbers:
                pipe.hmget(f"sb:c:{bodies.id_of(number).decode()}", [f"d:{name}:create" for name in DESTINATIONS])
            found = pipe.execute()
        for number, texts in zip(numbers, found, strict=True):
            for name, text in zip(DESTINATIONS, texts, strict=True):
                key = DeliveryKey(bodies.id_of(number).decode(), name, "create")
                one = DeliveryRecord.parse(key, text) if text else None
                times = asked.get(f"{VENDORS[name]} {number}", 1)
                yield number, name, None if one is None else End(one.state.value, one.reason, times)


def compare(ours: System, theirs: System, calls: int) -> bool:
    """Print the ends and, by the row that a call met, how they differ.

    Returns whether each delivery ended, no end of an ordinary answer differs, and each row came to the same each time.
    """
    ends: Counter[End | None] = Counter()
    by_row: dict[tuple[str, str], Counter[tuple[End | None, End | None]]] = defaultdict(Counter)
    for (number, name, one), (_, _, other) in zip(ends_of(ours, calls), ends_of(theirs, calls), strict=True):
        row = row_of(number)
        ends[one] += 1
        by_row[("" if row is None else row.name, name)][one, other] += 1
    for end, count in ends.most_common():
        print(f"{count:>9,}  {shown(end)}")
    differing = 0
    for (row_name, name), pairs in sorted(by_row.items()):
        for (one, other), count in pairs.items():
            if one != other:
                differing += count
                print(f"{row_name or 'an ordinary answer'}, {name}: {shown(one)} here, {shown(other)} there; {count}")
    print(f"{3 * calls:,} deliveries, {differing} of them with another end")
    unsteady = [row_name for (row_name, _), pairs in by_row.items() if len(pairs) > 1 and row_name]
    print(f"Rows that came to one thing now and to another then: {', '.join(unsteady) or 'none'}")
    ordinary = all(one == other for name in DESTINATIONS for one, other in by_row["", name])
    return ordinary and not unsteady and None not in ends


def shown(end: End | None) -> str:
    """Write an end: ``delivered, asked 2 times``."""
    if end is None:
        return "no delivery"
    return f"{end.state}{end.reason and ' '}{end.reason}, asked {end.asked} time{'s' * (end.asked != 1)}"


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.odd", description=__doc__)
    parser.add_argument("--beside", type=Path, required=True, help="another checkout, after its `make setup`")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=int, default=200, help="calls a second")
    options = parser.parse_args()
    with ExitStack() as stack:
        ours, theirs = (
            stack.enter_context(running(common=COMMON, vendor="tests.soak.odd_vendor", code=code))
            for code in (ROOT, options.beside)
        )
        for system in (ours, theirs):
            system.start_receiver()
            system.start_workers(WORKERS)
        with ThreadPoolExecutor() as pool:
            runs = [
                pool.submit(measured, system, minutes=options.minutes, rate=options.rate) for system in (ours, theirs)
            ]
            (calls, cpu), (their_calls, their_cpu) = (run.result() for run in runs)
        for role, seconds in cpu.items():
            here, there = seconds / calls * 1000, their_cpu[role] / their_calls * 1000
            print(f"{role}: {here:.2f} ms of CPU a call here, {there:.2f} there")
        return int(not compare(ours, theirs, min(calls, their_calls)))


if __name__ == "__main__":
    sys.exit(main())
