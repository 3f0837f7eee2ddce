"""The sample calls: read from the bundled file of webhooks, sent through the real receiver."""

import asyncio
import json
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import aiohttp

from deploy.local.fault import StackFault
from deploy.local.webhooks import Webhook, read_file

_CALLS = Path(__file__).with_name("calls.jsonl")
_EXPECTED = Path(__file__).with_name("expected.json")

_ANSWER = aiohttp.ClientTimeout(total=10)
_PATIENCE_S = 30.0  # a receiver that was killed is back within a few seconds
_AGAIN_S = 0.2
_OUR_FAULT = 400  # up to 499: sending it again would not help
_THEIR_FAULT = 500


def read_samples(*, now_ms: int) -> list[Webhook]:
    """Read the sample calls, their times counted back from ``now_ms``."""
    return read_file(_CALLS.read_text(encoding="utf-8"), now_ms=now_ms)


def read_expected() -> dict[str, dict[str, str]]:
    """Read what is to become of the sample calls: call id, then destination, to the outcome."""
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
        """Post one webhook; give why it should be sent again, nothing when it was taken."""
        url = self._url + webhook.path
        try:
            async with self._session.post(url, data=webhook.body, headers=self._headers, timeout=_ANSWER) as reply:
                answer = await reply.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return f"no answer ({type(error).__name__})"
        if _OUR_FAULT <= reply.status < _THEIR_FAULT:
            raise StackFault(f"the receiver refuses {webhook.call_id}: {answer['error']}")
        return "" if answer["success"] == "true" else f"{reply.status} {answer['error']}"
