"""How quick the console is before a large ledger, how large its pages are, and what it holds."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import replace

from redis.asyncio import Redis

from tests.acceptance.stack import ROOT
from tests.bench import bodies
from tests.bench.figures import Figure, Limit
from tests.bench.scale import Scale
from tests.bench.seed import BATCH, plan_of
from tests.bench.system import DESTINATIONS, running, wait_until
from tests.bench.usage import rss_mb
from worker.ledger.ledger import Ledger
from worker.ledger.records import About, Finish, Incoming, Verdict

SERVICES, MONTHS_S = 50, 28 * 86_400
ENDED = 200_000  # calls whose deliveries are done, one of 50 dead; the others wait
ROUNDS = 40
KB = 1_000
RESULTS = {"a": "Answered", "u": "Unanswered", "b": "Busy"}


def console(scale: Scale) -> list[Figure]:
    """Ask for each page ROUNDS times, one after the other, while nothing else happens."""
    with running() as system:
        asyncio.run(_seed(system.redis.url, calls=scale.calls))
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


async def _seed(url: str, *, calls: int) -> None:
    async with Redis.from_url(url, decode_responses=True) as redis:
        ledger = Ledger(redis)
        for first in range(0, calls, BATCH):
            await _fill(ledger, range(first, min(first + BATCH, calls)), calls=calls)
            if first < ENDED:
                for name in DESTINATIONS:
                    await _end(ledger, name)


async def _fill(ledger: Ledger, numbers: Sequence[int], *, calls: int) -> None:
    """Accept and plan calls of the last four weeks, of 50 services and three results."""
    now_us = time.time_ns() // 1000
    items, plans = [], []
    for number in numbers:
        service, result = str(100 + number * 7 % SERVICES), "aaub"[number % 4]
        start, end = bodies.records_of(number)
        start = start.replace('"123"', f'"{service}"')
        end = end.replace('"123"', f'"{service}"').replace("Answered", RESULTS[result])
        at_us = now_us - (calls - number) * (MONTHS_S * 1_000_000 // calls)
        plan = plan_of(number, DESTINATIONS)
        items += [Incoming(plan.call_id, at_us, start), Incoming(plan.call_id, at_us + 1, end)]
        about = About(service_id=service, result=result, caller_digits=f"614{number:08d}")
        plans.append(replace(plan, about=about))
    await ledger.accept(items)
    await ledger.plan(plans)


async def _end(ledger: Ledger, name: str) -> None:
    while items := (await ledger.claim(name, want=64, lease_ms=60_000)).items:
        ends = []
        for number, item in enumerate(items):
            is_dead = number == 0
            verdict, reason = (Verdict.DEAD, "rejected") if is_dead else (Verdict.DELIVERED, "")
            ends.append(Finish(key=item.key, fence=item.fence, verdict=verdict, reason=reason, effect="none"))
        await ledger.finish(ends)


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
