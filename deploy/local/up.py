"""``switchboard up``: the whole system on this machine, sample calls through it, until Ctrl-C."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import aiohttp
from redis import RedisError

from deploy.local.addresses import address_lines, command_name
from deploy.local.arrivals import Arrivals
from deploy.local.board import Board, Lookout
from deploy.local.folder import Folder
from deploy.local.interrupts import Interrupts
from deploy.local.preparation import Preparation
from deploy.local.programs import programs
from deploy.local.samples import CALLS, EXPECTED, play, read_expected, read_webhooks
from deploy.local.stack import Stack, check_redis, start_server
from deploy.local.table import Display
from worker.broker import open_redis
from worker.ledger.ledger import Ledger

LANDING_S = 60.0  # the sample lands in about two seconds
_SETTLED_S = 3.0  # what is settled and still wrong may be about to change: a withdrawal that follows its lead
_LOOK_S = 0.1
_STAY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A stack that is ready."""

    preparation: Preparation
    stack: Stack
    ledger: Ledger
    session: aiohttp.ClientSession
    since_ms: int
    """When it was started, by the ledger's clock."""


async def up(preparation: Preparation, *, folder: Folder, display: Display) -> Board | None:
    """Run the stack until Ctrl-C, or with ``once`` until all has landed; the folder must be held.

    Gives the last board of the sample calls, ``None`` when there are none. Raises ``StackFault`` when the stack cannot
    start or go on, ``asyncio.CancelledError`` when interrupted; stops everything in any case.
    """
    async with AsyncExitStack() as opened:
        running = await _start(preparation, opened, folder=folder, display=display)
        board = None
        if preparation.ports.standins is not None:
            board = await _land_sample(running, display)
        if preparation.wanted.once:
            return board
        for line in _addresses(running, folder):
            display.say(line)
        known = board.calls if board else ()
        await _stay(running, display, known=list(known))
    return board


async def _start(preparation: Preparation, opened: AsyncExitStack, *, folder: Folder, display: Display) -> Running:
    """Start Redis, then all else; what is to be stopped is left to ``opened``."""
    interrupts = opened.enter_context(Interrupts(say=display.say))
    wanted, server, environment = preparation.wanted, preparation.server, preparation.environment
    if server is not None and not wanted.keep:
        folder.clear()
    opened.enter_context(folder.environment_shown(environment.for_terminals))
    if server is not None:
        server.log_path.unlink(missing_ok=True)
        opened.callback(server.stop)
        start_server(server)
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


async def _land_sample(running: Running, display: Display) -> Board:
    """Send the sample calls and watch them until all is settled or the time is over."""
    preparation, loop = running.preparation, asyncio.get_running_loop()
    webhooks = read_webhooks(CALLS, now_ms=await running.ledger.now_ms())
    call_ids = list(dict.fromkeys(webhook.call_id for webhook in webhooks))
    # Their times are new each time: what is kept would only be changed.
    kept = {stored.call_id for stored in await running.ledger.load(call_ids)}
    if kept:
        display.say(f"{len(kept)} of {len(call_ids)} sample calls are in the ledger already and are not sent again")
    lookout = Lookout(
        ledger=running.ledger, session=running.session, standins_url=preparation.ports.standins_url,
        destinations=preparation.settings.destinations, default_region=preparation.settings.calls.default_region,
        call_ids=call_ids, expected=read_expected(EXPECTED), since_ms=running.since_ms,
    )  # fmt: skip
    started = loop.time()
    with display.watching():
        await play(
            webhooks, url=preparation.ports.receiver_url, token=preparation.environment["DELACON_TOKEN"],
            session=running.session, leave_out=kept,
        )  # fmt: skip
        board, settled = None, started
        while board is None or not board.landed:
            running.stack.mend()
            with suppress(RedisError):  # killed, and started again by mend
                board = await lookout.look()
                display.show(board)
                settled = settled if board.settled else loop.time()
            if board is not None and (loop.time() - settled > _SETTLED_S or loop.time() - started > LANDING_S):
                break
            await asyncio.sleep(_LOOK_S)
    display.conclude(board, seconds=loop.time() - started)
    return board


async def _stay(running: Running, display: Display, *, known: list[str]) -> None:
    """Tell of further calls, and start again what is killed, until interrupted."""
    destinations = running.preparation.settings.destinations
    arrivals = Arrivals(running.ledger, destinations=destinations, since_ms=running.since_ms, known=known)
    while True:
        running.stack.mend()
        with suppress(RedisError):
            for line in await arrivals.news():
                display.say(line)
        await asyncio.sleep(_STAY_S)


def _addresses(running: Running, folder: Folder) -> list[str]:
    preparation = running.preparation
    return [
        *address_lines(
            preparation.environment, ports=preparation.ports, folder=folder,
            tokens=preparation.settings.receiver.tokens, name=command_name(),
        ),
        "Ctrl-C stops everything.",
    ]  # fmt: skip
