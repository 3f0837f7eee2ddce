"""``switchboard up``: runs the whole system on this machine."""

import asyncio
import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from deploy.cli.output import Failed, Misconfigured, emit, json_option
from deploy.local.board import Board
from deploy.local.display import Display
from deploy.local.folder import Folder
from deploy.local.processes import StackFault
from deploy.local.stack import Wanted, prepare
from deploy.local.up import Interrupted
from deploy.local.up import up as run_stack
from worker.errors import SettingsError
from worker.log import configure_logging

_HIGHEST_PORT = 65_535


@click.command
@click.option(
    "--config", type=click.Path(path_type=Path), help="Run this configuration: no stand-ins, no sample calls."
)
@click.option("--keep", is_flag=True, help="Go on with the data of last time.")
@click.option("--once", is_flag=True, help="Stop when all has landed (status 0), or has not within a minute (1).")
@click.option(
    "--port", type=click.IntRange(0, _HIGHEST_PORT), default=8080, envvar="PORT", show_default=True,
    help="Where the receiver listens; 0 takes a free one.",
)  # fmt: skip
@json_option
def up(*, as_json: bool, **options: Any) -> None:
    """Run everything here: Redis, stand-ins for the vendors, the receiver, a worker and Flower.

    Sends sample calls through the real webhook, shows what landed where, and stays up until Ctrl-C.
    Data and logs are in var/, afresh each time unless --keep; a Redis that REDIS_URL names is used as it is.
    """
    wanted = Wanted(**options)
    if as_json and not wanted.once:
        raise click.UsageError("--json goes with --once: what stays up has no one result")
    display = Display(Console(stderr=as_json, highlight=False))
    configure_logging("console", "error")
    board: Board | None = None
    try:
        board = _run(wanted, display)
    except SettingsError as error:
        _emit_fault(str(error), as_json=as_json)
        raise Misconfigured(error.faults) from None
    except StackFault as error:
        _emit_fault(str(error), as_json=as_json)
        raise Failed("\n".join(filter(None, [str(error), error.details]))) from None
    except Interrupted:
        if wanted.once:
            _emit_fault("interrupted", as_json=as_json)
            raise Failed("interrupted before all had landed") from None
    if as_json:
        emit(board.as_json() if board else {"landed": True, "counts": {}, "calls": []})
    if board is not None and wanted.once and not board.landed:
        raise click.exceptions.Exit(1)


def _run(wanted: Wanted, display: Display) -> Board | None:
    folder = Folder(Path("var"))
    with folder.held():
        preparation = prepare(wanted, folder=folder, environ=os.environ)
        return asyncio.run(run_stack(preparation, folder=folder, display=display))


def _emit_fault(text: str, *, as_json: bool) -> None:
    """Whoever asked for one JSON value gets one, come what may."""
    if as_json:
        emit({"landed": False, "counts": {}, "calls": [], "error": text})
