"""The HTTP client against well-behaved servers on loopback."""

import asyncio
import json

import pytest
from aiohttp import web

from tests.worker.http.loopback import SECRET, answer, app_server, post, raw_server


async def test_json_goes_out_and_the_reply_comes_back(http):
    """A request is sent as it stands, and status, headers and body come back."""
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        return web.json_response({"saved": True}, status=201, headers={"Retry-After": "7"})

    async with app_server(handler) as url:
        reply = await http.send(post(url, headers={"Authorization": "Basic abc"}), timeout_s=5)

    (method, path, headers, body) = seen[0]
    assert ("POST", f"/lead/add?key={SECRET}", b'{"a":1}') == (method, path, body)
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Basic abc"
    assert headers["User-Agent"] == "Switchboard"
    assert headers["Accept-Encoding"] == "identity"
    assert reply.status == 201
    assert reply.headers["retry-after"] == "7"
    assert json.loads(reply.body) == {"saved": True}
    assert reply.elapsed_ms >= 0


async def test_a_form_goes_out_encoded(http):
    """``form`` is sent as a form, in UTF-8."""
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.content_type, dict(await request.post())))
        return web.Response()

    async with app_server(handler) as url:
        await http.send(post(url, json=None, form={"a": "1 & 2", "b": "ü"}), timeout_s=5)

    assert seen == [("application/x-www-form-urlencoded", {"a": "1 & 2", "b": "ü"})]


async def test_a_request_without_body_has_none(http):
    """A GET carries no body and no Content-Type."""
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, await request.read(), "Content-Type" in request.headers))
        return web.Response()

    async with app_server(handler) as url:
        await http.send(post(url, method="GET", json=None), timeout_s=5)

    assert seen == [("GET", b"", False)]


async def test_a_url_reaches_the_wire_as_it_was_written(http):
    """What the vendor quoted is not quoted again or undone."""
    paths = []

    async def handler(request: web.Request) -> web.Response:
        paths.append(request.raw_path)
        return web.Response()

    async with app_server(handler) as url:
        for _ in range(2):
            await http.send(post(url, url=f"{url}/a%2Fb?key=x%2By%2fz%20&q=%C3%BC"), timeout_s=5)

    assert paths == ["/a%2Fb?key=x%2By%2fz%20&q=%C3%BC"] * 2


async def test_connections_are_used_again(http):
    """Twenty requests in turn share one connection."""
    peers = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.json_response({})

    async with app_server(handler) as url:
        for _ in range(20):
            await http.send(post(url), timeout_s=5)

    assert len(peers) == 1


async def test_requests_run_side_by_side_without_a_limit(http):
    """Three hundred requests to one host are under way together."""
    under_way = 0
    everybody = asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        nonlocal under_way
        under_way += 1
        if under_way == 300:
            everybody.set()
        await everybody.wait()
        return web.Response()

    async with app_server(handler) as url:
        replies = await asyncio.gather(*(http.send(post(url), timeout_s=30) for _ in range(300)))

    assert {200} == {reply.status for reply in replies}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(http, status):
    """A redirect is a reply like any other."""
    requests = []

    async def handler(request: web.Request) -> web.Response:
        requests.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with app_server(handler) as url:
        reply = await http.send(post(url), timeout_s=5)

    assert status == reply.status
    assert requests == ["/lead/add"]


async def test_a_header_that_is_no_utf_8_can_be_written_down(http):
    """It may become the words of a refusal, which go into the ledger."""
    moved = answer(b"HTTP/1.1 302 Found\r\nLocation: /caf\xe9\r\nContent-Length: 0\r\n\r\n")
    async with raw_server(moved) as port:
        reply = await http.send(post(f"http://127.0.0.1:{port}"), timeout_s=5)

    assert reply.headers["location"].encode().startswith(b"/caf")


async def test_cookies_are_not_kept(http):
    """What one reply sets is not sent with the next request."""
    cookies = []

    async def handler(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "session=1; Path=/"})

    async with app_server(handler) as url:
        for _ in range(2):
            await http.send(post(url), timeout_s=5)

    assert cookies == [None, None]


async def test_the_environment_sets_no_proxy(http, monkeypatch):
    """``HTTP_PROXY`` does not lead deliveries elsewhere."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    async with app_server(handler) as url:
        assert (await http.send(post(url), timeout_s=5)).status == 200


async def test_many_heads_do_not_fill_the_memory(http):
    """The cache of parsed URLs is bounded."""

    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    async with app_server(handler) as url:
        for number in range(1030):
            reply = await http.send(post(url, url=f"{url}/?q={number}"), timeout_s=5)
            assert reply.status == 200

    assert len(http._heads) <= 1024
