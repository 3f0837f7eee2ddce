"""Odd status lines and headers."""

from tests.worker.http.reply_rows import (  # fmt: skip
    BROKEN,
    CHUNKED,
    CHUNKS,
    DELIVERED,
    KEPT,
    LENGTH,
    NEW,
    OK,
    REFUSED,
    TIMED_OUT,
    UNREADABLE,
    YES,
    Row,
    reply,
    sized,
)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
A_LONG_ROW = 6000

STATUS_LINES = [
    Row("an ordinary reply", sized(b"Server: nginx", b"Content-Type: application/json"), DELIVERED, KEPT),
    Row("byte by byte", tuple(bytes([byte]) for byte in sized()), DELIVERED, KEPT),
    Row("no reason phrase", sized(status=b"HTTP/1.1 200"), DELIVERED, KEPT),
    Row("no reason phrase but its blank", sized(status=b"HTTP/1.1 200 "), DELIVERED, KEPT),
    Row("a reason phrase in Latin-1", sized(status=b"HTTP/1.1 200 \xc9t\xe9"), DELIVERED, KEPT),
    Row("the reason at once", sized(status=b"HTTP/1.1 200OK"), DELIVERED, KEPT),
    Row("two blanks", sized(status=b"HTTP/1.1  200 OK"), DELIVERED, KEPT),
    Row("small letters", sized(status=b"http/1.1 200 ok"), DELIVERED, KEPT),
    Row("HTTP/1.0", sized(status=b"HTTP/1.0 200 OK"), DELIVERED, NEW),
    Row("HTTP/2 over HTTP/1.1", sized(status=b"HTTP/2 200 OK"), DELIVERED, NEW),
    Row("HTTP/1.2", sized(status=b"HTTP/1.2 200 OK"), BROKEN, NEW),
    Row("HTTP/0.9", YES, BROKEN, NEW, closes=True),
    Row("ICY", sized(status=b"ICY 200 OK"), BROKEN, NEW),
    Row("a tab for the blank", sized(status=b"HTTP/1.1\t200 OK"), BROKEN, NEW),
    Row("a status of two digits", sized(status=b"HTTP/1.1 20 OK"), BROKEN, NEW),
    Row("a status of four digits", sized(status=b"HTTP/1.1 2000 OK"), BROKEN, NEW),
    Row("status 000", sized(status=b"HTTP/1.1 000 ?"), BROKEN, NEW),
    Row("status 999 with words", sized(status=b"HTTP/1.1 999 ?"), DELIVERED, KEPT),
    Row("status 999 without words", sized(status=b"HTTP/1.1 999 ?", body=b"no"), "retry unavailable", KEPT),
    Row("status 404 without words", sized(status=b"HTTP/1.1 404 N", body=b"<h1>404</h1>"), "retry unavailable", KEPT),
    Row("a blank line first", b"\r\n" + sized(), BROKEN, NEW),
    Row("a byte order mark first", b"\xef\xbb\xbf" + sized(), BROKEN, NEW),
    Row("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", BROKEN, NEW, closes=True),
    Row("nothing", b"", BROKEN, NEW, closes=True),
    Row("nothing, and open", b"", TIMED_OUT, NEW, timeout_s=0.4),
    Row(
        "a status line and the end", b"HTTP/1.1 400 Bad Request\r\n", BROKEN, NEW, closes=True, curl=REFUSED,
        why="a head that breaks off may have said more, and a 400 would be final",
    ),
    Row("half a head, and open", b"HTTP/1.1 200 OK\r\nX-A: b\r\n", TIMED_OUT, NEW, timeout_s=0.4),
]  # fmt: skip

HEADERS = [
    Row("line feeds alone", reply(LENGTH, end=b"\n"), DELIVERED, KEPT),
    Row("line ends of both kinds", b"HTTP/1.1 200 OK\n%b\r\n\n%b" % (LENGTH, YES), DELIVERED, KEPT),
    Row("carriage returns alone", reply(LENGTH, end=b"\r"), BROKEN, NEW, closes=True),
    Row("a value over two lines", sized(b"X-A: b", b"\tc", b" d"), DELIVERED, KEPT),
    Row(
        "a length over two lines", reply(b"Content-Length:", b" %d" % len(YES)), DELIVERED, KEPT, curl=BROKEN,
        why="RFC 9112, 5.2: such a line goes on with the value; curl 7.88 judges each line alone",
    ),
    Row("a second line without a first", sized(b" c"), BROKEN, NEW),
    Row("a line without a colon", sized(b"garbage"), BROKEN, NEW),
    Row("a header without a name", sized(b": b"), DELIVERED, KEPT),
    Row("a blank in a name", sized(b"X A: b"), DELIVERED, KEPT),
    Row("a blank before the colon of a length", reply(b"Content-Length : 3"), DELIVERED, NEW, closes=True),
    Row("a zero byte", sized(b"X-A: b\0c"), BROKEN, NEW),
    Row("a carriage return in a value", sized(b"X-A: b\rc"), DELIVERED, KEPT),
    Row("control characters", sized(b"X-A: \x01\x7f\x1b"), DELIVERED, KEPT),
    Row("bytes that are no UTF-8", sized(b"X-A: \xe9\xff", b"X\xe9: a"), DELIVERED, KEPT),
    Row("names in small letters", reply(LENGTH.lower()), DELIVERED, KEPT),
    Row("no blank behind the colon", reply(LENGTH.replace(b" ", b"")), DELIVERED, KEPT),
    Row("a header of 9,000 bytes", sized(b"Content-Security-Policy: " + b"s" * 9000), DELIVERED, KEPT),
    Row("a header of 64 KB", sized(b"X-A: " + b"s" * (65536 - len(LENGTH) - 9)), DELIVERED, KEPT),
    Row(
        "a header of more than 64 KB", sized(b"X-A: " + b"s" * (65536 - len(LENGTH) - 8)), BROKEN, NEW,
        curl=DELIVERED, why="the limit is 64 KB; curl 7.88 has one of 100 KB a line and 300 KB together",
    ),
    Row("an endless header", b"HTTP/1.1 200 OK\r\nX-A: " + b"s" * 1_000_000, BROKEN, NEW),
    Row("an endless status line", b"HTTP/1.1 200 " + b"s" * 1_000_000, BROKEN, NEW),
    Row("200 headers", sized(*[b"X-A: b"] * 200), DELIVERED, KEPT),
    Row("500 headers", sized(*[b"X-A: b"] * 499), DELIVERED, KEPT),
    Row("500 headers of 64 KB", sized(*[b"X-A: " + b"s" * 120] * 499), DELIVERED, KEPT),
    Row(
        "501 headers", sized(*[b"X-A: b"] * 500), BROKEN, NEW,
        curl=DELIVERED, why="the limit is 500; curl has none for their number",
    ),
    Row("the connection is to be closed", sized(b"Connection: close"), DELIVERED, NEW),
    Row("the same, among other words", sized(b"Connection: Keep-Alive, Close"), DELIVERED, NEW),
    Row("the same, in a second header", sized(b"Connection: keep-alive", b"connection: close"), DELIVERED, NEW),
]  # fmt: skip

