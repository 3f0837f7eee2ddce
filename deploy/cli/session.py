"""What commands work with: the environment, the settings and the ledger, opened for one piece of work."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from redis import RedisError

from deploy.cli.console import Failed, Misconfigured
from schemas.destination import Destination
from tasks.registry import VENDORS
from worker.broker import open_redis
from worker.environment import Environment
from worker.errors import SettingsError
from worker.ledger.ledger import Ledger
from worker.log import configure_logging
from worker.settings import Settings
from worker.startup import read_startup

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The ledger and the configuration that a command works with."""

    environment: Environment
    settings: Settings
    ledger: Ledger

    def vendor_of(self, destination: str) -> str | None:
        """Give the vendor's name; ``None`` when the destination is not configured."""
        found: Destination | None = self.settings.destinations.get(destination)
        return found.vendor if found else None


def read_environment(*, redis_required: bool = True) -> Environment:
    """Read the environment alone; raises ``Misconfigured``."""
    try:
        environment = Environment.read(os.environ, redis_required=redis_required)
    except SettingsError as error:
        raise Misconfigured(error.faults) from None
    _configure_logging(environment, frozenset())
    return environment


def read_settings(*, redis_required: bool = False) -> tuple[Environment, Settings]:
    """Read environment and configuration file; raises ``Misconfigured`` with the faults of both."""
    specs = [vendor.spec for vendor in VENDORS.values()]
    try:
        environment, settings = read_startup(os.environ, specs=specs, redis_required=redis_required)
    except SettingsError as error:
        raise Misconfigured(error.faults) from None
    _configure_logging(environment, settings.secrets)
    return environment, settings


def with_ledger(work: Callable[[Session], Awaitable[T]]) -> T:
    """Open the ledger, do the work on a loop of its own, and close it.

    Raises ``Failed`` when Redis does not do its part, ``Misconfigured`` when it or the configuration is not set right.
    """
    environment, settings = read_settings(redis_required=True)

    async def run() -> T:
        async with open_redis(environment.redis_url) as redis:
            return await work(Session(environment=environment, settings=settings, ledger=Ledger(redis)))

    try:
        return asyncio.run(run())
    except RedisError as error:
        raise Failed(f"Redis does not answer as it should: {error}") from None


def _configure_logging(environment: Environment, secrets: frozenset[str]) -> None:
    # Sentences are the command's own; the log is for what the parts beneath have to say.
    level = environment.log_level if os.environ.get("LOG_LEVEL") else "warning"
    configure_logging(environment.log_format, level, secrets=secrets)
