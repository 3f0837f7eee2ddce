"""A command line for tests: CliRunner, a configuration, a real Redis, and a ledger to fill it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from redis.asyncio import Redis

from deploy.cli.main import main
from schemas.delacon.events import read_event
from schemas.delivery import DeliveryKey
from tasks.dispatch.dispatcher import dispatch
from tasks.dispatch.planner import Planner
from tasks.vendors.registry import VENDORS
from tests.cli.callcap_standin import Standin, callcap_at, running
from worker.config.settings import load_settings
from worker.ledger.history import Attempt, History
from worker.ledger.ledger import Ledger
from worker.ledger.records import Finish, Incoming, Verdict

CONFIG = """
[receiver]
tokens = ["a-token-for-tests-only"]

[destinations.law]
vendor = "captorra"
url = "http://127.0.0.1:9/captorra"
captorra_id = "111111"
timezone = "Australia/Sydney"

[destinations.dialler]
vendor = "comunik8"
url = "http://127.0.0.1:9/comunik8"
api_key = "a-comunik8-key"
type = "motor-trade"
cancel_when_answered = "24h"
max_age = "off"
email = "{caller_digits}@calls.example.com"

[destinations.crm]
vendor = "kapture"
url = "http://127.0.0.1:9/kapture"
auth_key = "a-kapture-key"
email = "{caller_digits}@calls.example.com"

[[routes]]
to = ["law", "crm"]
results = ["answered"]

[[routes]]
to = ["dialler"]
results = ["unanswered", "busy"]
"""
CALLER = "+61491570156"


@dataclass
class Book:
    """A ledger, filled in the words of the tests."""

    ledger: Ledger
    planner: Planner

    async def call(self, call_id: str, *, result: str | None = "Answered", caller: str = CALLER, **more: str) -> None:
        """Bring a call in, whole unless it has no result, and dispatch it."""
        body = {"PLA_Call_Id": call_id, "PLA_Caller_Phone_Number": caller, "PLA_CID": "123"} | more
        if result is not None:
            body |= {"PLA_CallResult": result, "PLA_Duration": "50s"}
        await self.event(body)

    async def event(self, body: dict[str, str], *, kind: str = "create") -> None:
        """Bring one event in and dispatch its call."""
        event = read_event(orjson.dumps(body), path_kind="create" if kind == "create" else "update")
        now_us = await self.ledger.now_ms() * 1000
        await self.ledger.accept([Incoming(event.call_id, now_us, event.record())])
        await dispatch([event.call_id], ledger=self.ledger, planner=self.planner)

    async def end(
        self, destination: str, verdict: Verdict, *, reason: str = "", reply: str = "", effect: str = "none",
        payload: str = "",
    ) -> list[DeliveryKey]:  # fmt: skip
        """Claim whatever is due at a destination and end it."""
        claim = await self.ledger.claim(destination, want=50, lease_ms=60_000)
        ends = []
        for item in claim.items:
            made = Attempt(
                number=item.number, at_ms=1_772_452_800_000, elapsed_ms=12, status=400, outcome="dead",
                reason=reason, reply=reply,
            )  # fmt: skip
            history = item.history.add(made, notes=["String01 cut"])
            ends.append(
                Finish(
                    key=item.key,
                    fence=item.fence,
                    verdict=verdict,
                    reason=reason,
                    effect=effect,
                    history=History(attempts=history.attempts, notes=history.notes, payload=payload),
                )
            )
        await self.ledger.finish(ends)
        return [end.key for end in ends]


@dataclass
class Cli:
    """Runs commands in this process against one Redis and one configuration."""

    folder: Path
    redis_url: str
    environ: dict[str, str]

    def run(self, *arguments: str, status: int = 0, input: str | None = None, **environ: str) -> Result:  # noqa: A002
        """Run a command; its exit status must be ``status``."""
        result = CliRunner().invoke(main, arguments, input=input, env={**self.environ, **environ})
        assert status == result.exit_code, f"{result.output}\n{result.exception!r}"
        return result

    def json(self, *arguments: str, status: int = 0, **environ: str) -> Any:
        """Run a command with ``--json``; standard output must be exactly one JSON value."""
        return json.loads(self.run(*arguments, "--json", status=status, **environ).stdout)

    def fill(self, work: Callable[[Book], Awaitable[Any]]) -> Any:
        """Do something to the ledger on a loop of its own, as another process would."""
        return asyncio.run(self._fill(work))

    async def _fill(self, work: Callable[[Book], Awaitable[Any]]) -> Any:
        async with self.open() as book:
            return await work(book)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Book]:
        """Open the ledger."""
        specs = [vendor.spec for vendor in VENDORS.values()]
        settings = load_settings(self.folder / "switchboard.toml", self.environ, specs=specs)
        async with Redis.from_url(self.redis_url, decode_responses=True) as redis:
            yield Book(Ledger(redis), Planner(settings=settings, vendors=VENDORS))

    def configure(self, text: str) -> None:
        """Write the configuration."""
        (self.folder / "switchboard.toml").write_text(text, encoding="utf-8")


@pytest.fixture
def cli(tmp_path: Path, redis_url: str) -> Cli:
    """Return a command line with the configuration above and an empty Redis."""
    environ = {
        "REDIS_URL": redis_url, "SWITCHBOARD_CONFIG": str(tmp_path / "switchboard.toml"),
        "SPOOL_PATH": str(tmp_path / "spool.db"), "LOG_FORMAT": "json", "PORT": "9",
    }  # fmt: skip
    made = Cli(tmp_path, redis_url, environ)
    made.configure(CONFIG)
    return made


@pytest.fixture(scope="module")
def running_standin() -> Iterator[Standin]:
    """Return one Callcap stand-in for all tests of a file."""
    with running() as started:
        yield started


@pytest.fixture
def standin(cli: Cli, running_standin: Standin) -> Standin:
    """Return the Callcap stand-in as new; the command line is configured for it."""
    running_standin.reset()
    cli.configure(CONFIG + callcap_at(running_standin.url))
    return running_standin
