"""Run the stand-ins as a process of their own: ``python -m deploy.local.standins --port 9000``."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import uvloop

from deploy.local.standins.app import StandIns
from deploy.local.standins.journal import keep
from deploy.local.standins.store import Accounts, Store


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; status 1 when the port is taken."""
    parser = argparse.ArgumentParser(prog="standins", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="default 127.0.0.1; there is no password")
    parser.add_argument("--port", type=int, default=0, help="default: a free one, printed")
    parser.add_argument(
        "--records", type=Path, help="a file to keep the records in; default: they end with the process"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the chance in fail_rate")
    parser.epilog = "Accepted keys and accounts: STANDINS_KAPTURE_KEYS=one,two and the like; see store.py."
    options = parser.parse_args()
    store = Store(seed=options.seed)
    if options.records is not None:
        keep(store, options.records)
    stand_ins = StandIns(host=options.host, port=options.port, accounts=Accounts.read(os.environ), store=store)
    try:
        uvloop.run(_serve(stand_ins))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        print(f"the stand-ins cannot listen on {options.host}:{options.port}: {reason}", file=sys.stderr)
        return 1
    return 0


async def _serve(stand_ins: StandIns) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        await stand_ins.start()
        print(f"stand-ins ready on {stand_ins.url}", flush=True)
        await stopped.wait()
    finally:
        await stand_ins.stop()


if __name__ == "__main__":
    sys.exit(main())
