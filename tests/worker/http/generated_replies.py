"""Replies made by a grammar of HTTP and its slips: what a vendor may write for one request."""

import gzip
import random
import zlib
from dataclasses import dataclass

_STATUS_LINES = (
    b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"http/1.1 201 made", b"HTTP/1.0 200 OK", b"HTTP/2 200 OK", b"HTTP/1.1 204 N",
    b"HTTP/1.1 404 N", b"HTTP/1.1 500 E", b"HTTP/1.1 302 F", b"HTTP/1.1 429 S", b"HTTP/1.1 200OK", b"HTTP/1.1  503 U",
    b"HTTP/1.9 200 OK", b"HTTP/1.1 20 OK", b"ICY 200 OK", b"\xef\xbb\xbfHTTP/1.1 200 OK", b"", b"HTTP/1.1 101 S",
)  # fmt: skip
_HEADERS = (
    b"Server: nginx", b"X-A: \xe9\xff", b"X-A: b\r\n c", b": b", b"garbage", b"X A: b", b"X-A: b\0",
    b"Connection: close", b"Connection: keep-alive", b"Retry-After: 7", b"Retry-After: \xff", b"Location: /caf\xe9",
    b"Content-Type: text/html",
    b"Content-Length: 3", b"Content-Length: x", b"Content-Length: 1e3", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: foo", b"Content-Encoding: br", b"Content-Encoding: gzip", b"Content-Length: " + b"9" * 5000,
    b"Keep-Alive: timeout=5", b"Trailer: X-A", b"\t", b"Set-Cookie: " + b"s" * 3000,
)  # fmt: skip
_SPREAD = 0x9E3779B97F4A7C15  # tokens so far apart that no slip makes one of another
_BEFORE = (
    b"",
    b"",
    b"",
    b"",
    b"HTTP/1.1 100 C\r\n\r\n",
    b"HTTP/1.1 103 E\r\nLink: a\r\n\r\n",
    b"\r\n",
    b"HTTP/1.1 102\n\n",
)
_EXTENSIONS = (b"", b"", b"", b";a=b", b" ; c", b"  ", b",", b";" + b"x" * 500)
_TRAILERS = (b"", b"", b"", b"X-A: b\r\n", b"garbage\r\n", b"X-A: b\r\n c\r\n")
_STRAYS = (
    b"",
    b"",
    b"",
    b"",
    b"\r\n",
    b"\0",
    b"HTTP/1.1 100 C\r\n\r\n",
    b"HTTP/1.1 408 T\r\nConnection: close\r\n\r\n",
)
_HUGE = (
    b"HTTP/1.1 200 OK\r\nX-A: %b\r\n\r\n" % (b"s" * 70_000), b"HTTP/1.1 200 OK\r\n%b\r\n" % (b"X-A: b\r\n" * 600),
    b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000, b"HTTP/1.1 100 C\r\n\r\n" * 6_000,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 60_000,
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(5_000_000), mtime=0),
)  # fmt: skip


@dataclass(frozen=True)
class Generated:
    """What a vendor writes for one request; every body in it holds ``token``."""

    token: bytes
    pieces: tuple[bytes, ...]
    stray: bytes
    """What it writes when the reply has been read."""
    closes: bool

    @property
    def raw(self) -> bytes:
        """Return what is written, in one."""
        return b"".join(self.pieces)


def generate(dice: random.Random, number: int) -> Generated:
    """Make what is written for the request of a number."""
    token = b"%016x" % (number * _SPREAD % 2**64)
    raw = dice.choice(_HUGE) if dice.random() < 0.002 else _reply(dice, token)
    if dice.random() < 0.3:
        raw = _spoiled(dice, raw)
    if dice.random() < 0.15:
        raw += _reply(dice, token)
    stray = dice.choice(_STRAYS)
    if dice.random() < 0.2:
        stray += _reply(dice, token)
    return Generated(token, _pieces(dice, raw), stray, dice.random() < 0.2)


def _reply(dice: random.Random, token: bytes) -> bytes:
    body = dice.choice((
        b'{"success": true, "error": "%b"}', b'{"success": false, "error": "%b"}', b"%b", b'["%b"', b"\xff%b\0",
        b'"{\\"success\\": true, \\"error\\": \\"%b\\"}"', b'\xef\xbb\xbf{"status": "Success", "message": "a\nb %b"}',
    )) % token  # fmt: skip
    lines = [dice.choice(_STATUS_LINES) if dice.random() < 0.3 else b"HTTP/1.1 200 OK"]
    lines += dice.sample(_HEADERS, k=dice.choice((0, 0, 0, 1, 3)))
    match dice.randrange(10):
        case 0:
            lines.append(b"Content-Encoding: gzip")
            body = gzip.compress(body, mtime=0)
        case 1:
            lines.append(b"content-encoding: deflate")
            body = zlib.compress(body)
        case _:
            pass
    match dice.randrange(10):
        case 0 | 1 | 2:
            lines.append(b"Transfer-Encoding: chunked")
            body = _chunks(dice, body)
        case 3:
            pass
        case 4:
            lines += [b"Content-Length: %d" % (len(body) + dice.choice((-3, -1, 1, 9, 999)))]
        case 5:
            lines += [b"Content-Length: %d" % len(body)] * 2
        case _:
            lines.append(b"Content-Length: %d" % len(body))
    end = dice.choice((b"\r\n", b"\r\n", b"\r\n", b"\n"))
    return dice.choice(_BEFORE) + end.join([*lines, b"", body])


def _chunks(dice: random.Random, body: bytes) -> bytes:
    size = dice.choice((1, 3, 1000))
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = [b"%x%b\r\n%b\r\n" % (len(piece), dice.choice(_EXTENSIONS), piece) for piece in pieces]
    return b"".join(chunks) + b"0\r\n" + dice.choice(_TRAILERS) + b"\r\n"


def _spoiled(dice: random.Random, raw: bytes) -> bytes:
    spoiled = bytearray(raw)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(spoiled) + 1)
        match dice.randrange(4):
            case 0:
                spoiled[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                del spoiled[at : at + dice.randint(1, 20)]
            case 2:
                spoiled[at:at] = dice.choice((b"\r\n", b"\n\n", b" ", b":", b"0", b"\0", b"\r\n\r\n", b"HTTP/1.1 "))
            case _:
                del spoiled[at:]
    return bytes(spoiled)


def _pieces(dice: random.Random, raw: bytes) -> tuple[bytes, ...]:
    if dice.random() < 0.6 or len(raw) < 2:
        return (raw,)
    cuts = sorted(dice.sample(range(1, len(raw)), k=min(dice.randint(1, 4), len(raw) - 1)))
    return tuple(raw[one:other] for one, other in zip([0, *cuts], [*cuts, None], strict=True))
