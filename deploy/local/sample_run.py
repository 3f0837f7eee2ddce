"""The sample calls through the running stack: sent, watched, and set against what is expected."""

import asyncio

from redis import RedisError

from deploy.local.board import Board, Lookout
from deploy.local.display import Display
from deploy.local.running import Running
from deploy.local.samples import Player, read_expected, read_samples

LANDING_S = 60.0  # the sample lands in about two seconds
_SETTLED_S = 3.0  # what is settled and still wrong may be about to change: a withdrawal that follows its lead
_LOOK_S = 0.1


async def land_sample(running: Running, display: Display) -> Board:
    """Send the sample calls and watch them until all is settled or the time is over."""
    preparation, loop = running.preparation, asyncio.get_running_loop()
    webhooks = read_samples(now_ms=await running.ledger.now_ms())
    call_ids = list(dict.fromkeys(webhook.call_id for webhook in webhooks))
    # Their times are new each time: what was kept whole would only be changed.
    kept = {stored.call_id for stored in await running.ledger.load(call_ids) if stored.state != "waiting"}
    if kept:
        display.say(f"{len(kept)} of {len(call_ids)} sample calls are in the ledger already and are not sent again")
    lookout = Lookout(
        ledger=running.ledger, session=running.session, standins_url=preparation.ports.standins_url,
        destinations=preparation.settings.destinations, default_region=preparation.settings.calls.default_region,
        call_ids=call_ids, expected=read_expected(), since_ms=running.since_ms,
    )  # fmt: skip
    player = Player(
        url=preparation.ports.receiver_url, token=preparation.environment["DELACON_TOKEN"],
        session=running.session, mend=running.stack.mend,
    )  # fmt: skip
    started = loop.time()
    with display.watching():
        await player.play(webhooks, leave_out=kept)
        board, settled = None, started
        while board is None or not board.landed:
            running.stack.mend()
            try:
                board = await lookout.look()
            except RedisError:  # killed, and started again by mend
                if loop.time() - started > LANDING_S:
                    raise
            else:
                display.show(board)
                settled = settled if board.settled else loop.time()
                if loop.time() - settled > _SETTLED_S or loop.time() - started > LANDING_S:
                    break
            await asyncio.sleep(_LOOK_S)
    display.conclude(board, seconds=loop.time() - started)
    return board
