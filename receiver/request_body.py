"""Reads a request's body: bounded in size, after decompression too, and in time."""

import asyncio
import zlib

from aiohttp import hdrs, web

# Webhooks are about a kilobyte: whoever needs longer than this is broken or hostile.
READ_TIMEOUT_S = 10.0
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_RAW_DEFLATE = -zlib.MAX_WBITS
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class TooLarge(Exception):
    """Raised when a body is larger than allowed, as it came or after decompression."""


class Unreadable(Exception):
    """Raised when a body never came whole; its text is for the answer."""


async def read_body(request: web.BaseRequest, *, max_body: int, timeout_s: float = READ_TIMEOUT_S) -> bytes:
    """Read the body, decompressed; at most ``max_body`` bytes. Raises ``TooLarge`` and ``Unreadable``.

    A body that is not what its Content-Encoding says is given as it came: whether it is JSON shows later.
    The server must leave the decompression to this function, for aiohttp goes on decompressing what was refused.
    """
    content = request.content
    if content.is_eof():
        # All of it came with the headers: the usual case, and it needs no timer.
        try:
            body = content.read_nowait()
        except Exception as error:
            raise Unreadable("the body is broken") from error
        if len(body) > max_body:
            raise TooLarge
    else:
        body = await _read_slowly(request, max_body=max_body, timeout_s=timeout_s)
    encoding = request.headers.get(hdrs.CONTENT_ENCODING)
    return body if encoding is None else _decoded(body, encoding.strip().lower(), max_body=max_body)


async def _read_slowly(request: web.BaseRequest, *, max_body: int, timeout_s: float) -> bytes:
    length = request.content_length
    if length is not None and length > max_body:
        raise TooLarge
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(_CONTINUE)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            while len(body) <= max_body and (chunk := await request.content.readany()):
                body += chunk
    except TimeoutError as error:
        raise Unreadable("the body did not come in time") from error
    except Exception as error:
        raise Unreadable("the body is broken") from error
    if len(body) > max_body:
        raise TooLarge
    return bytes(body)


def _decoded(body: bytes, encoding: str, *, max_body: int) -> bytes:
    """Undo gzip and deflate; any other encoding, and data that are none of these, stay as they are."""
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        return body
    for window in (_GZIP_OR_ZLIB, _RAW_DEFLATE):
        inflater = zlib.decompressobj(window)
        try:
            plain = inflater.decompress(body, max_body + 1)
        except zlib.error:
            continue
        if len(plain) > max_body:
            raise TooLarge
        if inflater.eof and not inflater.unused_data:
            return plain
    return body
