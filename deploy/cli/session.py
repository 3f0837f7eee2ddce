"""The session of a command: the environment, the settings and the ledger, opened for one piece of work."""

import asyncio
import os
import pwd
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import click
from redis import RedisError

from deploy.cli.output import ACTING_AS, Failed, Misconfigured, say
from deploy.cli.startup import read_settings
from schemas.destination import Destination
from worker.broker import open_redis
from worker.config.environment import Environment
from worker.config.settings import Settings
from worker.errors import SettingsError
from worker.ledger.audit import Action, Actor, note
from worker.ledger.ledger import Ledger
from worker.ledger.schema import require_known_format

T = TypeVar("T")

REDIS_FAILED = "Redis does not answer as it should"


def _whoever_runs_it() -> Actor:
    """Return who the command acts for: ``--as``, or the system's user."""
    context = click.get_current_context(silent=True)
    named = context.meta.get(ACTING_AS) if context else None
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user needs no name
        user = str(os.getuid())
    return Actor(who=named or user, door="cli", address=socket.gethostname())


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The ledger and the configuration that a command works with."""

    environment: Environment
    settings: Settings
    ledger: Ledger
    actor: Actor = field(default_factory=_whoever_runs_it)

    def does(self, what: str, which: str = "") -> Action:
        """Begin an action, which stands in the audit once it has an effect."""
        actor = replace(self.actor, keep_s=self.settings.console.audit_retention_s)
        return actor.does(what, which)

    def vendor_of(self, destination: str) -> str | None:
        """Return the vendor's name; ``None`` when the destination is not configured."""
        found: Destination | None = self.settings.destinations.get(destination)
        return found.vendor if found else None


def with_ledger(work: Callable[[Session], Awaitable[T]], *, any_format: bool = False, unopened: str = "") -> T:
    """Open the ledger, do the work on a loop of its own, and close it.

    Raises ``Failed`` when Redis does not do its part, ``Misconfigured`` when it or the configuration is not set right,
    or when this version does not know the ledger's format; ``any_format`` is for commands that say so themselves.
    ``unopened`` is what to say when Redis failed before the work began.
    """
    environment, settings = read_settings(redis_required=True)
    fault = unopened or REDIS_FAILED

    async def run() -> T:
        nonlocal fault
        async with open_redis(environment.redis_url) as redis:
            if not any_format:
                await require_known_format(redis)
            ledger = Ledger(redis, min_replicas=environment.redis_min_replicas)
            fault = REDIS_FAILED
            return await work(Session(environment=environment, settings=settings, ledger=ledger))

    try:
        return asyncio.run(run())
    except SettingsError as error:
        raise Misconfigured(error.faults) from None
    except RedisError as error:
        raise Failed(f"{fault}: {error}") from None


def put_on_record(what: str, which: str) -> None:
    """Record in the audit what is done at a vendor; say so where no ledger takes it."""

    async def work(session: Session) -> None:
        await note(session.ledger, session.does(what, which))

    try:
        with_ledger(work)
    except Failed as error:
        say(f"This is not put on record in the audit: {error.message}")
