"""Everything that is decided before a local stack touches anything: ports, Redis, environment, settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.environment import BUNDLED, Ports, StackEnvironment, compose
from deploy.local.folder import Folder
from deploy.local.ports import asked_port, spare_port, usual_port
from deploy.local.redis_server import RedisServer
from deploy.local.stack import make_server
from tasks.vendors.registry import VENDORS
from worker.config.environment import Environment
from worker.config.settings import Settings, load_settings

_FLOWER_PORT = 5555


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user asked for."""

    config: Path | None
    """``None``: the bundled configuration, with stand-ins and sample calls."""
    keep: bool
    once: bool
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What was decided."""

    wanted: Wanted
    ports: Ports
    server: RedisServer | None
    """``None``: the Redis is the user's own."""
    environment: StackEnvironment
    settings: Settings


def prepare(wanted: Wanted, *, folder: Folder, environ: Mapping[str, str]) -> Preparation:
    """Decide everything; raises ``StackFault`` for what is missing or taken, ``SettingsError`` for a configuration."""
    given = Environment.read({**environ, "PORT": str(wanted.port)}, redis_required=False)
    ports = Ports(
        host=given.host,
        receiver=asked_port(given.host, wanted.port, instead="choose another one with --port"),
        flower=_flower_port(environ),
        standins=spare_port() if wanted.config is None else None,
        worker_metrics=spare_port(),
    )
    server = None if given.redis_url else make_server(folder, environ, keep=wanted.keep)
    redis_url = server.url if server else given.redis_url
    environment = compose(environ, folder=folder, config=wanted.config, redis_url=redis_url, ports=ports)
    specs = [vendor.spec for vendor in VENDORS.values()]
    settings = load_settings(wanted.config or BUNDLED, environment.variables, specs=specs)
    return Preparation(wanted=wanted, ports=ports, server=server, environment=environment, settings=settings)


def _flower_port(environ: Mapping[str, str]) -> int:
    """Read Flower's own variable; without it take the usual port, or another one when that is taken."""
    named = environ.get("FLOWER_PORT", "")
    if not named.isdecimal():
        return usual_port(_FLOWER_PORT)
    return asked_port("127.0.0.1", int(named), instead="FLOWER_PORT names it, choose another one")
