"""Dead letters as messages of the broker, for other tools: read here with kombu alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from kombu import Connection
from redis import Redis

from tests.acceptance.looks import command
from tests.acceptance.stack import CONFIG, end_of, start_of

REFUSAL = {"status": 400, "body": '{"success": false, "error": "Invalid ANI: +61491570156"}'}


def messages(redis_url: str, queue: str) -> Iterator[dict[str, Any]]:
    """Take what is on a queue, as any consumer would."""
    with Connection(redis_url) as connection, connection.SimpleQueue(queue) as waiting:
        while True:
            try:
                message = waiting.get(timeout=2)
            except waiting.Empty:
                return
            message.ack()
            yield message.payload


def die(stack):
    """Let a call be refused at Captorra, and another one come without its start."""
    stack.lay_fault({"vendor": "captorra"} | REFUSAL)
    stack.start()
    stack.post("create", start_of("refused"))
    stack.post("update", end_of("refused"))
    stack.post("update", end_of("startless"))
    stack.wait_for(lambda: "delivery.dead_lettered" in stack.log("worker0"), 20, "the dead letter")
    stack.wait_for(lambda: "call.no_start" in stack.log("worker0"), 20, "the call without a start")


def test_dead_letters_can_be_consumed_with_kombu(make_stack, redis_url):
    """One message a dead letter on ``VENDOR.dead``, ``calls.dead`` for calls: key, reason and time, and no more."""
    stack = make_stack(start_wait="1s")
    die(stack)

    [refused] = messages(redis_url, "captorra.dead")
    [startless] = messages(redis_url, "calls.dead")

    assert ("refused:law:create", "rejected") == (refused["key"], refused["reason"])
    assert ("startless:calls:start", "no_start") == (startless["key"], startless["reason"])
    for message in (refused, startless):
        assert ["key", "reason", "time"] == list(message)
        age = datetime.now(UTC) - datetime.fromisoformat(message["time"])
        assert timedelta(0) <= age < timedelta(minutes=1)
        assert message["reason"] == command(stack, "dead", "show", message["key"])[1]["reason"]


def test_publish_false_publishes_nothing(make_stack, redis_url):
    """The dead letters are in the ledger all the same."""
    stack = make_stack(start_wait="1s", config=CONFIG + "\n[dead_letters]\npublish = false\n")
    die(stack)
    _, letters = command(stack, "dead", "list")
    stack.stop()  # what a thread might still have sent is sent now

    assert {"refused:law:create", "startless:calls:start"} == {letter["key"] for letter in letters}
    with Redis.from_url(redis_url) as redis:
        assert [] == redis.keys("*.dead")
