"""The list of numbers that no lead is made for; look-ups of one moment go as one command."""

import asyncio

from redis.asyncio import Redis

from worker.ledger.keys import SUPPRESSED_KEY


class Suppressed:
    """The list of suppressed numbers.

    Attempts start together, as many as were claimed; one round trip each took a tenth of a worker's CPU time.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._asked: list[tuple[str, asyncio.Future[bool]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def holds(self, number: str) -> bool:
        """Return whether a number (E.164) is on the list; raises ``redis.RedisError``."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
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

    async def _ask_for(self, asked: list[tuple[str, asyncio.Future[bool]]]) -> None:
        try:
            held = await self._redis.smismember(SUPPRESSED_KEY, [number for number, _ in asked])
        except Exception as error:  # noqa: BLE001  whoever asked must be told, or waits for ever
            for _, future in asked:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(asked, held, strict=True):
            if not future.done():
                future.set_result(answer == 1)
