"""Requests about Callcap's numbers in the ledger: written first, claimed, sent once, settled."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from schemas.callcap.requests import Kind, NumberOutcome, NumberRequest, RequestState
from worker.ledger.keys import NUMBER_KEY, NUMBERS_KEY
from worker.ledger.ledger import CLAIM_CONFIRM_MS, Ledger
from worker.ledger.scripts import NotConfirmedError

LEASE_MS = 50_000
"""How long a claim holds: longer than the attempt it covers, which takes 20 s at most."""

KEEP_SEARCH_MS = 7 * 86_400_000
"""How long a search and what it found are kept; the other requests are kept for good."""

PAGE = 200  # requests a round trip


class Written(StrEnum):
    """What became of a request that was to be written."""

    NEW = "new"
    SAME = "same"
    OTHER = "other"
    """The key holds a different request."""


class NumberClaim(StrEnum):
    """What a claim came to."""

    OURS = "ours"
    BUSY = "busy"
    """Another worker is sending it."""
    SETTLED = "settled"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRecord:
    """A request as the ledger holds it."""

    key: str
    request: NumberRequest
    state: RequestState
    outcome: NumberOutcome | None
    """The last one; a waiting request has one when it could not be sent."""
    written_ms: int
    claimed_ms: int
    settled_ms: int
    token: str = field(repr=False)
    """Of the last claim; empty before the first."""


class Numbers:
    """The requests; every operation raises ``redis.RedisError`` when Redis does not do it."""

    def __init__(self, ledger: Ledger, *, lease_ms: int = LEASE_MS) -> None:
        self._ledger = ledger
        self._lease_ms = lease_ms

    async def write(self, key: str, request: NumberRequest) -> Written:
        """Write a request before anything is sent; a key stands for one request for good."""
        keep_ms = KEEP_SEARCH_MS if request.kind is Kind.SEARCH else 0
        return Written(await self._ledger.scripts.run("number_write", key, request.kind, request.dump(), keep_ms))

    async def claim(self, key: str, token: str) -> NumberClaim:
        """Take a waiting request for sending; one whose sender never came back becomes ``unknown``.

        ``token`` is made for this claim alone; asked again with the same token, the claim is the same. Raises
        ``NotConfirmedError`` where too few replicas have it: lost with its primary, it would be sent a second time.
        """
        interrupted = NumberOutcome(state=RequestState.UNKNOWN, reason="interrupted").dump()
        answer, confirmed = await self._ledger.scripts.run_confirmed(
            "number_claim", key, token, self._lease_ms, interrupted, within_ms=CLAIM_CONFIRM_MS
        )
        claim = NumberClaim(answer)
        if claim is NumberClaim.OURS and not confirmed:
            raise NotConfirmedError(claim)
        return claim

    async def settle(self, key: str, token: str, outcome: NumberOutcome) -> bool:
        """Settle a claim with its outcome; ``False`` for another claim's, or where an outcome is certain already."""
        applied = await self._ledger.scripts.run("number_settle", key, token, outcome.state, outcome.dump())
        return bool(applied == 1)

    async def read(self, key: str) -> NumberRecord | None:
        """Read one request; ``None`` when there is none."""
        values: Any = await self._ledger.redis.hgetall(f"{NUMBER_KEY}{key}")
        return _record(key, values) if values else None

    async def records(self) -> AsyncIterator[NumberRecord]:
        """Return all provisionings and updates, in the order in which they were written."""
        redis, start = self._ledger.redis, 0
        while keys := _texts(await redis.zrange(NUMBERS_KEY, start, start + PAGE - 1)):
            async with redis.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.hgetall(f"{NUMBER_KEY}{key}")
                for key, values in zip(keys, await pipe.execute(), strict=True):
                    if values:
                        yield _record(key, values)
            start += PAGE


def _texts(members: Iterable[Any]) -> list[str]:
    """Name the type that a client which decodes its replies gives."""
    return list(members)


def _record(key: str, values: dict[str, str]) -> NumberRecord:
    return NumberRecord(
        key=key,
        request=NumberRequest.load(values["request"]),
        state=RequestState(values["state"]),
        outcome=NumberOutcome.load(values["outcome"]) if "outcome" in values else None,
        written_ms=int(values["written"]),
        claimed_ms=int(values.get("claimed", 0)),
        settled_ms=int(values.get("settled", 0)),
        token=values.get("token", ""),
    )
