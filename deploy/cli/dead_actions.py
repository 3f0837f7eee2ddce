"""``switchboard dead replay`` and ``drop``: put dead letters back, or give them up."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import click

from deploy.cli.console import Failed, emit, json_option, progress, say, yes_option
from deploy.cli.selection import SAVED_UNPROCESSED, Chosen, Selection, choose, selection_options
from deploy.cli.session import Session, with_ledger
from deploy.cli.values import Rate
from schemas.delivery import DeliveryKey
from tasks.planning import Planner
from tasks.registry import VENDORS
from worker.ledger import operate

STEP = 200  # dead letters a round trip, each of which is whole
PAUSE_S = 0.2  # between the steps of a rate

Act = Callable[[Sequence[DeliveryKey]], Awaitable[list[bool]]]


@dataclass(frozen=True, slots=True)
class Done:
    """How many were acted on, and whether Ctrl-C came before the end."""

    count: int
    stopped: bool


@click.command
@selection_options
@click.option("--rate", type=Rate(), metavar="N/s", help="At most so many a second.")
@json_option
def replay(*, rate: float | None, as_json: bool, **selected: Any) -> None:
    """Put dead letters back: they are tried again at once, by the present configuration.

    Without keys, those of reason saved_unprocessed are left out unless --reason names it: the vendor has saved them.
    """
    selection = Selection(**selected)
    selection.check()

    async def work(session: Session) -> tuple[Chosen, Done]:
        chosen = await choose(session, selection, leaving_out=SAVED_UNPROCESSED)

        async def act(keys: Sequence[DeliveryKey]) -> list[bool]:
            answers = await operate.replay(session.ledger, keys)
            await _follow_up(session, keys)
            return answers

        return chosen, await _in_steps(chosen.keys, act, rate=rate, label="replaying")

    chosen, done = with_ledger(work)
    if as_json:
        emit({"replayed": done.count, "left_out": chosen.left_out, "unknown": list(chosen.unknown)})
    else:
        click.echo(f"{done.count} replayed")
    if chosen.left_out:
        say(f"{chosen.left_out} of reason {SAVED_UNPROCESSED} left out; --reason {SAVED_UNPROCESSED} replays them.")
    _end(chosen, done)


@click.command
@selection_options
@yes_option
@json_option
def drop(*, yes: bool, as_json: bool, **selected: Any) -> None:
    """Give dead letters up for good: they leave the list, and their calls keep them as cancelled."""
    selection = Selection(**selected)
    selection.check()

    async def work(session: Session) -> tuple[Chosen, Done]:
        chosen = await choose(session, selection)
        if chosen.keys and not yes:
            click.confirm(f"Drop {len(chosen.keys)} dead letters for good?", abort=True, err=True)

        async def act(keys: Sequence[DeliveryKey]) -> list[bool]:
            return await operate.drop(session.ledger, keys)

        return chosen, await _in_steps(chosen.keys, act, rate=None, label="dropping")

    chosen, done = with_ledger(work)
    if as_json:
        emit({"dropped": done.count, "unknown": list(chosen.unknown)})
    else:
        click.echo(f"{done.count} dropped")
    _end(chosen, done)


def _end(chosen: Chosen, done: Done) -> None:
    """Raise ``Failed`` where not all that was asked for was done."""
    faults = [f"There is no dead letter {key}." for key in chosen.unknown]
    if done.stopped:
        faults.append(f"Stopped: {len(chosen.keys) - done.count} are left as they were.")
    if faults:
        raise Failed("\n".join(faults))


async def _in_steps(keys: Sequence[DeliveryKey], act: Act, *, rate: float | None, label: str) -> Done:
    """Act on keys step by step; Ctrl-C ends it between two steps, so that nothing is half done."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stopped.set)
    step = STEP if rate is None else min(STEP, max(1, round(rate * PAUSE_S)))
    began, count = monotonic(), 0
    try:
        with progress(len(keys), label) as advance:
            for start in range(0, len(keys), step):
                if stopped.is_set():
                    return Done(count, stopped=True)
                count += sum(await act(keys[start : start + step]))
                advance(step)
                if rate is not None and start + step < len(keys):
                    await _wait(stopped, began + (start + step) / rate - monotonic())
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    return Done(count, stopped=False)


async def _wait(stopped: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopped.wait(), max(0.0, seconds))
    except TimeoutError:
        return


async def _follow_up(session: Session, keys: Sequence[DeliveryKey]) -> None:
    """Look whether the caller of a replayed lead got through meanwhile: then it is withdrawn (contract, section 6).

    A plan that makes nothing and routes nothing, so that a replay of one delivery brings no other.
    """
    settings = session.settings
    ids = {
        key.call_id
        for key in keys
        if (destination := settings.destinations.get(key.destination))
        and VENDORS[destination.vendor].withdraw_within_s(destination) is not None
    }
    planner, now_ms = Planner(settings=settings, vendors=VENDORS), await session.ledger.now_ms()
    plans = [
        replace(
            planner.plan(stored, now_ms=now_ms),
            state="r", routes=stored.routes, deliveries=(), wait_until_ms=0,
        )
        for stored in await session.ledger.load(ids)
        if stored.state == "ready" and stored.planned_version == stored.version
    ]  # fmt: skip
    if plans:
        await session.ledger.plan(plans)
