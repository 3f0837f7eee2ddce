"""Sends messages: JSON to a web address by our own HTTP client, everything else by Apprise."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
from functools import cache
from random import Random
from typing import Any

import orjson
import structlog
from redis import RedisError

from schemas.delivery import Request
from tasks.alerts.wording import body_of, text_of, title_of
from worker.backoff import wait_s
from worker.config.alerts import AlertTarget
from worker.config.tables import DEFAULT_RETRY_S
from worker.errors import Transient
from worker.http.client import HttpClient
from worker.ledger.alerts import ClaimedMessage, Message, claim, finish
from worker.ledger.ledger import Ledger

log = structlog.get_logger(__name__)

TIMEOUT_S = 10.0
APPRISE_TIMEOUT_S = 60.0  # it waits 4 s for each answer, and may ask several servers
LEASE_MS = 90_000  # longer than any try takes
MOST_ROUNDS = 20  # messages of one target in one go; the next look takes the rest
_OK = range(200, 300)


def signed_headers(body: bytes, *, message_id: str, at_s: int, secret: str) -> dict[str, str]:
    """Return the headers of a JSON webhook, as Standard Webhooks (standardwebhooks.com) names and signs them.

    What is signed is ``{id}.{timestamp}.{body}``, by HMAC-SHA256; the secret is taken as it stands, or, where it begins
    with ``whsec_``, as Base64.
    """
    headers = {"webhook-id": message_id, "webhook-timestamp": str(at_s)}
    if not secret:
        return headers
    signed = b"%b.%d.%b" % (message_id.encode(), at_s, body)
    made = hmac.new(_key_of(secret), signed, hashlib.sha256).digest()
    return {**headers, "webhook-signature": f"v1,{base64.b64encode(made).decode()}"}


def _key_of(secret: str) -> bytes:
    prefix = "whsec_"
    if secret.startswith(prefix):
        try:
            return base64.b64decode(secret.removeprefix(prefix), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


async def send(target: AlertTarget, message: Message, *, http: HttpClient, now_s: int) -> str:
    """Try once; return why the message did not arrive, or empty text."""
    if target.is_web:
        return await _post(target, message, http=http, now_s=now_s)
    try:
        async with asyncio.timeout(APPRISE_TIMEOUT_S):
            arrived = await asyncio.to_thread(_notify, target.address, title_of(message), text_of(message))
    except TimeoutError:
        return "timeout"
    except Exception as error:  # noqa: BLE001  a library of a hundred services, any of which may raise anything
        return type(error).__name__
    return "" if arrived else "refused"


async def _post(target: AlertTarget, message: Message, *, http: HttpClient, now_s: int) -> str:
    body = body_of(message)
    headers = signed_headers(orjson.dumps(body), message_id=message.message_id, at_s=now_s, secret=target.secret)
    request = Request(method="POST", url=target.address, headers=headers, json=body)
    try:
        response = await http.send(request, timeout_s=TIMEOUT_S)
    except Transient as error:
        return error.reason
    return "" if response.status in _OK else f"status {response.status}"  # a redirect is none: it was not followed


@cache
def _apprise() -> Any:
    """Return Apprise, kept from following redirects: of a POST they make a GET without a body, and it says success."""
    import apprise  # noqa: PLC0415  an extra, and some 30 MB
    from requests import sessions  # noqa: PLC0415

    # What a session begins with: with none allowed it raises TooManyRedirects, which Apprise takes for a failure.
    vars(sessions)["DEFAULT_REDIRECT_LIMIT"] = 0
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it writes addresses, and what servers answer
    return apprise


def _notify(address: str, title: str, text: str) -> bool:
    apprise = _apprise()
    sender = apprise.Apprise()
    if not sender.add(address):
        log.error("alert.address_unknown", hint="Apprise does not know this kind of address")
        return False
    return bool(sender.notify(title=title, body=text))


class Sender:
    """Sends what waits in the lines of these targets, each line in its order."""

    def __init__(self, *, ledger: Ledger, http: HttpClient, targets: dict[str, AlertTarget], rng: Random) -> None:
        self._ledger = ledger
        self._http = http
        self._targets = targets
        self._rng = rng

    async def send_due(self) -> None:
        """Send the messages that may be tried now; raises ``redis.RedisError``."""
        for _ in range(MOST_ROUNDS):
            claimed = await claim(self._ledger, self._targets, lease_ms=LEASE_MS)
            if not claimed:
                return
            answers = await asyncio.gather(*map(self._try, claimed), return_exceptions=True)
            for answer in answers:
                if isinstance(answer, BaseException):
                    raise answer

    async def _try(self, claimed: ClaimedMessage) -> None:
        target, message = self._targets[claimed.target], claimed.message
        now_s = await self._ledger.now_ms() // 1000
        reason = await send(target, message, http=self._http, now_s=now_s)
        told = {"alert": message.alert or "test", "kind": message.kind, "target": target.shown}
        if not reason:
            await self._finish(claimed, "delivered")
            log.info("alert.told", attempt=claimed.number, **told)
            return
        delay_s = wait_s(DEFAULT_RETRY_S, claimed.number, rng=self._rng)
        log.warning("alert.not_told", attempt=claimed.number, reason=reason, retry_in_s=delay_s, **told)
        if delay_s is None:
            await self._finish(claimed, "dead", reason=reason)
        else:
            await self._finish(claimed, "retry", delay_s=delay_s, reason=reason)

    async def _finish(self, claimed: ClaimedMessage, outcome: str, *, delay_s: float = 0, reason: str = "") -> None:
        """Write how the try ended, again while Redis is away for a moment; else the message would be sent twice."""
        for pause_s in (0.2, 1.0, 4.0, None):
            try:
                await finish(self._ledger, claimed, outcome, delay_s=delay_s, reason=reason)
                return
            except RedisError:
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)
