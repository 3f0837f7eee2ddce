"""The textbook's receiver: aiohttp, and three ``.delay()`` a call; prints its port."""

import asyncio

from aiohttp import web

from tests.bench.textbook.app import to_captorra, to_comunik8, to_kapture


async def take(request: web.Request) -> web.Response:
    """Hand the call to three tasks and answer."""
    call = await request.json()
    for task in (to_captorra, to_comunik8, to_kapture):
        task.delay(call)
    return web.json_response({"PLA_Call_Id": call["PLA_Call_Id"], "success": "true", "error": ""})


async def serve() -> None:
    """Serve until killed."""
    app = web.Application()
    app.router.add_post("/services/calldata", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
