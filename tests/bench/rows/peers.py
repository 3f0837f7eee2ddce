"""From webhook to the third delivery, beside what a user would run instead: BullMQ and taskiq.

The peers stand outside the repository, in ``../shared/peers`` or where ``PEERS`` says, with one tool that measures
them and this checkout alike. Where that is not there, or a peer is not installed, its rows are left out with a word.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.stack import ROOT
from tests.bench.figures import Figure, Limit, alternate, column, middle, ratio_limit
from tests.bench.scale import Scale

PEERS = Path(os.environ.get("PEERS") or ROOT.parent / "shared" / "peers")
OURS = "switchboard"
LIMIT_S = 600.0


class NotThereError(Exception):
    """Raised when a peer cannot be measured; says why."""


def bullmq(scale: Scale) -> list[Figure]:
    """Measure bursts of several lengths beside BullMQ, and one with vendors 50 ms away."""
    return _beside(
        "p2-bullmq", "BullMQ", scale,
        rows=[(500, 2, 0), (3_000, 2, 0), (10_000, 2, 0), (20_000, 2, 0), (10_000, 1, 0), (10_000, 2, 50)],
    )  # fmt: skip


def taskiq(scale: Scale) -> list[Figure]:
    """Measure one burst beside taskiq."""
    return _beside("p5-taskiq", "taskiq", scale, rows=[(3_000, 2, 0)])


def _beside(peer: str, name: str, scale: Scale, *, rows: list[tuple[int, int, int]]) -> list[Figure]:
    made: list[Figure] = []
    try:
        for calls, workers, delay_ms in rows:
            made.append(_row(peer, name, scale, calls=scale.of(calls), workers=workers, delay_ms=delay_ms))
    except NotThereError as error:
        print(f"{name}: left out, {error}", file=sys.stderr)
    return made


def _row(peer: str, name: str, scale: Scale, *, calls: int, workers: int, delay_ms: int) -> Figure:
    def measure(who: str) -> dict[str, Any]:
        return _run(who, calls=calls, workers=workers, delay_ms=delay_ms)

    ours, theirs = alternate(scale.pairs, lambda _: measure(OURS), lambda _: measure(peer))
    rate, floor = column(ours, "deliveries_per_s"), column(theirs, "deliveries_per_s")
    alone, far = workers == 1, delay_ms > 0
    wrong = sum(run["lost"] + run["duplicates"] for run in ours)
    limits = [
        ratio_limit(
            rate, floor, name="times",
            must=1.3 if alone else 1.5 if far else 1.7, aim=1.6 if alone else 2.5 if far else 2.2,
        ),
        Limit(
            name="RSS", value=middle(ours, "rss_mb") / middle(theirs, "rss_mb"), at_most=True,
            must=0.45 if name == "BullMQ" else None, aim=0.35 if name == "BullMQ" else None,
        ),
        Limit(name="lost or doubled", value=wrong, must=0, aim=0, at_most=True),
    ]  # fmt: skip
    far_words = f", vendors {delay_ms} ms away" if far else ""
    return Figure(
        row=f"{name}, {calls:,} calls",
        note=f"{workers} worker{'' if alone else 's'}{far_words}",
        unit="deliveries/s",
        subject=rate,
        floor=floor,
        limits=limits,
        cpu={
            "a call": middle(ours, "cpu_s") / calls * 1000,
            f"{name}, a call": middle(theirs, "cpu_s") / calls * 1000,
        },
    )


def _run(who: str, *, calls: int, workers: int, delay_ms: int) -> dict[str, Any]:
    tool = PEERS / "run"
    if not tool.exists():
        raise NotThereError("../shared/peers is not there; PEERS names another folder")
    done = subprocess.run(
        [str(tool), who, "--calls", str(calls), "--delay", str(delay_ms), "--workers", str(workers)],
        env={**os.environ, "CHECKOUT": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode:
        words = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise NotThereError(f"{who} could not be measured (peers/setup installs it): {words[0]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
