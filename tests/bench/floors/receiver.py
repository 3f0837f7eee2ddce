"""The floor of acknowledging: bare aiohttp on uvloop that parses with orjson and answers in Delacon's shape.

``python -m tests.bench.floors.receiver`` prints its port.
"""

import asyncio
import gc

import orjson
import uvloop
from aiohttp import web


async def take(request: web.Request) -> web.Response:
    """Parse and answer."""
    values = orjson.loads(await request.read())
    body = orjson.dumps({"PLA_Call_Id": values["PLA_Call_Id"], "success": "true", "error": ""})
    return web.Response(body=body, content_type="application/json")


async def serve() -> None:
    """Serve until killed."""
    app = web.Application()
    for tail in ("", "/create", "/update"):
        app.router.add_post(f"/services/calldata{tail}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    gc.freeze()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serve())
