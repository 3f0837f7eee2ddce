"""Odd bodies, and bytes that nobody asked for."""

import gzip
import zlib

from tests.worker.http.reply_rows import (  # fmt: skip
    BROKEN,
    CHUNKED,
    CHUNKS,
    DELIVERED,
    KEPT,
    LENGTH,
    NEW,
    NO,
    REFUSED,
    TIMED_OUT,
    UNREADABLE,
    YES,
    Row,
    chunked,
    reply,
    sized,
)

_RAW = zlib.compressobj(wbits=-15)
RAW_DEFLATE = _RAW.compress(YES) + _RAW.flush()

CHUNKED_BODIES = [
    Row("chunks", chunked(CHUNKS), DELIVERED, KEPT),
    Row("chunks byte by byte", tuple(bytes([byte]) for byte in chunked(CHUNKS)), DELIVERED, KEPT),
    Row("chunks of a byte", chunked(b"".join(b"1\r\n%c\r\n" % byte for byte in YES) + b"0\r\n\r\n"), DELIVERED, KEPT),
    Row("chunks with HTTP/1.0", reply(CHUNKED, status=b"HTTP/1.0 200 OK", body=CHUNKS), DELIVERED, NEW),
    Row("chunks told twice", reply(CHUNKED, CHUNKED, body=CHUNKS), DELIVERED, KEPT),
    Row("chunks and identity", reply(b"Transfer-Encoding: identity, Chunked", body=CHUNKS), DELIVERED, KEPT),
    Row(
        "identity with a length", reply(b"Transfer-Encoding: identity", LENGTH), DELIVERED, KEPT, timeout_s=2,
        curl=TIMED_OUT, why="identity is no coding and the length holds; curl 7.88 waits for the end",
    ),
    Row(
        "an empty coding", reply(b"Transfer-Encoding:", LENGTH), DELIVERED, KEPT, timeout_s=2,
        curl=TIMED_OUT, why="the same",
    ),
    Row("an unknown coding", reply(b"Transfer-Encoding: foo", LENGTH), BROKEN, NEW),
    Row("chunks that are not the last coding", reply(b"Transfer-Encoding: chunked, foo", body=CHUNKS), BROKEN, NEW),
    Row("chunks told and none sent", chunked(YES), BROKEN, NEW, closes=True),
    Row("an extension", chunked(CHUNKS.replace(b"11\r", b'11;a="b;c";d\r')), DELIVERED, KEPT),
    Row("an extension without its mark", chunked(CHUNKS.replace(b"11\r", b"11 , what?\r")), DELIVERED, KEPT),
    Row("an extension of 60 KB", chunked(CHUNKS.replace(b"11\r", b"11;" + b"x" * 60_000 + b"\r")), DELIVERED, KEPT),
    Row(
        "an extension of 70 KB", chunked(CHUNKS.replace(b"11\r", b"11;" + b"x" * 70_000 + b"\r")), BROKEN, NEW,
        curl=DELIVERED, why="no line is read beyond 64 KB; curl passes over extensions without a limit",
    ),
    Row("blanks behind a size", chunked(CHUNKS.replace(b"11\r", b"11   \r")), DELIVERED, KEPT),
    Row("zeros before a size", chunked(b"00000000000000" + CHUNKS), DELIVERED, KEPT),
    Row("a size of 17 digits", chunked(b"000000000000000" + CHUNKS), BROKEN, NEW),
    Row("a blank before a size", chunked(b" " + CHUNKS), BROKEN, NEW),
    Row("a size with 0x", chunked(b"0x" + CHUNKS), BROKEN, NEW),
    Row("a size below zero", chunked(b"-" + CHUNKS), BROKEN, NEW),
    Row("a size in words", chunked(b"ZZ\r\ngarbage\r\n"), BROKEN, NEW),
    Row("a size beyond measure", chunked(b"7FFFFFFFFFFFFFFF\r\n" + YES), BROKEN, NEW, closes=True),
    Row("line feeds alone between chunks", chunked(CHUNKS.replace(b"\r", b"")), DELIVERED, KEPT),
    Row("no line end behind a chunk", chunked(b"11\r\n" + YES + b"0\r\n\r\n"), BROKEN, NEW),
    Row("two line ends behind a chunk", chunked(b"11\r\n" + YES + b"\r\n\r\n0\r\n\r\n"), BROKEN, NEW),
    Row("no last chunk", chunked(b"11\r\n" + YES + b"\r\n"), BROKEN, NEW, closes=True),
    Row("no last line", chunked(b"11\r\n" + YES + b"\r\n0\r\n"), BROKEN, NEW, closes=True),
    Row("no last line, and open", chunked(b"11\r\n" + YES + b"\r\n0\r\n"), TIMED_OUT, NEW, timeout_s=0.4),
    Row("trailers", chunked(CHUNKS.replace(b"0\r\n", b"0\r\nX-A: b\r\nX-C: d\r\n")), DELIVERED, KEPT),
    Row("a folded trailer", chunked(CHUNKS.replace(b"0\r\n", b"0\r\nX-A: b\r\n c\r\n")), DELIVERED, KEPT),
    Row("499 headers and trailers", chunked(CHUNKS.replace(b"0\r\n", b"0\r\n" + b"X-A: b\r\n" * 499)), DELIVERED, KEPT),
    Row("a trailer without a colon", chunked(CHUNKS.replace(b"0\r\n", b"0\r\ngarbage\r\n")), BROKEN, NEW),
    Row("trailers without end", chunked(CHUNKS.replace(b"0\r\n", b"0\r\n" + b"X-A: b\r\n" * 600)), BROKEN, NEW,
        curl=DELIVERED, why="they count as headers",
    ),
]  # fmt: skip

