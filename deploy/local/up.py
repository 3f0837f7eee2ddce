"""``switchboard up``: the whole system on this machine, sample calls through it, until Ctrl-C."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from redis import RedisError

from deploy.local.board import Arrivals, Board
from deploy.local.display import Display, address_lines, command_name
from deploy.local.folder import Folder
from deploy.local.processes import StackFault
from deploy.local.samples import land_sample, play_stories, search_line
from deploy.local.stack import Preparation, Running, Stack, check_redis, programs, start_server
from worker.broker import open_redis
from worker.ledger.ledger import Ledger

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_S = 0.2

T = TypeVar("T")


class Interrupted(Exception):
    """Raised when the user ended the work."""


class Interrupts:
    """Takes the signals while entered; any but the first one calls ``kill``."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self.kill: Callable[[], None] = lambda: None
        self._say = say
        self._came = asyncio.Event()

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work until a signal comes; raises ``Interrupted`` then, when the work has ended."""
        task = asyncio.create_task(work)
        signal_came = asyncio.create_task(self._came.wait())
        await asyncio.wait({task, signal_came}, return_when=asyncio.FIRST_COMPLETED)
        signal_came.cancel()
        while not task.done():
            # Again and again: wait_for of Python 3.11, which redis-py sends with, may swallow a cancellation.
            task.cancel()
            await asyncio.wait({task}, timeout=_AGAIN_S)
        if task.cancelled():
            raise Interrupted
        return task.result()

    def _on_signal(self) -> None:
        if self._came.is_set():
            self.kill()
            return
        self._came.set()
        self._say("stopping ... (Ctrl-C again kills)")  # last: the terminal may be gone


_STAY_S = 0.5


async def up(preparation: Preparation, *, folder: Folder, display: Display) -> Board | None:
    """Run the stack until Ctrl-C, or with ``once`` until all has landed; the folder must be held.

    Returns the last board of the sample calls, ``None`` when there are none. Raises ``StackFault`` when the stack
    cannot start or go on, ``Interrupted`` when the user ended it; stops everything in any case.
    """
    async with AsyncExitStack() as opened:
        interrupts = opened.enter_context(Interrupts(say=display.say))

        async def work() -> Board | None:
            running = await _start(preparation, opened, interrupts, folder=folder, display=display)
            board = await land_sample(running, display) if preparation.ports.standins is not None else None
            if board is None:
                display.say("Everything is ready; sample calls are for the bundled configuration alone.")
            elif preparation.settings.callcap is not None:
                display.say(await search_line(preparation.settings.callcap))
            if board is not None and not preparation.wanted.once:
                display.say(await play_stories(running))
            if not preparation.wanted.once:
                for line in _addresses(running, folder):
                    display.say(line)
                await _stay(running, display, known=list(board.calls) if board else [])
            return board

        try:
            return await interrupts.guard(work())
        except RedisError as error:
            raise StackFault(f"Redis does not do what it is asked for: {error}") from error


async def _start(
    preparation: Preparation, opened: AsyncExitStack, interrupts: Interrupts, *, folder: Folder, display: Display
) -> Running:
    """Start Redis, then all else; what is to be stopped is left to ``opened``."""
    wanted, server, environment = preparation.wanted, preparation.server, preparation.environment
    if server is not None and not wanted.keep:
        folder.clear()
    opened.enter_context(folder.environment_shown(environment.for_terminals))
    if server is not None:
        server.log_path.unlink(missing_ok=True)
        opened.callback(server.stop)
        start_server(server)
        folder.note_version(server.version)
        display.say(f"redis: ready, {'with what was kept' if wanted.keep else 'afresh'}", style="dim")
    redis = await opened.enter_async_context(open_redis(environment["REDIS_URL"]))
    if server is None:
        await check_redis(redis)
        display.say("redis: the one that REDIS_URL names; what is in it stays", style="dim")
    ledger = Ledger(redis)
    session = await opened.enter_async_context(aiohttp.ClientSession())
    destinations = preparation.settings.destinations
    started = programs(
        environment, folder=folder, ports=preparation.ports, ledger=ledger, destinations=destinations, session=session
    )
    stack = Stack(started, server=server, say=lambda text: display.say(text, style="dim"))
    interrupts.kill = stack.kill
    opened.push_async_callback(stack.stop)
    since_ms = await ledger.now_ms()
    await stack.start()
    return Running(preparation=preparation, stack=stack, ledger=ledger, session=session, since_ms=since_ms)


async def _stay(running: Running, display: Display, *, known: list[str]) -> None:
    """Show further calls, and restart killed processes, until interrupted."""
    destinations = running.preparation.settings.destinations
    arrivals = Arrivals(running.ledger, destinations=destinations, since_ms=running.since_ms, known=known)
    fault = ""
    while True:
        running.stack.mend()
        try:
            for line in await arrivals.news():
                display.say(line)
            fault = ""
        except RedisError as error:
            if str(error) != fault:
                fault = str(error)
                display.say(f"redis: {fault}", style="red")
        await asyncio.sleep(_STAY_S)


def _addresses(running: Running, folder: Folder) -> list[str]:
    preparation = running.preparation
    return [
        *address_lines(
            preparation.environment, ports=preparation.ports, folder=folder,
            tokens=preparation.settings.receiver.posting_tokens, name=command_name(),
        ),
        "Ctrl-C stops everything.",
    ]  # fmt: skip
