"""The receiver's composition root: ``python -m receiver``."""

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import worker.imports  # noqa: F401  before whatever else imports what it does

# isort: split

import uvloop

from receiver.lifecycle import opened, raise_file_limit, serve, stop_on_signals
from receiver.sockets import listen
from receiver.spool.file import SpoolError, SpoolFile
from receiver.supervisor import SERVES, Supervisor
from tasks.vendors.registry import VENDORS
from worker.concurrency import SWITCH_S
from worker.config.environment import Environment
from worker.config.receiver import faults_of_host
from worker.config.settings import Settings, read_startup
from worker.errors import SettingsError
from worker.ledger.schema import refuse_unknown_format
from worker.log import configure_logging


def load(environ: Mapping[str, str]) -> tuple[Environment, Settings]:
    """Read the environment and the configuration; raises ``SettingsError`` with the faults of both at once."""
    host = environ.get("HOST", "").strip() or "127.0.0.1"

    def closed(settings: Settings) -> list[str]:
        file = environ.get("SWITCHBOARD_CONFIG") or "switchboard.toml"
        return [f"{file}: {fault}" for fault in faults_of_host(settings.receiver, host)]

    return read_startup(environ, specs=[vendor.spec for vendor in VENDORS.values()], check=closed)


def connect_celery() -> Callable[[list[str]], bool]:
    """Return the function that sends wake-ups; imports Celery, which takes longer than all the rest."""
    from receiver.notifier import WakeUpPublisher  # noqa: PLC0415  called in its thread, while requests are served
    from worker.celery import app  # noqa: PLC0415

    return WakeUpPublisher(app)


async def run(
    environment: Environment,
    settings: Settings,
    *,
    spool_file: SpoolFile | None,
    sockets: Sequence[socket.socket],
    line: socket.socket | None = None,
    shared: Path | None = None,
) -> int:
    """Serve until a signal, or until the master at the other end of ``line`` has gone; return the exit status."""
    stop = stop_on_signals()
    async with opened(
        settings=settings, environment=environment, spool_file=spool_file, connect=connect_celery, shared=shared
    ) as app:
        # What is there by now stays: later collections need not look at it.
        gc.collect()
        gc.freeze()
        if line is None:
            await serve(app, sockets, stop=stop)
        else:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, lambda: None)  # it is the master's, also when a terminal sends it

            def left_by_master() -> None:  # it never writes: there is only its end to read
                loop.remove_reader(line)
                stop.leave()

            loop.add_reader(line, left_by_master)
            await serve(app, sockets, stop=stop, serving=lambda: line.sendall(SERVES))
    return 0


async def run_master(places: Sequence[Sequence[socket.socket]], command: Sequence[str]) -> int:
    """Keep a receiver a place until SIGTERM or SIGINT; SIGHUP replaces them. Returns the exit status."""
    supervisor = Supervisor(places, command=command)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, supervisor.stop)
    loop.add_signal_handler(signal.SIGINT, supervisor.stop)
    loop.add_signal_handler(signal.SIGHUP, supervisor.reload)
    return await supervisor.run()


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line; ``--sockets``, ``--shared`` and ``--line`` are the master's, and not shown."""
    parser = argparse.ArgumentParser(prog="python -m receiver", description="Takes Delacon's webhooks.")
    parser.add_argument("--reuse-port", action="store_true", help="share the port with other receivers (SO_REUSEPORT)")
    parser.add_argument(
        "--processes", type=int, metavar="N",
        help="serve with N processes on one port; SIGHUP replaces them, with the configuration as it is then",
    )  # fmt: skip
    parser.add_argument("--sockets", help=argparse.SUPPRESS)
    parser.add_argument("--shared", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--line", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.processes is not None and options.processes < 1:
        parser.error("--processes: at least 1")
    return options


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Start the receiver; exit status 2 when its configuration is at fault, 1 when the port cannot be had."""
    options = arguments(argv)
    try:
        environment, settings = load(environ)
        refuse_unknown_format(environment.redis_url)
        spool_file = None if environment.spool_path is None else SpoolFile(environment.spool_path)
    except SettingsError as error:
        print(*error.faults, sep="\n", file=sys.stderr)  # noqa: T201
        return 2
    except SpoolError as error:
        print(f"SPOOL_PATH: {error}", file=sys.stderr)  # noqa: T201
        return 2
    configure_logging(environment.log_format, environment.log_level, secrets=settings.secrets)
    raise_file_limit()
    sys.setswitchinterval(SWITCH_S)
    try:
        places = places_of(options, environment)
    except OSError as error:
        print(f"cannot listen on {environment.host}:{environment.port}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    if options.processes is not None:
        with TemporaryDirectory(prefix="switchboard-metrics-") as folder:
            command = [sys.executable, "-m", "receiver", "--shared", folder]
            return asyncio.run(run_master(places, command))
    line = None if options.line is None else socket.socket(fileno=options.line)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(
            run(
                environment, settings, spool_file=spool_file, sockets=places[0], line=line, shared=options.shared
            )
        )  # fmt: skip


def places_of(options: argparse.Namespace, environment: Environment) -> list[list[socket.socket]]:
    """Bind the port, once a process; or take over what the master has bound. Raises ``OSError``."""
    if options.sockets is not None:
        return [[socket.socket(fileno=int(number)) for number in options.sockets.split(",")]]
    shared = options.reuse_port or (options.processes or 1) > 1
    places = [listen(environment.host, environment.port, reuse_port=shared)]
    port = places[0][0].getsockname()[1]
    places += [listen(environment.host, port, reuse_port=True) for _ in range((options.processes or 1) - 1)]
    return places


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