INFORMATIONAL = [
    Row("100 before the reply", CONTINUE + sized(), DELIVERED, KEPT),
    Row("100 a moment before", (CONTINUE, sized()), DELIVERED, KEPT),
    Row("102 and 103", b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: </a>\r\n\r\n" + sized(), DELIVERED, KEPT),
    Row("103 with a length", b"HTTP/1.1 103 E\r\nContent-Length: 3\r\n\r\n" + sized(), DELIVERED, KEPT),
    Row("103 that wants to close", b"HTTP/1.1 103 E\r\nConnection: close\r\n\r\n" + sized(), DELIVERED, KEPT),
    Row("100 a hundred times", CONTINUE * 100 + sized(), DELIVERED, KEPT),
    Row(
        "100 without end", CONTINUE * A_LONG_ROW + sized(), BROKEN, NEW,
        curl=DELIVERED, why="they count as headers, so that there is an end",
    ),
    Row("100 without end, and closed", CONTINUE * 40_000, BROKEN, NEW, closes=True),
    Row("100 and no more", CONTINUE, TIMED_OUT, NEW, timeout_s=0.4),
    Row("100 and the end", CONTINUE, BROKEN, NEW, closes=True),
    Row(
        "101", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n" + sized(), BROKEN, NEW, closes=True,
        curl=REFUSED, why="another protocol was not asked for; what curl hands on is no answer to the delivery",
    ),
]  # fmt: skip

LENGTHS = [
    Row("the same length twice", reply(LENGTH, LENGTH), DELIVERED, KEPT),
    Row("the same length in three forms", reply(LENGTH, b"content-length:017", LENGTH), DELIVERED, KEPT),
    Row("the same length as a list", reply(b"Content-Length: 17, 17"), DELIVERED, KEPT),
    Row(
        "two lengths that differ, the longer one first", reply(LENGTH, b"Content-Length: 3"), BROKEN, NEW,
        curl=UNREADABLE, why="curl 7.88 takes the last; RFC 9110, 8.6: the reply is to be refused",
    ),
    Row(
        "two lengths that differ, the longer one last", reply(b"Content-Length: 3", LENGTH), BROKEN, NEW,
        curl=DELIVERED, why="the same",
    ),
    Row(
        "two lengths that differ, as a list", reply(b"Content-Length: 17, 3"), BROKEN, NEW,
        curl=DELIVERED, why="the same; of a list curl takes the first",
    ),
    Row("a length with a plus", reply(b"Content-Length: +17"), DELIVERED, KEPT),
    Row("a length with zeros", reply(b"Content-Length: 0000000000000000000000017"), DELIVERED, KEPT),
    Row("a length and more", reply(b"Content-Length: 17 bytes"), DELIVERED, KEPT),
    Row("a length below zero", reply(b"Content-Length: -1"), BROKEN, NEW),
    Row("a length in words", reply(b"Content-Length: abc"), BROKEN, NEW),
    Row("an empty length", reply(b"Content-Length:"), BROKEN, NEW),
    Row("a length beyond measure", reply(b"Content-Length: " + b"9" * 30), DELIVERED, NEW, closes=True),
    Row("a length and chunks", reply(b"Content-Length: 3", CHUNKED, body=CHUNKS), DELIVERED, KEPT),
    Row(
        "a wrong length and chunks", reply(CHUNKED, b"Content-Length: x", body=CHUNKS), DELIVERED, KEPT,
        curl=BROKEN, why="RFC 9112, 6.3: chunks count and the length does not; curl judges each line alone",
    ),
    Row("no length", reply(), DELIVERED, NEW, closes=True),
    Row("no length with HTTP/1.0", reply(status=b"HTTP/1.0 200 OK"), DELIVERED, NEW, closes=True),
    Row("no length, and open", reply(), TIMED_OUT, NEW, timeout_s=0.4),
    Row("no length and no body", OK + b"\r\n\r\n", UNREADABLE, NEW, closes=True),
]  # fmt: skip
