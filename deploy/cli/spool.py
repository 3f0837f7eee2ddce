"""``switchboard spool``: look at the receiver's local journal, and drain it."""

import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from deploy.cli.output import Failed, as_option, counted, emit, json_option
from deploy.cli.session import Session, with_ledger
from deploy.cli.startup import read_environment
from receiver.spool.drainer import DrainStopped, drain
from receiver.spool.file import SpoolError, SpoolFile
from receiver.spool.spool import Spool
from worker.ledger.audit import note


@click.group
def spool() -> None:
    """Look at the receiver's local journal, and drain it.

    It is the file of SPOOL_PATH on this machine, used while Redis cannot take a write.
    """


@spool.command
@json_option
def status(*, as_json: bool) -> None:
    """Show how many events wait in the journal, and since when."""
    path = read_environment(redis_required=False).spool_path
    found = look(path)
    if as_json:
        emit(found)
    elif path is None:
        click.echo("There is no spool: SPOOL_PATH is empty.")
    else:
        age = "" if found["oldest_seconds"] is None else f", the oldest for {found['oldest_seconds']:.0f} s"
        aside = (
            f"; {found['set_aside']} of them set aside, for the ledger did not take them" if found["set_aside"] else ""
        )
        bodies = counted(found["bodies"], "unreadable body", "unreadable bodies")
        click.echo(f"{path}: {counted(found['events'], 'event')} waiting{age}{aside}; {bodies}")


@spool.command("drain")
@as_option
@json_option
def drain_now(*, as_json: bool) -> None:
    """Move what waits into the ledger, in order; a running receiver does the same by itself."""
    path = read_environment().spool_path

    async def work(session: Session) -> int:
        if path is None or not path.exists():
            return 0
        try:
            file = Spool.at(path)
            try:
                with file.drain_lock() as mine:
                    if not mine:
                        raise Failed(f"A receiver is draining {path} at this moment.")
                    drained = await drain(file, ledger=session.ledger, now_us=_now_us)
                    await note(session.ledger, session.does("spool.drain", socket.gethostname()), count=drained)
                    return drained
            finally:
                await file.close()
        except SpoolError as error:
            raise Failed(f"The spool cannot be read: {error}") from None
        except DrainStopped as error:
            raise Failed(f"Redis took no more: {error.__cause__}; the rest stays in the spool.") from None

    moved = with_ledger(work)
    left = look(path)
    if as_json:
        emit({"moved": moved, "left": left["events"]})
    else:
        click.echo(f"{counted(moved, 'event')} moved, {left['events']} left")
    if left["events"]:
        raise Failed("The ledger did not take some events; they are tried again in a minute.")


def look(path: Path | None) -> dict[str, Any]:
    """Count what is in the spool, without making a file where there is none; raises ``Failed``."""
    empty = {
        "path": str(path) if path else None,
        "events": 0,
        "set_aside": 0,
        "bodies": 0,
        "oldest_seconds": None,
        "bytes": 0,
    }
    if path is None or not path.exists():
        return empty
    try:
        with closing(SpoolFile(path)) as file:
            found = file.status()
    except SpoolError as error:
        raise Failed(f"The spool cannot be read: {error}") from None
    age = None if found.oldest_us is None else max(0.0, round((_now_us() - found.oldest_us) / 1e6, 3))
    counts = {"events": found.events, "set_aside": found.set_aside, "bodies": found.bodies}
    return {**empty, **counts, "oldest_seconds": age, "bytes": found.size_bytes}


def _now_us() -> int:
    return time.time_ns() // 1000
