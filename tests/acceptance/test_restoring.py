"""A backup is put back into a Redis that was emptied while receivers and workers ran on."""

from redis import Redis

from tests.acceptance.looks import command
from tests.acceptance.stack import Stack, end_of, landed, start_of


def test_a_backup_goes_into_an_emptied_redis_beside_a_running_receiver(make_stack, redis_url: str) -> None:
    """What processes say of themselves is no ledger, so no --merge is asked for; one that took a call needs it."""
    stack: Stack = make_stack()
    stack.start()
    assert 200 == stack.post("create", start_of("a"))[0]
    assert 200 == stack.post("update", end_of("a"))[0]
    stack.wait_for(lambda: landed(stack, 1), 20, "the deliveries")
    file = str(stack.folder / "ledger.sb")
    assert 0 == command(stack, "ledger", "backup", file)[0]
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        redis.flushall()
        said = ("sb:receivers", "sb:reported", "sb:workers", "sb:signins", "sb:filled", "sb:schema")
        stack.wait_for(lambda: redis.exists(*said) == len(said), 20, "all to say who they are")
        stack.processes["worker0"].terminate()
        stack.processes.pop("worker0").wait(30)

        status, restored = command(stack, "ledger", "restore", file)
        assert (status, restored["calls"]) == (0, 1)
        assert redis.exists("sb:c:a")
        assert stack.receiver_answers()
