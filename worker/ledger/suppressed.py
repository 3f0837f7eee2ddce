"""The lists of numbers that no lead is made for; look-ups of one moment go as one command."""

import asyncio
from dataclasses import dataclass

from worker.ledger.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Standing:
    """What the lists say of a number."""

    suppressed: bool
    """No lead is made for it."""
    loaded_ms: int
    """When the do-not-call list was loaded that was asked; 0: none ever was."""


class Suppressed:
    """The numbers that operators suppressed, and the do-not-call list that was loaded last.

    Attempts start together, as many as were claimed; one round trip each took a tenth of a worker's CPU time.
    """

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._asked: list[tuple[str, asyncio.Future[Standing]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def look_up(self, number: str) -> Standing:
        """Return how a number (E.164) stands; raises ``redis.RedisError``."""
        future: asyncio.Future[Standing] = asyncio.get_running_loop().create_future()
        self._asked.append((number, future))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await future

    async def _ask(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, []
                await self._ask_for(asked)
        finally:
            self._asking = None

    async def _ask_for(self, asked: list[tuple[str, asyncio.Future[Standing]]]) -> None:
        try:
            loaded_ms, *held = await self._scripts.run("suppressed", *(number for number, _ in asked))
        except Exception as error:  # noqa: BLE001  whoever asked must be told, or waits for ever
            for _, future in asked:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(asked, held, strict=True):
            if not future.done():
                future.set_result(Standing(answer == 1, loaded_ms))
