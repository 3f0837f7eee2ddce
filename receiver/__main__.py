"""The receiver's composition root: ``python -m receiver``."""

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import uvloop

from receiver.auth import is_loopback
from receiver.process import opened, raise_file_limit, serve, stop_on_signals
from receiver.sockets import listen
from receiver.spool_file import SpoolError, SpoolFile
from tasks.registry import VENDORS
from worker.environment import Environment
from worker.errors import SettingsError
from worker.log import configure_logging
from worker.settings import Settings, load_settings


def load(environ: Mapping[str, str]) -> tuple[Environment, Settings]:
    """Read the environment and the configuration; raises ``SettingsError`` with the faults of both at once."""
    faults: list[str] = []
    environment = None
    path = Path(environ.get("SWITCHBOARD_CONFIG") or "switchboard.toml")
    try:
        environment = Environment.read(environ)
    except SettingsError as error:
        faults += error.faults
    try:
        settings = load_settings(path, environ, specs=[vendor.spec for vendor in VENDORS.values()])
    except SettingsError as error:
        raise SettingsError([*faults, *error.faults]) from error
    host = environ.get("HOST", "").strip() or "127.0.0.1"
    if not settings.receiver.tokens and not is_loopback(host):
        faults.append(f"{path}: receiver.tokens: without any the receiver starts on loopback only, and HOST is {host}")
    if environment is None or faults:
        raise SettingsError(faults)
    return environment, settings


def connect_celery() -> Callable[[list[str]], None]:
    """Give the function that sends wake-ups; imports Celery, which takes longer than all the rest."""
    from receiver.wake_ups import WakeUps  # noqa: PLC0415  called in the waker's thread, while requests are served
    from worker.celery import app  # noqa: PLC0415

    return WakeUps(app)


async def run(environment: Environment, settings: Settings, *, spool_file: SpoolFile | None, reuse_port: bool) -> int:
    """Serve until a signal; give the exit status."""
    stop = stop_on_signals()
    try:
        sockets = listen(environment.host, environment.port, reuse_port=reuse_port)
    except OSError as error:
        print(f"cannot listen on {environment.host}:{environment.port}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    async with opened(settings=settings, environment=environment, spool_file=spool_file, connect=connect_celery) as app:
        # What is there by now stays: later collections need not look at it.
        gc.collect()
        gc.freeze()
        await serve(app, sockets, stop=stop)
    return 0


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Start the receiver; exit status 2 when its configuration is at fault, 1 when the port cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m receiver", description="Takes Delacon's webhooks.")
    parser.add_argument("--reuse-port", action="store_true", help="share the port with other receivers (SO_REUSEPORT)")
    options = parser.parse_args(argv)
    try:
        environment, settings = load(environ)
        spool_file = None if environment.spool_path is None else SpoolFile(environment.spool_path)
    except SettingsError as error:
        print(*error.faults, sep="\n", file=sys.stderr)  # noqa: T201
        return 2
    except SpoolError as error:
        print(f"SPOOL_PATH: {error}", file=sys.stderr)  # noqa: T201
        return 2
    configure_logging(environment.log_format, environment.log_level, secrets=settings.secrets)
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(environment, settings, spool_file=spool_file, reuse_port=options.reuse_port))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
