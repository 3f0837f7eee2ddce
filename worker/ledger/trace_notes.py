"""Which trace a call's spans belong to, beside the ledger's records: only processes with traces write or read it.

A call's trace and the spans of its webhooks are derived from its id and its events, so nothing has to travel. Noted is
what a sender began, in which trace a call is when several could be meant, and which dispatch made a delivery. A note
that is lost, or that a process of another version does not know, costs a link and no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from worker.ledger.keys import TRACE_KEY

KEEP_S = 7 * 86_400
CALL = "call"
"""The field of the trace that the call as a whole is in."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A trace and whether it is sampled, as hexadecimal text: ``{32 digits}-{2 digits}``."""

    trace: str
    flags: str

    @classmethod
    def parse(cls, text: str | None) -> "Noted | None":
        """Read what was noted."""
        trace, _, flags = (text or "").partition("-")
        return cls(trace, flags) if flags else None


class Traced:
    """Reads and writes entries; raises ``redis.RedisError``."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def note_webhook(self, call_id: str, span: str, noted: Noted) -> None:
        """Note that a webhook's span is in a sender's trace, and so its call, unless that is in one already."""
        key, text = f"{TRACE_KEY}{call_id}", f"{noted.trace}-{noted.flags}"
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(key, span, text)
            pipe.hsetnx(key, CALL, text)
            pipe.expire(key, KEEP_S)
            await pipe.execute()

    async def note_deliveries(self, made: Mapping[tuple[str, str], str]) -> None:
        """Note the spans of the dispatches that made deliveries, by call id and ``destination:action``."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for (call_id, delivery), span in made.items():
                pipe.hsetnx(f"{TRACE_KEY}{call_id}", f"d:{delivery}", span)
                pipe.expire(f"{TRACE_KEY}{call_id}", KEEP_S)
            await pipe.execute()

    async def read(self, call_ids: Sequence[str], begun: Mapping[str, Noted]) -> list[Mapping[str, str]]:
        """Return what is noted of calls, one mapping a call.

        ``begun``: the traces of calls whose webhooks came without one; each is its call's, unless that is in one.
        """
        async with self._redis.pipeline(transaction=False) as pipe:
            for call_id, noted in begun.items():
                pipe.hsetnx(f"{TRACE_KEY}{call_id}", CALL, f"{noted.trace}-{noted.flags}")
                pipe.expire(f"{TRACE_KEY}{call_id}", KEEP_S)
            for call_id in call_ids:
                pipe.hgetall(f"{TRACE_KEY}{call_id}")
            answers = await pipe.execute()
        found: list[Mapping[str, str]] = answers[2 * len(begun) :]
        return found
