"""Odd replies: what a vendor sends, what it comes to, and on which connection the next delivery goes out."""

from dataclasses import dataclass

YES = b'{"success": true}'
NO = b'{"success": false, "error": "Invalid Date"}'
OWN = b'{"success": false, "error": "Invalid ANI"}'
"""The answer to whatever is asked next; no other answer may be taken for it."""

DELIVERED = "delivered"
BROKEN = "retry reset"
TIMED_OUT = "retry timeout"
UNREADABLE = "retry unreadable"
REFUSED = "dead rejected"
KEPT = "kept"
NEW = "new"

OK = b"HTTP/1.1 200 OK"
LENGTH = b"Content-Length: %d" % len(YES)
CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"11\r\n%b\r\n0\r\n\r\n" % YES


@dataclass(frozen=True)
class Row:
    """One odd reply to a delivery to Captorra."""

    name: str
    sent: bytes | tuple[bytes, ...]
    """What the vendor writes, in pieces a moment apart."""
    outcome: str
    next_on: str
    """Whether the next delivery goes out on the same connection."""
    closes: bool = False
    """The vendor closes the connection behind it."""
    stray: bytes = b""
    """What the vendor writes once the reply was taken."""
    timeout_s: float = 5.0
    curl: str = ""
    """The outcome when curl's reading is judged, where it is another."""
    why: str = ""
    """Why ours is not curl's."""

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """What the vendor writes."""
        return self.sent if isinstance(self.sent, tuple) else (self.sent,)


def reply(*headers: bytes, status: bytes = OK, body: bytes = YES, end: bytes = b"\r\n") -> bytes:
    """Write a reply with the headers given and no other."""
    return end.join([status, *headers, b"", body])


def sized(*headers: bytes, status: bytes = OK, body: bytes = YES) -> bytes:
    """Write a reply with a Content-Length."""
    return reply(*headers, b"Content-Length: %d" % len(body), status=status, body=body)


def chunked(body: bytes, *headers: bytes) -> bytes:
    """Write a reply whose chunks are given as they stand."""
    return reply(CHUNKED, *headers, body=body)
