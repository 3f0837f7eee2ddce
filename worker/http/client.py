"""The one HTTP client: it sends a request once and tells what came back."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from time import monotonic
from typing import Self
from urllib.parse import SplitResult, urlencode, urlsplit

import orjson

from schemas.delivery import Request, Response
from worker.http.origin import IDLE_S, HttpOrigin

CONNECT_SHARE = 0.9
"""The share of an attempt's time that connecting may take; what ends before it has surely sent nothing."""

CONNECT_LONGEST_S = 10.0
"""Seconds to connect, TLS included; a vendor that answers at all needs less."""

MAX_CACHED_HEADS = 1024
"""Deliveries use a handful of URLs; searches with parameters must not fill the memory."""

_REPLY_HEADERS = (("retry-after", b"retry-after"), ("location", b"location"))
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_ALWAYS = {"User-Agent": "Switchboard", "Accept": "application/json", "Accept-Encoding": "identity"}
_PORTS = {"http": 80, "https": 443}
_VISIBLE = re.compile(r"[!-~]+")
_HEADER_VALUE = re.compile(r"[\t -~\x80-\U0010ffff]*")


class HttpClient:
    """Sends requests over kept connections; never retries, never follows a redirect, keeps no cookie.

    aiohttp's client takes bytes that nobody asked for as the next reply, sends GET, PUT and DELETE again by itself when
    a kept connection is dropped, and refuses replies that curl reads; libcurl sends a POST again, too.

    Requests that are made in one pass of the loop are written one behind the other in the next, so that whoever reads
    them wakes once for all: a fifth more deliveries a second where workers, Redis and vendor share two processors.

    No text that leaves this class holds a URL, because vendors' keys stand in query strings.
    """

    def __init__(self, *, idle_s: float) -> None:
        self._idle_s = idle_s
        self._origins: dict[tuple[str, str, int], HttpOrigin] = {}
        self._heads: dict[tuple[object, ...], tuple[bytes, HttpOrigin]] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, *, idle_s: float = IDLE_S) -> AsyncIterator[Self]:
        """Open a client on the running loop; its connections are closed when the block ends.

        A connection that waited ``idle_s`` for its next request is closed. Their number is not limited here: a
        destination's ``concurrency`` is the limit.
        """
        client = cls(idle_s=idle_s)
        try:
            yield client
        finally:
            for origin in client._origins.values():
                origin.close()
            await asyncio.sleep(0)  # the loop closes their sockets

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send ``request`` once and read at most 256 KB of the reply, all within ``timeout_s`` seconds.

        Raises ``Transient`` with reason ``timeout``, ``connect``, ``tls``, ``dns`` or ``reset``; ``unknown`` is false
        only where it is certain that nothing was sent.
        """
        started = monotonic()
        body, content_type = b"", ""
        if request.form is not None:
            body, content_type = urlencode(request.form).encode(), _FORM
        elif request.json is not None:
            body, content_type = orjson.dumps(request.json), _JSON
        key = (request.method, request.url, content_type, *request.headers.items())
        head, origin = self._heads.get(key) or self._remember(key, request, content_type)
        if body or request.method not in _BODILESS_METHODS:
            head = b"%bContent-Length: %d\r\n" % (head, len(body))
        await asyncio.sleep(0)  # so that what this pass asks for is written in a row
        connection = origin.take()
        if connection is None:
            connection = await origin.connect(within_s=min(timeout_s * CONNECT_SHARE, CONNECT_LONGEST_S))
        reply = await connection.exchange(b"%b\r\n%b" % (head, body), until=started + timeout_s)
        return Response(
            status=reply.status,
            headers={name: value for name, key in _REPLY_HEADERS if (value := reply.header(key)) is not None},
            body=reply.body(),
            elapsed_ms=int((monotonic() - started) * 1000),
        )

    def _remember(self, key: tuple[object, ...], request: Request, content_type: str) -> tuple[bytes, HttpOrigin]:
        """Make the head of a request once, up to its length.

        Vendors quote what they put into a URL, so it reaches the wire as they wrote it.
        """
        if len(self._heads) >= MAX_CACHED_HEADS:
            self._heads.clear()
        if _VISIBLE.fullmatch(request.url) is None:
            raise ValueError("a URL must be visible ASCII characters")
        url = urlsplit(request.url)
        wanted = {"Host": _host_header(url), **_ALWAYS}
        if content_type:
            wanted["Content-Type"] = content_type
        head = b"%b %b HTTP/1.1\r\n" % (request.method.encode(), _target(url).encode())
        head += b"".join(b"%b: %b\r\n" % pair for pair in _merged(wanted, request.headers))
        remembered = self._heads[key] = head, self._origin_of(url)
        return remembered

    def _origin_of(self, url: SplitResult) -> HttpOrigin:
        """Return the host that a URL names; hosts are those of the configuration, which are few."""
        where = (url.scheme, url.hostname or "", url.port or _PORTS[url.scheme])
        origin = self._origins.get(where)
        if origin is None:
            tls = _tls_context if url.scheme == "https" else None
            origin = self._origins[where] = HttpOrigin(where[1], where[2], tls=tls, idle_s=self._idle_s)
        return origin


_BODILESS_METHODS = frozenset({"GET", "HEAD", "DELETE"})


@cache
def _tls_context() -> ssl.SSLContext:
    """Make the one TLS context of the process: reading the certificates takes some 20 ms."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _host_header(url: SplitResult) -> str:
    host = url.netloc.rpartition("@")[2].lower()
    return host.removesuffix(f":{_PORTS[url.scheme]}")


def _target(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _merged(ours: Mapping[str, str], vendors: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return both sets of headers; the vendor's take the place of ours, however they are written."""
    theirs = {name.lower() for name in vendors}
    pairs = [*((name, value) for name, value in ours.items() if name.lower() not in theirs), *vendors.items()]
    for name, value in pairs:
        if _VISIBLE.fullmatch(name) is None or _HEADER_VALUE.fullmatch(value) is None:
            raise ValueError("a header must be one line")
    return [(name.encode(), value.encode()) for name, value in pairs]
