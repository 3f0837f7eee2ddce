"""What trips the breaker to Redis."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from receiver.redis_breaker import RedisBreaker, refuses_writes


@pytest.mark.parametrize(
    "error, refuses",
    [
        (TimeoutError(), True),
        (OSError("refused"), True),
        (RedisConnectionError("gone"), True),
        (ResponseError("OOM command not allowed when used memory > 'maxmemory'."), True),
        (ResponseError("ERR Error running script: @user_script:9: -OOM command not allowed"), True),
        (ResponseError("READONLY You can't write against a read only replica."), True),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), True),
        (ResponseError("BUSY Redis is busy running a script."), True),
        (ResponseError("WRONGTYPE Operation against a key"), False),
        (ResponseError("ERR Error running script: attempt to index nil"), False),
        (ValueError("bug"), False),
    ],
)
def test_tells_a_redis_that_takes_nothing_from_an_item_that_it_cannot_take(error, refuses):
    """The first stops the draining, the second is put aside."""
    assert refuses is refuses_writes(error)


def test_nothing_resets_a_barred_breaker():
    """Redis takes writes, and they are none of this version's to make."""
    breaker = RedisBreaker()
    breaker.bar(True)
    breaker.reset()
    assert (breaker.is_closed, breaker.is_barred) == (False, True)

    breaker.bar(False)
    assert not breaker.is_closed  # until the drainer has seen that Redis takes what was spooled
    breaker.reset()
    assert breaker.is_closed