ENDS = [
    Row("a body that ends early", reply(b"Content-Length: 100"), BROKEN, NEW, closes=True),
    Row("a body that stays away", reply(b"Content-Length: 100"), TIMED_OUT, NEW, timeout_s=0.4),
    Row("a body in pieces", (sized()[:-9], sized()[-9:-3], sized()[-3:]), DELIVERED, KEPT),
    Row("204 without a length", b"HTTP/1.1 204 N\r\n\r\n", UNREADABLE, KEPT),
    Row("204 with a length and no body", b"HTTP/1.1 204 N\r\n" + LENGTH + b"\r\n\r\n", UNREADABLE, KEPT),
    Row("204 with a body", sized(status=b"HTTP/1.1 204 N"), UNREADABLE, NEW),
    Row("304 with a length", b"HTTP/1.1 304 N\r\n" + LENGTH + b"\r\n\r\n", "held redirected", KEPT),
    Row("205 with a body", sized(status=b"HTTP/1.1 205 R"), DELIVERED, KEPT),
    Row("a refusal in words with status 200", sized(body=NO), REFUSED, KEPT),
    Row("a yes with status 500", sized(status=b"HTTP/1.1 500 E"), DELIVERED, KEPT),
    Row("a raw line break in a string", sized(body=b'{"success": true, "note": "a\n\tb"}'), DELIVERED, KEPT),
    Row("a byte order mark", sized(body=b"\xef\xbb\xbf" + YES), DELIVERED, KEPT),
    Row("JSON in a JSON string", sized(body=rb'"{\"success\": true}"'), DELIVERED, KEPT),
    Row(
        "a body of 300 KB", sized(body=YES + b" " * 300_000), DELIVERED, NEW,
    ),
    Row("a body of 256 KB", sized(body=YES + b" " * (262_144 - 17)), DELIVERED, KEPT),
    Row("300 KB of chunks", chunked(b"4a000\r\n%b\r\n0\r\n\r\n" % YES.ljust(0x4A000)), DELIVERED, NEW),
]  # fmt: skip

CODINGS = [
    Row("gzip", sized(b"Content-Encoding: gzip", body=gzip.compress(YES)), DELIVERED, KEPT),
    Row("x-gzip in capitals", sized(b"Content-Encoding: X-GZIP", body=gzip.compress(YES)), DELIVERED, KEPT),
    Row("deflate", sized(b"Content-Encoding: deflate", body=zlib.compress(YES)), DELIVERED, KEPT),
    Row("deflate without its head", sized(b"Content-Encoding: deflate", body=RAW_DEFLATE), DELIVERED, KEPT),
    Row(
        "gzip twice", sized(b"Content-Encoding: gzip, gzip", body=gzip.compress(gzip.compress(YES))), DELIVERED, KEPT,
    ),
    Row("identity", sized(b"Content-Encoding: identity"), DELIVERED, KEPT),
    Row(
        "gzip told and none sent", sized(b"Content-Encoding: gzip"), DELIVERED, KEPT, curl=BROKEN,
        why="curl that is asked to decompress gives up; without that it hands on what came, and so do we",
    ),
    Row(
        "gzip that breaks off", sized(b"Content-Encoding: gzip", body=gzip.compress(YES)[:-12]), UNREADABLE, KEPT,
    ),
    Row(
        "an unknown coding of the content", sized(b"Content-Encoding: foo"), DELIVERED, KEPT, curl=BROKEN,
        why="the same",
    ),
    Row("gzip in chunks", reply(b"Transfer-Encoding: gzip, chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (
        len(gzip.compress(YES, mtime=0)), gzip.compress(YES, mtime=0))), DELIVERED, KEPT),
]  # fmt: skip

STRAY = [
    Row("a body longer than its length", sized() + b"\r\n", DELIVERED, NEW),
    Row("a second reply at once", sized() + sized(), DELIVERED, NEW),
    Row("a second reply at once, behind a refusal", sized(body=NO) + sized(), REFUSED, NEW),
    Row("a second reply behind chunks", chunked(CHUNKS) + sized(), DELIVERED, NEW),
    Row("a second reply behind a 204", b"HTTP/1.1 204 N\r\n\r\n" + sized(), UNREADABLE, NEW),
    Row("a second reply a moment later", sized(), DELIVERED, NEW, stray=sized()),
    Row("half a second reply later", sized(), DELIVERED, NEW, stray=b"HTTP/1.1 200 OK\r\n"),
    Row("an informational reply later", sized(), DELIVERED, NEW, stray=b"HTTP/1.1 100 Continue\r\n\r\n"),
    Row("a line end later", sized(), DELIVERED, NEW, stray=b"\r\n"),
    Row("a byte later", sized(), DELIVERED, NEW, stray=b"\0"),
    Row("a proxy's farewell later", sized(), DELIVERED, NEW, stray=sized(status=b"HTTP/1.1 408 T", body=b"")),
    Row("closed behind the reply", sized(), DELIVERED, NEW, closes=True),
    Row("a megabyte of replies later", sized(), DELIVERED, NEW, stray=sized() * 15_000),
]  # fmt: skip
