"""``switchboard up``: the whole system on this machine, sample calls through it, until Ctrl-C."""

import asyncio
from contextlib import AsyncExitStack

import aiohttp
from redis import RedisError

from deploy.local.addresses import address_lines, command_name
from deploy.local.arrivals import Arrivals
from deploy.local.board import Board
from deploy.local.display import Display
from deploy.local.fault import StackFault
from deploy.local.folder import Folder
from deploy.local.interrupts import Interrupts
from deploy.local.number_sample import search_line
from deploy.local.preparation import Preparation
from deploy.local.programs import programs
from deploy.local.running import Running
from deploy.local.sample_run import land_sample
from deploy.local.stack import Stack, check_redis, start_server
from worker.broker import open_redis
from worker.ledger.ledger import Ledger

_STAY_S = 0.5


async def up(preparation: Preparation, *, folder: Folder, display: Display) -> Board | None:
    """Run the stack until Ctrl-C, or with ``once`` until all has landed; the folder must be held.

    Gives the last board of the sample calls, ``None`` when there are none. Raises ``StackFault`` when the stack cannot
    start or go on, ``Interrupted`` when the user ended it; stops everything in any case.
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
    """Tell of further calls, and start again what is killed, until interrupted."""
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
