"""How quick the console is before a large ledger, how large its pages are, and what it holds."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

from tests.acceptance.stack import ROOT
from tests.bench.figures import Figure, Limit
from tests.bench.large_ledger import fill
from tests.bench.scale import Scale
from tests.bench.system import DESTINATIONS, running, wait_until
from tests.bench.usage import rss_mb

ROUNDS = 40
KB = 1_000


def console(scale: Scale) -> list[Figure]:
    """Ask for each page ROUNDS times, one after the other, while nothing else happens."""
    with running() as system:
        asyncio.run(fill(system.redis.url, calls=scale.calls))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environ = {**system.stack.environ, "CONSOLE_PORT": str(port), "LOG_LEVEL": "warning"}
        process = subprocess.Popen([sys.executable, "-m", "deploy.console"], cwd=ROOT, env={**os.environ, **environ})
        try:
            base = f"http://127.0.0.1:{port}"
            wait_until(lambda: _answers(base), 30, "the console")
            figures = [_page(base, path, rounds=max(3, scale.of(ROUNDS)), calls=scale.calls) for path in _paths(base)]
            held = rss_mb(process.pid)
        finally:
            process.terminate()
            process.wait(10)
    limit = Limit(name="RSS", value=held, must=120, aim=100, at_most=True)
    return [*figures, Figure(row="console, memory", unit="MB", subject=[held], limits=[limit])]


def _paths(base: str) -> list[str]:
    """Return every page and the ways to search; ids and cursors as the console itself gives them."""
    found = json.loads(_ask(f"{base}/api/v1/calls")[0])
    one, older = found["calls"][0]["call_id"], found["older"]
    return [
        "/", "/calls", f"/calls?older={older}", f"/calls/{one}", f"/calls?q={one}", "/calls?q=0061400012345",
        "/calls?q=123456", "/calls?q=345", "/calls?service=107", "/calls?service=107&result=busy&destination=crm",
        "/calls?state=unrouted", "/calls?service=none+such", "/destinations", f"/destinations/{DESTINATIONS[0]}",
        "/dead", "/quarantine", "/numbers", "/suppressed", "/report?by=destination", "/report?by=service",
        "/report?by=day", "/audit",
    ]  # fmt: skip


def _ask(url: str) -> tuple[bytes, float]:
    began = time.perf_counter()
    with urllib.request.urlopen(url, timeout=30) as answer:
        text = answer.read()
    return text, (time.perf_counter() - began) * 1000


def _answers(base: str) -> bool:
    try:
        return _ask(f"{base}/healthz")[0] == b"ok\n"
    except OSError:
        return False


def _page(base: str, path: str, *, rounds: int, calls: int) -> Figure:
    times, size = [], 0
    for _ in range(rounds):
        text, took_ms = _ask(base + path)
        times.append(took_ms)
        size = max(size, len(text))
    p95 = sorted(times)[round(0.95 * (len(times) - 1))]
    limits = [
        Limit(name="p95", value=p95, must=200, aim=100, at_most=True),
        Limit(name="KB", value=size / KB, must=200, aim=100, at_most=True),
    ]
    shown = path if len(path) < 40 else path[:37] + "..."
    return Figure(row=f"console, {shown}", unit="ms", subject=times, limits=limits, note=f"{calls:,} calls")
