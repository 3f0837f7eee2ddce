"""What a command reads before it does anything: the environment and the configuration file, without Redis."""

import os

from deploy.cli.output import Misconfigured
from tasks.vendors.registry import VENDORS
from worker.config.environment import Environment
from worker.config.settings import Settings, read_startup
from worker.errors import SettingsError
from worker.log import configure_logging


def read_environment(*, redis_required: bool = True) -> Environment:
    """Read the environment alone; raises ``Misconfigured``."""
    try:
        environment = Environment.read(os.environ, redis_required=redis_required)
    except SettingsError as error:
        raise Misconfigured(error.faults) from None
    _configure_logging(environment, frozenset())
    return environment


def read_settings(*, redis_required: bool = False, role: str | None = None) -> tuple[Environment, Settings]:
    """Read environment and configuration file, for a role or for all; raises ``Misconfigured``."""
    environ = os.environ if role is None else {**os.environ, "SWITCHBOARD_ROLE": role}
    specs = [vendor.spec for vendor in VENDORS.values()]
    try:
        environment, settings = read_startup(environ, specs=specs, redis_required=redis_required)
    except SettingsError as error:
        raise Misconfigured(error.faults) from None
    _configure_logging(environment, settings.secrets)
    return environment, settings


def _configure_logging(environment: Environment, secrets: frozenset[str]) -> None:
    # Sentences are the command's own; the log is for what the parts beneath have to say.
    level = environment.log_level if os.environ.get("LOG_LEVEL") else "warning"
    configure_logging(environment.log_format, level, secrets=secrets)
