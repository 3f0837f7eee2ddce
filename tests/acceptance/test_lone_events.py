"""An event whose call waits for another costs no message: over real processes, and beside the version before."""

import os
from pathlib import Path

import redis

from tests.acceptance.looks import command, readyz
from tests.acceptance.stack import end_of, landed, start_of

LONE = 20


def told(stack) -> bool:
    """Say whether a worker has said how long it lets calls wait."""
    with redis.Redis.from_url(stack.environ["REDIS_URL"]) as client:
        return bool(client.exists("sb:patience"))


def messages(stack) -> int:
    """Count the messages that were sent since the last count, and begin anew."""
    with redis.Redis.from_url(stack.environ["REDIS_URL"]) as client:
        sent = client.info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"]
        client.config_resetstat()
    return int(sent)


def planned(stack, call_id: str) -> bytes | None:
    """Return of how many events a call was planned, if anybody has looked at it."""
    with redis.Redis.from_url(stack.environ["REDIS_URL"]) as client:
        found: bytes | None = client.hget(f"sb:c:{call_id}", "pn")
        return found


def posted(stack, kind: str, body: bytes) -> None:
    """Post a webhook, which must be acknowledged."""
    assert 200 == stack.post(kind, body)[0]


def test_a_start_alone_wakes_nobody_and_its_end_wakes_once(make_stack):
    """Nobody looks at twenty starts; the call that is whole costs a message, and a machine under load a few more."""
    stack = make_stack()
    stack.start()
    stack.wait_for(lambda: told(stack), 20, "the worker to sign in")
    messages(stack)
    for number in range(LONE):
        posted(stack, "create", start_of(f"lone-{number}", f"+614915701{number:02}"))
    posted(stack, "create", start_of("whole"))
    posted(stack, "update", end_of("whole"))
    stack.wait_for(lambda: landed(stack, 1), 20, "the call that is whole")
    _, call = command(stack, "calls", "show", "lone-0")

    assert messages(stack) <= LONE / 2
    assert [None] * LONE == [planned(stack, f"lone-{number}") for number in range(LONE)]
    assert ("waiting", 1, []) == (call["state"], call["revision"], call["deliveries"])
    assert [1] * LONE == [one["revision"] for one in command(stack, "calls", "list", "--state", "waiting")[1]]

    for number in range(LONE):
        posted(stack, "update", end_of(f"lone-{number}"))
    stack.wait_for(lambda: landed(stack, LONE + 1), 30, "all of them")


def test_a_newer_configuration_that_delivers_starts_is_followed_by_an_older_receiver(make_stack):
    """The receiver has the file of an hour ago, in which no start goes anywhere: the worker that plans says how."""
    stack = make_stack()
    newest = Path(stack.environ["SWITCHBOARD_CONFIG"])
    older = newest.with_name("older.toml")
    older.write_text(newest.read_text())
    newest.write_text(newest.read_text().replace("auth_key = ", 'when = "start"\nauth_key = '))
    hour_ago = newest.stat().st_mtime - 3600
    os.utime(older, (hour_ago, hour_ago))
    stack.environ["SWITCHBOARD_CONFIG"] = str(older)
    stack.start()
    stack.wait_for(lambda: told(stack), 20, "the older worker to sign in")
    stack.environ["SWITCHBOARD_CONFIG"] = str(newest)
    stack.start_worker("newer")
    stack.wait_for(lambda: readyz(stack)["workers"] == 2, 20, "two workers")
    stack.wait_for(lambda: "planning.left" in stack.log("worker0"), 20, "the older one to leave the planning")
    messages(stack)
    posted(stack, "create", start_of("early"))

    stack.wait_for(lambda: stack.requests("kapture") == 1, 10, "the start at Kapture")
    assert [1, 0, 0] == [stack.requests(vendor) for vendor in ("kapture", "captorra", "comunik8")]
    posted(stack, "update", end_of("early"))
    stack.wait_for(lambda: [2, 1, 1] == [stack.requests(one) for one in ("kapture", "captorra", "comunik8")], 20, "all")
