"""An HTTP reply, read from bytes as they come: as leniently as curl reads one, and bounded in everything.

Over 200 lines, because the head decides how the body is read, and both share one budget.
"""

import re
import zlib
from collections.abc import Callable

MAX_REPLY_BYTES = 256 * 1024
"""The most of a reply that is read, after decompression (contract, section 4)."""

MAX_HEADER_BYTES = 64 * 1024
"""Of all header lines of a reply together, those of informational replies and trailers too (contract, section 6)."""

MAX_HEADERS = 500
"""The most header lines of a reply."""

MAX_FRAMING_BYTES = 2 * 1024 * 1024
"""Of the lines between chunks; the longest body in chunks of one byte each has 1.5 MB of them."""

# llhttp would be a parser that others keep, but at its most lenient it refuses what curl reads: the same Content-Length
# twice, two blanks, "HTTP/2" or "200OK" in the status line, a header without a name.
_STATUS_LINE = re.compile(rb"[Hh][Tt][Tt][Pp]/(1\.[01]|2(?:\.0)?) +([1-9]\d\d)(?!\d)")
_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"[ \t]*\+?(\d+)")
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,16}(?![0-9a-fA-F])")
_TRAILER = re.compile(rb"[ \t]|[^:]*:")  # the value of one may go on in the next line, as in a head
_READ_HEADERS = frozenset(
    {b"connection", b"content-encoding", b"content-length", b"location", b"retry-after", b"transfer-encoding"}
)
"""The headers that anybody here reads; a vendor's proxies send twenty others."""
_LENGTH_DIGITS = 18
_INFORMATIONAL = range(100, 200)
_INFORMATIONAL_COST = 16
"""Counted for the status line of an informational reply, so that an endless row of them ends."""
_SWITCHING_PROTOCOLS = 101
_BODILESS = frozenset({204, 304})
_GZIP = (zlib.MAX_WBITS | 16,)
_WINDOWS = {b"gzip": _GZIP, b"x-gzip": _GZIP, b"deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS)}


class BrokenReply(Exception):
    """Raised when what came is no HTTP reply, ends early, or is larger than what is read."""


class HttpReply:
    """One reply; feed it bytes until it is whole."""

    __slots__ = (
        "_after_chunk", "_body", "_buffer", "_framing_left", "_header_bytes_left", "_headers", "_headers_left",
        "_in_trailers", "_missing", "_stage", "excess", "keeps_connection", "status",
    )  # fmt: skip

    def __init__(self) -> None:
        self.status = 0
        self.excess = False
        """Bytes came after the end of the reply."""
        self.keeps_connection = False
        """The connection may carry another request, as far as the whole reply says."""
        self._headers: dict[bytes, list[bytes]] = {}
        self._stage: _Stage = HttpReply._read_head  # no bound method: no cycle keeps a body until it is collected
        self._buffer = bytearray()
        self._body = bytearray()
        self._missing = 0
        self._after_chunk = False
        self._in_trailers = False
        self._header_bytes_left = MAX_HEADER_BYTES
        self._headers_left = MAX_HEADERS
        self._framing_left = MAX_FRAMING_BYTES

    @property
    def begun(self) -> bool:
        """Return whether anything of it came."""
        return bool(self._buffer) or self.status > 0

    def feed(self, data: bytes) -> bool:
        """Read what came; return whether the reply is whole, or as much of it as is read. Raises ``BrokenReply``."""
        return self._stage(self, data)

    def feed_end(self) -> None:
        """End the reply, for nothing more comes; raises ``BrokenReply`` where something is missing."""
        if self._stage is not HttpReply._read_to_end:
            raise BrokenReply

    def header(self, name: bytes) -> str | None:
        """Return a header's first value, as text that can be written anywhere, whatever its bytes."""
        values = self._headers.get(name)
        return values[0].decode("utf-8", "replace") if values else None

    def body(self) -> bytes:
        """Return the body, decompressed, up to the limit; what is not what its coding says stays as it came."""
        body = bytes(self._body[:MAX_REPLY_BYTES])
        for coding in reversed(self._words(b"content-encoding") + self._words(b"transfer-encoding")):
            body = _inflated(body, coding)
        return body

    def _read_head(self, data: bytes) -> bool:
        buffer = self._buffer
        searched = max(len(buffer) - 2, 0)
        buffer += data
        while end := _HEAD_END.search(buffer, searched):
            searched = 0
            head = bytes(buffer[: end.start() + 1])
            self._header_bytes_left -= len(head) - head.index(b"\n") - 1
            if self._header_bytes_left < 0:
                break
            del buffer[: end.end()]
            version = self._read_lines(head[:-1])
            if self.status not in _INFORMATIONAL:
                self._stage = self._stage_of_body(version)
                rest = bytes(buffer)
                buffer.clear()
                return self._stage(self, rest)
            if self.status == _SWITCHING_PROTOCOLS:  # which nobody asked for
                raise BrokenReply
            self._headers.clear()
            self._header_bytes_left -= _INFORMATIONAL_COST
        if len(buffer) - (buffer.find(b"\n") + 1) > self._header_bytes_left + len(b"\r\n"):
            raise BrokenReply
        return False

    def _read_lines(self, head: bytes) -> bytes:
        """Read the status line and the headers; return the version."""
        status_line, *lines = head.split(b"\n")
        found = _STATUS_LINE.match(status_line)
        self._headers_left -= len(lines)
        if found is None or self._headers_left < 0 or b"\0" in head:
            raise BrokenReply
        self.status = int(found[2])
        name: bytes | None = None
        for line in lines:
            if name is not None and line.startswith((b" ", b"\t")):  # the value goes on (RFC 9112, 5.2)
                if name in _READ_HEADERS:
                    values = self._headers[name]
                    values[-1] = (values[-1] + b" " + line.strip()).strip()
                continue
            key, colon, value = line.partition(b":")
            if not colon:
                raise BrokenReply
            name = key.lower()
            if name in _READ_HEADERS:
                self._headers.setdefault(name, []).append(value.strip())
        return found[1]

    def _stage_of_body(self, version: bytes) -> "_Stage":
        """Return what reads the body."""
        self.keeps_connection = version == b"1.1" and b"close" not in self._words(b"connection")
        if self.status in _BODILESS:
            return HttpReply._read_sized
        codings = [word for word in self._words(b"transfer-encoding") if word != b"identity"]
        if b"chunked" in codings:
            if codings[-1] != b"chunked":
                raise BrokenReply
            return HttpReply._read_chunks
        if not codings and (length := self._length()) is not None:
            self._missing = length
            self.keeps_connection = self.keeps_connection and length <= MAX_REPLY_BYTES
            return HttpReply._read_sized
        if not _WINDOWS.keys() >= set(codings):
            raise BrokenReply
        self.keeps_connection = False
        return HttpReply._read_to_end

    def _length(self) -> int | None:
        """Return the Content-Length; ``None`` without one, or with one beyond all measure, as curl has it.

        What stands behind the digits is passed over, as by curl.
        """
        values = self._headers.get(b"content-length")
        if values is None:
            return None
        if len(values) == 1 and values[0].isdigit() and len(values[0]) <= _LENGTH_DIGITS:
            return int(values[0])
        lengths = set()
        for item in b",".join(values).split(b","):
            found = _LENGTH.match(item)
            if found is None:
                raise BrokenReply
            lengths.add(found[1].lstrip(b"0"))
        digits = lengths.pop()
        if lengths:  # two that differ: curl takes the last, but the other may be right and the rest no reply
            raise BrokenReply
        return int(digits or b"0") if len(digits) <= _LENGTH_DIGITS else None

    def _read_sized(self, data: bytes) -> bool:
        piece = data[: self._missing]
        self._body += piece
        self._missing -= len(piece)
        self.excess = len(data) > len(piece)
        return self._missing == 0 or self._is_full()

    def _read_to_end(self, data: bytes) -> bool:
        self._body += data
        return self._is_full()

    def _read_chunks(self, data: bytes) -> bool:
        buffer = self._buffer
        buffer += data
        at = 0
        whole = False
        while not whole:
            if self._missing:
                piece = buffer[at : at + self._missing]
                self._body += piece
                at += len(piece)
                self._missing -= len(piece)
                self._after_chunk = True
                if self._is_full():
                    return True
            line_end = buffer.find(b"\n", at)
            if self._missing or line_end < 0:
                break
            whole = self._read_chunk_line(bytes(buffer[at:line_end]).rstrip(b"\r"))
            at = line_end + 1
        del buffer[:at]
        if len(buffer) > MAX_HEADER_BYTES:
            raise BrokenReply
        self.excess = whole and bool(buffer)
        return whole

    def _read_chunk_line(self, line: bytes) -> bool:
        """Read a line between chunks; return whether it was the last one of all."""
        self._framing_left -= len(line) + 2
        if self._framing_left < 0 or len(line) > MAX_HEADER_BYTES:
            raise BrokenReply
        if self._in_trailers:
            self._headers_left -= 1
            self._header_bytes_left -= len(line)
            if line and (min(self._headers_left, self._header_bytes_left) < 0 or not _TRAILER.match(line)):
                raise BrokenReply
            return not line
        if self._after_chunk:
            if line:
                raise BrokenReply
            self._after_chunk = False
            return False
        size = _CHUNK_SIZE.match(line)
        if size is None:
            raise BrokenReply
        self._missing = int(size[0], 16)
        self._in_trailers = self._missing == 0
        return False

    def _is_full(self) -> bool:
        """Return whether the body has reached its limit; then the connection still has more to come."""
        if len(self._body) < MAX_REPLY_BYTES:
            return False
        self.keeps_connection = False
        return True

    def _words(self, name: bytes) -> list[bytes]:
        """Return a header's comma-separated words, of all its lines."""
        values = self._headers.get(name)
        if not values:
            return []
        return [word.strip() for word in b",".join(values).lower().split(b",") if word.strip()]


_Stage = Callable[[HttpReply, bytes], bool]


def _inflated(body: bytes, coding: bytes) -> bytes:
    for window in _WINDOWS.get(coding, ()):
        inflater = zlib.decompressobj(window)
        try:
            plain = inflater.decompress(body, MAX_REPLY_BYTES)
        except zlib.error:
            continue
        if inflater.eof or len(plain) == MAX_REPLY_BYTES:
            return plain
    return body
