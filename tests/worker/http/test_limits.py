"""How much of a reply the HTTP client reads."""

import asyncio
import gzip
import resource
import zlib

from aiohttp import web

from tests.worker.http.loopback import app_server, post, raw_server
from worker.http.reply import MAX_REPLY_BYTES


async def test_at_most_256_kb_of_a_reply_are_read(http):
    """A megabyte is cut, and its connection is not used again."""
    peers = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(body=b"x" * 1_000_000)

    async with app_server(handler) as url:
        replies = [await http.send(post(url), timeout_s=5) for _ in range(3)]

    assert [MAX_REPLY_BYTES] * 3 == [len(reply.body) for reply in replies]
    assert len(peers) == 3


async def test_an_endless_reply_ends_at_the_limit(http):
    """A reply without an end is read up to the limit and no further."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with raw_server(handler) as port:
        reply = await http.send(post(f"http://127.0.0.1:{port}"), timeout_s=5)

    assert len(reply.body) == MAX_REPLY_BYTES


async def test_a_compressed_bomb_is_limited_by_what_it_becomes(http):
    """A reply that unpacks to 300 MB gives 256 KB and takes no such memory."""
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(300)) + packer.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with app_server(handler) as url:
        reply = await http.send(post(url), timeout_s=20)

    assert len(reply.body) == MAX_REPLY_BYTES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000


async def test_a_small_compressed_reply_is_read(http):
    """Compression that nobody asked for is undone."""

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b'{"ok":1}'), headers={"Content-Encoding": "gzip"})

    async with app_server(handler) as url:
        assert (await http.send(post(url), timeout_s=5)).body == b'{"ok":1}'
