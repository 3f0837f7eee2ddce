"""The console's composition root: ``python -m deploy.console``."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping

import structlog
import uvloop
from aiohttp import web

from deploy.cli.session import Session
from deploy.console.access import Access
from deploy.console.app import create_app
from tasks.vendors.registry import VENDORS
from worker.broker import open_redis
from worker.config.environment import Environment
from worker.config.settings import Settings, read_startup
from worker.config.values import is_loopback
from worker.errors import SettingsError
from worker.ledger.ledger import Ledger
from worker.ledger.sessions import Sessions
from worker.log import configure_logging

log = structlog.get_logger(__name__)

_STOP_S = 5.0


def load(environ: Mapping[str, str]) -> tuple[Environment, Settings]:
    """Read the environment and the configuration; raises ``SettingsError`` with the faults of both at once."""
    host = environ.get("CONSOLE_HOST", "").strip() or "127.0.0.1"

    def closed(settings: Settings) -> list[str]:
        if settings.console.users or is_loopback(host):
            return []
        file = environ.get("SWITCHBOARD_CONFIG") or "switchboard.toml"
        return [f"{file}: console.users: without any the console starts on loopback only, and CONSOLE_HOST is {host}"]

    return read_startup(environ, specs=[vendor.spec for vendor in VENDORS.values()], check=closed)


async def run(environment: Environment, settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with open_redis(environment.redis_url) as redis:
        ledger = Ledger(redis)
        sessions = Sessions(ledger)
        access = Access(settings=settings.console, sessions=sessions, host=environment.console_host)
        app = create_app(session=Session(environment=environment, settings=settings, ledger=ledger), access=access)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_S)
        await runner.setup()
        try:
            site = web.TCPSite(runner, environment.console_host, environment.console_port)
            await site.start()
        except OSError as error:
            place = f"{environment.console_host}:{environment.console_port}"
            print(f"cannot listen on {place}: {error.strerror}", file=sys.stderr)
            return 1
        else:
            host, port = runner.addresses[0][:2]
            log.info("console.listening", host=host, port=port)
            await stopped.wait()
        finally:
            await runner.cleanup()
    return 0


def main(environ: Mapping[str, str]) -> int:
    """Start the console; exit status 2 when its configuration is at fault, 1 when the port cannot be had."""
    try:
        environment, settings = load(environ)
    except SettingsError as error:
        print(*error.faults, sep="\n", file=sys.stderr)
        return 2
    configure_logging(environment.log_format, environment.log_level, secrets=settings.secrets)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(environment, settings))


if __name__ == "__main__":
    sys.exit(main(os.environ))
