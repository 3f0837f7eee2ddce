"""The floor of a call where few come: what aiohttp, redis-py and Celery take for its messages, with nothing decided.

A receiver on aiohttp's ``Application`` stores each webhook with one ``EVAL``, and a thread sends one Celery message a
call; a worker's task takes the call with one ``EVAL``, posts three bodies with aiohttp's client, and notes their end
with another. No token is checked, no number read, nothing claimed, retried, logged or counted.

``python -m tests.bench.floors.calm`` is the receiver, at ``PORT``; ``celery -A tests.bench.floors.calm worker -P
threads`` the worker. ``REDIS_URL`` and ``VENDOR_URL`` are theirs.
"""

import asyncio
import os
import threading
from queue import SimpleQueue
from typing import Any

import orjson
import redis.asyncio as redis
import uvloop
from aiohttp import ClientSession, web
from celery import Celery
from celery.signals import worker_init

VENDORS = ("captorra", "comunik8", "kapture")
SET = "return redis.call('SET', KEYS[1], ARGV[1])"

app = Celery("calm", broker=os.environ.get("REDIS_URL"))
app.conf.update(task_ignore_result=True, task_default_queue="calls", worker_hijack_root_logger=False)
loop = uvloop.new_event_loop()


async def _open() -> tuple["redis.Redis", ClientSession]:
    return redis.Redis.from_url(os.environ["REDIS_URL"]), ClientSession()


@worker_init.connect
def _start(**_: Any) -> None:
    threading.Thread(target=loop.run_forever, daemon=True).start()
    app.opened = asyncio.run_coroutine_threadsafe(_open(), loop).result()


@app.task(name="calm.deliver")
def deliver(call_id: str) -> None:
    """Take a call and post it three times."""
    asyncio.run_coroutine_threadsafe(_deliver(call_id, *app.opened), loop)


async def _deliver(call_id: str, ledger: "redis.Redis", session: ClientSession) -> None:
    await ledger.eval(SET, 1, f"call:{call_id}", "planned")

    async def post(vendor: str) -> None:
        async with session.post(f"{os.environ['VENDOR_URL']}/{vendor}", json={"ID": call_id}) as reply:
            await reply.read()

    await asyncio.gather(*map(post, VENDORS))
    await ledger.eval(SET, 1, f"call:{call_id}", "delivered")


async def serve() -> None:
    """Serve until killed."""
    ledger = redis.Redis.from_url(os.environ["REDIS_URL"])
    ended: SimpleQueue[str] = SimpleQueue()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        call_id = orjson.loads(body)["PLA_Call_Id"]
        await ledger.eval(SET, 1, f"event:{call_id}:{request.path}", body)
        if request.path.endswith("update"):
            ended.put(call_id)
        return web.json_response({"PLA_Call_Id": call_id, "success": "true", "error": ""})

    async def well(_: web.Request) -> web.Response:
        return web.Response()

    def send() -> None:
        while True:
            app.send_task("calm.deliver", args=[ended.get()], queue="calls", retry=False)

    threading.Thread(target=send, daemon=True).start()
    served = web.Application()
    served.router.add_post("/services/calldata/{kind}", take)
    served.router.add_get("/healthz", well)
    runner = web.AppRunner(served, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ["PORT"])).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as serving:
        serving.run(serve())
