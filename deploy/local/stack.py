"""The local stack as a whole: Redis first and last, the programs between, and what to do when one dies."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from redis import RedisError
from redis.asyncio import Redis

from deploy.local.environment import BUNDLED, Ports, StackEnvironment, asked_port, compose, spare_port, usual_port
from deploy.local.folder import Folder
from deploy.local.processes import Process, StackFault, ended, make_leash, until_ready
from deploy.local.redis_server import RedisServer, RedisServerError, ServerVersion, find_binary
from tasks.vendors.registry import VENDORS
from worker.config.environment import Environment
from worker.config.settings import Settings, load_settings
from worker.ledger.ledger import Ledger

_RESTARTS = 5  # of one process; more is no accident
_LONGEST_SOCKET_PATH = 90  # bytes; the kernel takes 107 with the socket's own name

Say = Callable[[str], None]


class Stack:
    """The running processes; ``server`` is ``None`` when the Redis is the user's own.

    ``stages`` are processes that are stopped together, one stage after the other.
    """

    def __init__(self, stages: Sequence[Sequence[Process]], *, server: RedisServer | None, say: Say) -> None:
        self._stages = stages
        self._processes = [process for stage in stages for process in stage]
        self._server = server
        self._say = say
        self._restarts: Counter[str] = Counter()

    async def start(self) -> None:
        """Start everything at once and wait until all of it is ready; raises ``StackFault``."""
        for process in reversed(self._processes):
            process.start()
        await until_ready(self._processes, say=lambda process: self._say(f"{process.name}: ready"))

    def mend(self) -> None:
        """Start again what was killed; raises ``StackFault`` when a process ended of itself, or over and over."""
        if self._server is not None and not self._server.running:
            self._again("redis", "was killed")
            start_server(self._server)
        for process in self._processes:
            if process.status is None:
                continue
            if process.status >= 0:
                process.check()
            self._again(process.name, ended(process.status))
            process.start()

    async def stop(self) -> None:
        """Stop in order: the receiver, the worker, the stand-ins, Redis last."""
        for stage in self._stages:
            await asyncio.gather(*(process.stop() for process in stage))
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    def kill(self) -> None:
        """Kill everything at once."""
        for process in self._processes:
            process.kill()
        if self._server is not None:
            self._server.kill()

    def _again(self, name: str, how: str) -> None:
        self._restarts[name] += 1
        if self._restarts[name] > _RESTARTS:
            raise StackFault(f"process {name} {how}, and that {self._restarts[name]} times")
        self._say(f"{name}: {how}; started again")


def make_server(folder: Folder, environ: Mapping[str, str], *, keep: bool) -> RedisServer:
    """Make a Redis server in the folder: on a socket that nobody else can open, on loopback where its path is too long.

    Raises ``StackFault`` when there is no server program, or with ``keep`` when it cannot read what is kept.
    """
    data = folder.data / "redis"
    port = None if len(bytes(data.resolve())) < _LONGEST_SOCKET_PATH else spare_port()
    try:
        binary = find_binary(environ)
        version = ServerVersion.of(binary)
        if keep:
            _check_kept(folder.kept_version(), version)
        server = RedisServer(data, binary=binary, port=port, leash=make_leash())
    except RedisServerError as error:
        raise StackFault(str(error)) from error
    server.log_path = folder.log_of("redis")
    return server


def start_server(server: RedisServer) -> None:
    """Start a Redis server; raises ``StackFault``."""
    try:
        server.start()
    except RedisServerError as error:
        raise StackFault(str(error)) from error


def _check_kept(writer: ServerVersion | None, reader: ServerVersion) -> None:
    """Raise ``StackFault`` when the server cannot read the kept files: an older one starts empty without a word."""
    if writer is not None and not reader.reads_files_of(writer):
        raise StackFault(
            f"what is kept was written by {writer}, and {reader} cannot read it: name a {writer} in REDIS_SERVER_BIN, "
            "or leave out --keep to start afresh"
        )


async def check_redis(redis: Redis) -> None:
    """Ask the user's own Redis whether it answers.

    Raises ``StackFault``, without the address: that may hold a password.
    """
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        raise StackFault(f"the Redis that REDIS_URL names does not answer ({type(error).__name__})") from error


_FLOWER_PORT = 5555
_CONSOLE_PORT = 8090


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
        flower=_named_port(environ, "FLOWER_PORT", usual=_FLOWER_PORT),
        console=_named_port(environ, "CONSOLE_PORT", usual=_CONSOLE_PORT),
        standins=spare_port() if wanted.config is None else None,
        worker_metrics=spare_port(),
    )
    server = None if given.redis_url else make_server(folder, environ, keep=wanted.keep)
    redis_url = server.url if server else given.redis_url
    environment = compose(environ, folder=folder, config=wanted.config, redis_url=redis_url, ports=ports)
    specs = [vendor.spec for vendor in VENDORS.values()]
    settings = load_settings(wanted.config or BUNDLED, environment.variables, specs=specs)
    return Preparation(wanted=wanted, ports=ports, server=server, environment=environment, settings=settings)


def _named_port(environ: Mapping[str, str], name: str, *, usual: int) -> int:
    """Read a process's own variable; without it take the usual port, or another one when that is taken."""
    named = environ.get(name, "")
    if not named.isdecimal():
        return usual_port(usual)
    return asked_port("127.0.0.1", int(named), instead=f"{name} names it, choose another one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A stack that is ready."""

    preparation: Preparation
    stack: Stack
    ledger: Ledger
    session: aiohttp.ClientSession
    since_ms: int
    """When it was started, by the ledger's clock."""


_LOOK = aiohttp.ClientTimeout(total=2)
_RECEIVER_STOP_S = 28.0  # it promises 25 s
_WORKER_STOP_S = 30.0  # attempts under way get 25 s
_STOP_S = 5.0


def programs(
    environment: StackEnvironment,
    *,
    folder: Folder,
    ports: Ports,
    ledger: Ledger,
    destinations: Iterable[str],
    session: aiohttp.ClientSession,
) -> list[list[Process]]:
    """Return the processes in the stages in which they are stopped: no calls in, none under way, then what they use."""
    names = list(destinations)
    celery = ("celery", "-A", "worker")

    def page(url: str, *, login: str = "") -> Callable[[], Awaitable[bool]]:
        user, _, password = login.partition(":")
        headers = {"Authorization": aiohttp.encode_basic_auth(user, password)} if login else {}

        async def answers() -> bool:
            try:
                async with session.get(url, headers=headers, timeout=_LOOK) as reply:
                    return reply.status == 200  # noqa: PLR2004
            except (aiohttp.ClientError, TimeoutError, OSError):
                return False

        return answers

    async def worker_ticks() -> bool:
        try:
            return (await ledger.overview(names)).workers > 0
        except RedisError:
            return False

    def process(
        name: str, *command: str, answers: Callable[[], Awaitable[bool]], stop_s: float = _STOP_S, **more: str
    ) -> Process:
        return Process(
            name,
            [sys.executable, "-m", *command],
            environ={**environment.variables, **more},
            log=folder.log_of(name),
            answers=answers,
            stop_s=stop_s,
        )

    receiver = process("receiver", "receiver", answers=page(f"{ports.receiver_url}/readyz"), stop_s=_RECEIVER_STOP_S)
    worker = process(
        "worker",
        *(*celery, "worker", "--without-gossip", "--without-mingle", f"--hostname=up-{os.getpid()}@%h"),
        answers=worker_ticks,
        stop_s=_WORKER_STOP_S,
        METRICS_HOST="127.0.0.1",
        METRICS_PORT=str(ports.worker_metrics),
    )
    flower = process(
        "flower",
        *(*celery, "flower", f"--port={ports.flower}", "--read-only", "--max-tasks=5000"),
        # With the password, which another Flower on this machine would not take.
        answers=page(f"{ports.flower_url}/tasks", login=environment["FLOWER_BASIC_AUTH"].partition(",")[0]),
        FLOWER_ADDRESS="127.0.0.1",
    )
    console = process("console", "deploy.console", answers=page(f"{ports.console_url}/healthz"))
    stages = [[receiver], [worker, flower, console]]
    if ports.standins is not None:
        health = page(f"{ports.standins_url}/control/health")
        records = str(folder.data / "stand-ins.jsonl")
        options = ("--port", str(ports.standins), "--records", records)
        stages.append([process("stand-ins", "deploy.local.standins", *options, answers=health)])
    return stages
