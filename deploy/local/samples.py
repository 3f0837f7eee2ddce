"""The sample calls: read from the bundled file of webhooks, sent through the real receiver."""

import asyncio
import json
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import aiohttp
from redis import RedisError

from deploy.local.board import Board, Lookout
from deploy.local.display import Display
from deploy.local.processes import StackFault
from deploy.local.stack import Running
from deploy.local.webhooks import Webhook, read_file
from schemas.callcap.requests import RequestState
from tasks.callcap.exchange import search
from worker.config.settings import CallcapSettings
from worker.http.client import HttpClient

_CALLS = Path(__file__).with_name("calls.jsonl")
_STORIES = Path(__file__).with_name("stories.jsonl")
_EXPECTED = Path(__file__).with_name("expected.json")

_ANSWER = aiohttp.ClientTimeout(total=10)
_PATIENCE_S = 30.0  # a receiver that was killed is back within a few seconds
_AGAIN_S = 0.2
_OUR_FAULT = 400  # up to 499: sending it again would not help
_THEIR_FAULT = 500


def read_samples(*, now_ms: int) -> list[Webhook]:
    """Read the sample calls, their times counted back from ``now_ms``."""
    return read_file(_CALLS.read_text(encoding="utf-8"), now_ms=now_ms)


def read_stories(*, now_ms: int) -> list[Webhook]:
    """Read the calls that come to grief, so that the console has something that needs a person."""
    return read_file(_STORIES.read_text(encoding="utf-8"), now_ms=now_ms)


def read_expected() -> dict[str, dict[str, str]]:
    """Read the expected outcomes of the sample calls: call id, then destination, to the outcome."""
    expected: dict[str, dict[str, str]] = json.loads(_EXPECTED.read_text(encoding="utf-8"))
    return expected


class Player:
    """Sends webhooks as Delacon would; ``mend`` is called while the receiver does not answer."""

    def __init__(self, *, url: str, token: str, session: aiohttp.ClientSession, mend: Callable[[], None]) -> None:
        self._url = url
        self._headers = {"Authorization": aiohttp.encode_basic_auth("delacon", token)}
        self._session = session
        self._mend = mend

    async def play(self, webhooks: Iterable[Webhook], *, leave_out: Collection[str]) -> None:
        """Send one after the other, for their order is part of the sample, but for calls to be left out.

        Raises ``StackFault`` when the receiver refuses one or answers nothing for half a minute.
        """
        for webhook in webhooks:
            if webhook.call_id not in leave_out:
                await self._send(webhook)

    async def _send(self, webhook: Webhook) -> None:
        deadline = asyncio.get_running_loop().time() + _PATIENCE_S
        while fault := await self._post(webhook):
            if asyncio.get_running_loop().time() > deadline:
                raise StackFault(f"the receiver does not take {webhook.call_id}: {fault}")
            self._mend()
            await asyncio.sleep(_AGAIN_S)

    async def _post(self, webhook: Webhook) -> str:
        """Post one webhook; return why it should be sent again, nothing when it was taken."""
        url = self._url + webhook.path
        try:
            async with self._session.post(url, data=webhook.body, headers=self._headers, timeout=_ANSWER) as reply:
                answer = await reply.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return f"no answer ({type(error).__name__})"
        if _OUR_FAULT <= reply.status < _THEIR_FAULT:
            raise StackFault(f"the receiver refuses {webhook.call_id}: {answer['error']}")
        return "" if answer["success"] == "true" else f"{reply.status} {answer['error']}"


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
    expected = read_expected()
    named = {name for outcomes in expected.values() for name in outcomes}
    lookout = Lookout(
        ledger=running.ledger, session=running.session, standins_url=preparation.ports.standins_url,
        destinations={name: one for name, one in preparation.settings.destinations.items() if name in named},
        default_region=preparation.settings.calls.default_region, call_ids=call_ids, expected=expected,
        since_ms=running.since_ms,
    )  # fmt: skip
    player = _player(running)
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


def _player(running: Running) -> Player:
    preparation = running.preparation
    return Player(
        url=preparation.ports.receiver_url, token=preparation.environment["DELACON_TOKEN"],
        session=running.session, mend=running.stack.mend,
    )  # fmt: skip


async def play_stories(running: Running) -> str:
    """Send the calls that come to grief, unless they are in the ledger already, and say where to look."""
    webhooks = read_stories(now_ms=await running.ledger.now_ms())
    kept = {stored.call_id for stored in await running.ledger.load(list({one.call_id for one in webhooks}))}
    await _player(running).play(webhooks, leave_out=kept)
    return (
        "Two more calls come to grief, and the console shows why: second-firm refuses everything, and a lead for"
        " callbacks is given up. To mend them, correct both in deploy/local/switchboard.toml, start again with --keep,"
        " and resume and replay them. SB-1013 tells of a lead that was withdrawn because the caller got through."
    )


AREA_CODE = "316"


async def search_line(account: CallcapSettings) -> str:
    """Search for numbers of one area and say what was found."""
    async with HttpClient.open() as http:
        found = await search(account, {"areaCode": AREA_CODE}, http=http)
    if found.state is not RequestState.DONE:
        return f"Callcap gave no numbers for area code {AREA_CODE}: {found.words or found.reason}"
    examples = ", ".join(found.numbers[:2])
    return f"Callcap offers {len(found.numbers)} numbers of area code {AREA_CODE}: {examples} ..."
