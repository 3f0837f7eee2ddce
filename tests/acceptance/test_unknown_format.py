"""A ledger that gets a format which running processes do not know, or a backup put back: they touch nothing of it."""

import asyncio
from collections.abc import Mapping

import pytest
from celery import Celery
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from schemas.delacon.events import read_event
from tests.acceptance.looks import command
from tests.acceptance.stack import Stack, end_of, landed, start_of
from worker.build import LEDGER_FORMAT
from worker.ledger.keys import CALL_KEY, SCHEMA_KEY
from worker.ledger.ledger import Ledger
from worker.ledger.records import Incoming

BEFORE_US = 1_772_452_800_000_000


def push(stack: Stack, call_id: str, caller: str) -> None:
    """Push a whole call, which must be acknowledged."""
    assert 200 == stack.post("create", start_of(call_id, caller))[0]
    assert 200 == stack.post("update", end_of(call_id))[0]


async def accept(url: str, call_id: str) -> None:
    """Put a whole call into the ledger, as a receiver of the other format does."""
    async with AsyncRedis.from_url(url, decode_responses=True) as redis:
        bodies = [start_of(call_id, "+61491570158"), end_of(call_id)]
        events = [read_event(body, path_kind="either") for body in bodies]
        await Ledger(redis).accept(
            [Incoming(call_id, BEFORE_US + place, event.record()) for place, event in enumerate(events)]
        )


@pytest.mark.parametrize(
    "fields", [{"format": str(LEDGER_FORMAT + 2)}, {"restoring": "1"}], ids=["unknown format", "restoring"]
)
def test_running_processes_leave_a_ledger_that_is_none_of_theirs_alone(
    make_stack, redis_url: str, fields: Mapping[str, str]
):
    """The receiver spools and acknowledges, the worker plans and claims nothing; afterwards all of it is delivered."""
    stack: Stack = make_stack()
    stack.start()
    push(stack, "before", "+61491570156")
    stack.wait_for(lambda: landed(stack, 1), 30, "the call before")
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        known = redis.hget(SCHEMA_KEY, "format")
        redis.hset(SCHEMA_KEY, mapping=dict(fields))
        names = ("receiver", "worker0")
        stack.wait_for(lambda: all("ledger.barred" in stack.log(name) for name in names), 20, "that both notice")
        schema = redis.hgetall(SCHEMA_KEY)
        asyncio.run(accept(redis_url, "theirs"))
        with Celery(broker=redis_url) as app:
            app.send_task("tasks.calls.dispatch", [["theirs"]], queue="calls")
        stack.wait_for(lambda: not redis.exists("calls", "unacked"), 20, "that the worker takes the message")
        push(stack, "meanwhile", "+61491570157")
        status, spool = command(stack, "spool", "status")
        assert (0, 2) == (status, spool["events"])

        assert {f"{CALL_KEY}before", f"{CALL_KEY}theirs"} == set(redis.scan_iter(f"{CALL_KEY}*"))
        assert landed(stack, 1)
        assert schema == redis.hgetall(SCHEMA_KEY)
        redis.hset(SCHEMA_KEY, "format", known)
        redis.hdel(SCHEMA_KEY, "restoring")

    stack.wait_for(lambda: landed(stack, 3), 30, "what came meanwhile")
    assert all("ledger.unbarred" in stack.log(name) for name in names)
