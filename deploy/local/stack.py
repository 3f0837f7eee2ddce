"""The local stack as a whole: Redis first and last, the programs between, and what to do when one dies."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from redis import RedisError
from redis.asyncio import Redis

from deploy.local.fault import StackFault
from deploy.local.folder import Folder
from deploy.local.leash import make_leash
from deploy.local.ports import spare_port
from deploy.local.processes import Process, ended, until_ready
from deploy.local.redis_binary import RedisServerError, ServerVersion, find_binary
from deploy.local.redis_server import RedisServer

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
        """Stop in order: no more calls in, none under way, what they use, Redis last."""
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
    """Ask the user's own Redis for a sign of life.

    Raises ``StackFault``, without the address: that may hold a password.
    """
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        raise StackFault(f"the Redis that REDIS_URL names does not answer ({type(error).__name__})") from error
