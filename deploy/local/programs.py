"""Which programs a local stack runs beside Redis, and how each shows that it is ready."""

import os
import sys
from collections.abc import Awaitable, Callable, Iterable

import aiohttp
from redis import RedisError

from deploy.local.environment import Ports, StackEnvironment
from deploy.local.folder import Folder
from deploy.local.processes import Process
from worker.ledger.ledger import Ledger

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
    """Give the processes in the stages in which they are stopped: no calls in, none under way, then what they use."""
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
    stages = [[receiver], [worker, flower]]
    if ports.standins is not None:
        health = page(f"{ports.standins_url}/control/health")
        records = str(folder.data / "stand-ins.jsonl")
        options = ("--port", str(ports.standins), "--records", records)
        stages.append([process("stand-ins", "deploy.local.standins", *options, answers=health)])
    return stages
