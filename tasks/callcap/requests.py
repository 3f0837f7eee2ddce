"""Requests about Callcap's numbers: each is sent once; an unknown outcome is looked up, never sent again."""

import asyncio
import secrets
import string
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import structlog
from redis import RedisError

from schemas.callcap.requests import Kind, Lookup, NumberOutcome, NumberRequest, RequestState, read_key, read_request
from schemas.callcap.wire import Account
from tasks.callcap.exchange import search, send
from tasks.vendors.protocol import Http
from worker.ledger.numbers import NumberClaim, NumberRecord, Numbers, Written

log = structlog.get_logger(__name__)

SETTLE_PAUSES_S = (0.5, 2.0, 5.0)
"""Seconds to retry a write to Redis while this process alone knows how a provisioning ended."""

INTERRUPTED = "interrupted"


class NoSuchRequest(Exception):
    """Raised when no request has the key, or one of another kind."""


class DifferentRequest(Exception):
    """Raised when the key stands for a different request already."""


class NotNoted(Exception):
    """Raised when Callcap's answer is known but Redis did not take it; ``outcome`` is what it is."""

    def __init__(self, outcome: NumberOutcome) -> None:
        super().__init__("the ledger did not take the outcome")
        self.outcome = outcome


def new_key() -> str:
    """Make a key for a request."""
    # Letters only: a run of digits would look like a phone number.
    return "num-" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(16))


async def ask(
    numbers: Numbers, kind: Kind, parameters: Mapping[str, Any], *, key: str, today: date, number: str = ""
) -> str:
    """Check a request and write it to the ledger, so that a task may carry it out; returns its key.

    The same request under the same key is written once. Raises marshmallow's ``ValidationError`` with every fault,
    ``ValueError`` for a key that cannot be one, ``DifferentRequest``, ``redis.RedisError``.
    """
    request = read_request(kind, parameters, today=today, number=number)
    if await numbers.write(read_key(key), request) is Written.OTHER:
        raise DifferentRequest(key)
    return key


class Callcap:
    """Carries out the requests of the ledger."""

    def __init__(
        self,
        account: Account,
        *,
        http: Http,
        numbers: Numbers,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._account = account
        self._http = http
        self._numbers = numbers
        self._sleep = sleep

    async def carry_out(self, key: str, kind: Kind) -> NumberRecord:
        """Send a waiting request once, note what came back, and return the request as it then stands.

        One that was sent before is not sent again: its first outcome stands, and an unknown one is looked up again.
        Raises ``NoSuchRequest``, ``NotNoted`` and ``redis.RedisError``.
        """
        record = await self._numbers.read(key)
        if record is None or record.request.kind is not kind:
            raise NoSuchRequest(key)
        token = secrets.token_hex(16)
        if await self._numbers.claim(key, token) is NumberClaim.OURS:
            try:
                outcome = await self._attempt(record.request)
            except asyncio.CancelledError:
                await self._settle(key, token, _broken_off(kind, INTERRUPTED))
                raise
            await self._settle(key, token, outcome)
        settled = await self._read(key)
        return await self._look_up(settled) if settled.state is RequestState.UNKNOWN else settled

    async def _read(self, key: str) -> NumberRecord:
        record = await self._numbers.read(key)
        if record is None:
            raise NoSuchRequest(key)
        return record

    async def _attempt(self, request: NumberRequest) -> NumberOutcome:
        """Send a request; whatever happens, it ends in an outcome."""
        try:
            return await send(self._account, request, http=self._http)
        except Exception:
            log.exception("number_request.unexpected", kind=request.kind)
            return _broken_off(request.kind, "unexpected")

    async def _settle(self, key: str, token: str, outcome: NumberOutcome) -> None:
        """Note an outcome, retrying while Redis fails, for nobody else knows it."""
        for pause_s in (*SETTLE_PAUSES_S, None):
            try:
                await self._numbers.settle(key, token, outcome)
            except RedisError as error:
                log.warning("number_request.not_noted", request_id=key, error=type(error).__name__)
                if pause_s is None:
                    raise NotNoted(outcome) from error
                await self._sleep(pause_s)
            else:
                log.info("number_request.settled", request_id=key, state=outcome.state, reason=outcome.reason)
                return

    async def _look_up(self, record: NumberRecord) -> NumberRecord:
        """Ask whether the number of a provisioning is still offered, and note the answer with the outcome."""
        outcome = record.outcome or _broken_off(record.request.kind, INTERRUPTED)
        if record.request.kind is not Kind.PROVISION or not record.request.about:
            return record
        found = await search(self._account, record.request.looked_up_by(), http=self._http)
        lookup = Lookup.FAILED
        if found.state is RequestState.DONE:
            lookup = Lookup.OFFERED if record.request.about in found.numbers else Lookup.NOT_OFFERED
        noted = replace(outcome, lookup=lookup, lookup_words=found.words or found.reason)
        await self._numbers.settle(record.key, record.token, noted)
        return await self._read(record.key)


def _broken_off(kind: Kind, reason: str) -> NumberOutcome:
    """Return the outcome of a request whose sender was cut off: only a search may be repeated."""
    state = RequestState.WAITING if kind is Kind.SEARCH else RequestState.UNKNOWN
    return NumberOutcome(state=state, reason=reason)
