"""``make bench``: measures the product against floors of the same run, prints a Markdown table and writes JSON.

``make bench ONLY=drain`` runs the rows whose name holds that; ``ARGS="--pairs 3 --share 0.1"`` gives a quick look.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.figures import HEAD, Figure, as_json, table
from tests.bench.rows import (
    accept,
    ack,
    backup,
    calm,
    ceilings,
    console,
    crowd,
    drain,
    growth,
    latency,
    ledger,
    path,
    peers,
    start,
)
from tests.bench.scale import Scale

ROWS: Mapping[str, Callable[[Scale], list[Figure]]] = {
    "ceilings": ceilings.ceilings,
    "accept": accept.accept,
    "ack": ack.ack,
    "ack-always": ack.ack_always,
    "ack-replicas": ack.ack_replicas,
    "ack-at-ease": ack.ack_at_ease,
    "two-receivers": ack.two_receivers,
    "drain-one": drain.drain_one,
    "drain-two": drain.drain_two,
    "path": path.path,
    "bullmq": peers.bullmq,
    "taskiq": peers.taskiq,
    "idle-latency": latency.idle,
    "calm": calm.calm,
    "crowd": crowd.crowd,
    "slow-vendor": drain.slow_vendor,
    "isolation": latency.isolation,
    "ledger-bytes": ledger.ledger_bytes,
    "growth-backlog": growth.growth_and_backlog,
    "backup": backup.backup,
    "console": console.console,
    "start": start.start,
}
LEAST_PAIRS = 3


def machine() -> dict[str, Any]:
    """Say on what it was measured."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(), "load": os.getloadavg()[0],
        "python": platform.python_version(), "machine": platform.machine(),
    }  # fmt: skip


def main() -> int:
    """Measure; status 1 when a row misses its must."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help=f"one row, or those whose name holds this: {', '.join(ROWS)}")
    parser.add_argument("--pairs", type=int, default=5, help="alternating runs of subject and floor, at least 3")
    parser.add_argument("--share", type=float, default=1.0, help="of the full amounts")
    parser.add_argument(
        "--calls", type=int, default=1_000_000, help="in the large ledger; a pair delivers up to 75,000"
    )
    parser.add_argument("--json", type=Path, default=Path("var/bench.json"), help="where the figures go")
    options = parser.parse_args()
    if options.pairs < LEAST_PAIRS:
        parser.error(f"--pairs: a median needs at least {LEAST_PAIRS}")
    scale = Scale(pairs=options.pairs, share=options.share, calls=options.calls)
    chosen = [name for name in ROWS if name == options.only or (options.only not in ROWS and options.only in name)]
    if not chosen:
        parser.error(f"--only: no row's name holds {options.only}")
    about, figures = machine(), []
    print(", ".join(f"{name} {value}" for name, value in about.items()), f"pairs {scale.pairs}", sep=", ", flush=True)
    print(f"\n{HEAD}\n|{' --- |' * HEAD.count(' | ')} --- |", flush=True)
    for name in chosen:
        made = ROWS[name](scale)
        figures += made
        if made:
            print(*(figure.line() for figure in made), sep="\n", flush=True)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"about": about, "rows": as_json(figures)}, indent=1) + "\n")
    options.json.with_suffix(".md").write_text(table(figures) + "\n")
    missed = [
        limit for figure in figures for limit in figure.limits if limit.must is not None and "no" in limit.reached
    ]
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
