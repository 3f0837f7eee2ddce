"""The one HTTP client: a shared session that sends a request once and tells what came back."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from time import monotonic
from typing import Self
from urllib.parse import urlencode

import orjson
from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, client_exceptions
from aiohttp.payload import BytesPayload
from yarl import URL

from schemas.delivery import Request, Response
from worker.errors import Transient

MAX_REPLY_BYTES = 256 * 1024
"""The most of a reply that is read, after decompression (contract, section 4)."""

CONNECT_SHARE = 0.9
"""The share of an attempt's time that connecting may take; what ends before it has surely sent nothing."""

CONNECT_LONGEST_S = 10.0
"""No vendor that answers at all takes longer to accept a connection, TLS included."""

READ_HEADERS = ("retry-after", "location")
"""The headers of a reply that anybody here reads; a vendor's proxies send twenty others."""

DNS_CACHE_S = 60
"""How long a name's addresses are reused, in seconds; a vendor that moves is found again after it."""

MAX_CACHED_URLS = 1024
"""Deliveries use a handful of URLs; searches with parameters must not fill the memory."""

MAX_CACHED_TIMEOUTS = 256
"""Nearly all requests have their destination's; the second request of an attempt has what is left of it."""

_JSON = {"Content-Type": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_ALWAYS = {"User-Agent": "Switchboard", "Accept": "application/json", "Accept-Encoding": "identity"}
_NO_TIMEOUT = ClientTimeout(total=None)


class HttpClient:
    """Sends requests over one shared ``ClientSession``; never retries, never follows a redirect, keeps no cookie.

    No text that leaves this class holds a URL, because vendors' keys stand in query strings.
    """

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._urls: dict[str, URL] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Self]:
        """Open the session on the running loop; it is closed when the block ends.

        The number of connections is not limited here: a destination's ``concurrency`` is the limit.
        """
        connector = TCPConnector(limit=0, limit_per_host=0, ttl_dns_cache=DNS_CACHE_S)
        session = ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            headers=_ALWAYS,
            timeout=_NO_TIMEOUT,
            trust_env=False,
        )
        async with session:
            yield cls(session)

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send ``request`` once and read at most 256 KB of the reply, all within ``timeout_s`` seconds.

        Raises ``Transient`` with reason ``timeout``, ``connect``, ``tls``, ``dns`` or ``reset``; ``unknown`` is false
        only where it is certain that nothing was sent.
        """
        started = monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._start(request, timeout_s)
                body = await _read(reply)
        except (TimeoutError, client_exceptions.ClientError, OSError) as error:
            # "from None": the texts of aiohttp's errors hold the URL, and so the key.
            raise _translate(error) from None
        return Response(
            status=reply.status,
            headers={name: _readable(value) for name in READ_HEADERS if (value := reply.headers.get(name)) is not None},
            body=body,
            elapsed_ms=int((monotonic() - started) * 1000),
        )

    async def _start(self, request: Request, timeout_s: float) -> ClientResponse:
        """Send and wait for the head of the reply."""
        data: BytesPayload | None = None
        headers = request.headers
        if request.form is not None:
            data = BytesPayload(urlencode(request.form).encode())
            headers = {**_FORM, **headers}
        elif request.json is not None:
            data = BytesPayload(orjson.dumps(request.json))  # what the session would find out for itself, slowly
            headers = {**_JSON, **headers}
        return await self._session.request(
            request.method,
            self._urls.get(request.url) or self._remember(request.url),
            data=data,
            headers=headers,
            allow_redirects=False,
            timeout=_connect_timeout(timeout_s),
        )

    def _remember(self, url: str) -> URL:
        """Parse a URL once; vendors quote what they put into it, so that it reaches the wire as they wrote it."""
        if len(self._urls) >= MAX_CACHED_URLS:
            self._urls.clear()
        parsed = self._urls[url] = URL(url, encoded=True)
        return parsed


@lru_cache(maxsize=MAX_CACHED_TIMEOUTS)
def _connect_timeout(timeout_s: float) -> ClientTimeout:
    """Limit only the connecting; the whole attempt is limited by ``asyncio.timeout``, to the millisecond."""
    connect_s = min(timeout_s * CONNECT_SHARE, CONNECT_LONGEST_S)
    return ClientTimeout(total=None, connect=connect_s, ceil_threshold=3600)


async def _read(reply: ClientResponse) -> bytes:
    """Read the body up to the limit; a connection with more to come is closed, any other goes back to the pool."""
    content = reply.content
    body = b""
    try:
        while not content.at_eof() and len(body) < MAX_REPLY_BYTES:
            body += await content.read(MAX_REPLY_BYTES - len(body))
    finally:
        if not content.at_eof():
            reply.close()
    return body


def _readable(value: str) -> str:
    """Give a header's value as text that can be written anywhere: aiohttp hands on bytes that are no UTF-8."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _translate(error: Exception) -> Transient:
    """Give the transient failure that an error of the network stands for."""
    match error:
        case client_exceptions.ConnectionTimeoutError():
            return Transient("timeout", "no connection in time")
        case TimeoutError():
            return Transient("timeout", "no whole reply in time", unknown=True)
        case client_exceptions.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as why):
            return Transient("tls", f"certificate refused: {why.verify_message}")
        case client_exceptions.ClientSSLError():
            return Transient("tls", "no TLS handshake")
        case client_exceptions.ClientConnectorDNSError():
            return Transient("dns", "the host's name was not resolved")
        case client_exceptions.ClientConnectorError():
            return Transient("connect", "no connection")
        case client_exceptions.ClientResponseError() | client_exceptions.ClientPayloadError():
            return Transient("reset", "the reply broke off or was no HTTP", unknown=True)
        case _:
            return Transient("reset", "the connection was lost", unknown=True)
