"""What workers cost Redis while there is nothing to do: commands a second, those inside scripts counted too."""

import time

import pytest
import redis

from tests.acceptance.stack import CONFIG

WORKERS = 4
LOOKED_AT_S = 10.0
DESTINATION = """
[destinations.law-{number}]
vendor = "captorra"
url = "{url}/captorra/{number}"
captorra_id = "111111"
timezone = "Australia/Sydney"
"""


def commands(client: redis.Redis) -> int:
    """Count what Redis has done so far; commands of scripts are counted as they are run."""
    return sum(int(one["calls"]) for one in client.info("commandstats").values())


@pytest.mark.load
@pytest.mark.parametrize(("destinations", "most"), [(10, 40), (1000, 400)])
def test_idle_workers_leave_redis_alone(make_stack, destinations: int, most: int):
    """Four of them: at most 40 commands a second with ten destinations, 400 with a thousand."""
    tables = "".join(DESTINATION.format(number=number, url="{url}") for number in range(destinations))
    route = ", ".join(f'"law-{number}"' for number in range(destinations))
    head = CONFIG[: CONFIG.index("[destinations.")]
    stack = make_stack(config=f"{head}{tables}\n[[routes]]\nto = [{route}]\n")
    stack.start(workers=WORKERS, receiver=False)
    with redis.Redis.from_url(stack.environ["REDIS_URL"]) as client:
        names = [f"worker{number}" for number in range(WORKERS)]
        stack.wait_for(lambda: all(" ready." in stack.log(name) for name in names), 60, "every worker to consume")
        client.config_resetstat()
        began, before = time.monotonic(), commands(client)
        stack.wait_for(lambda: time.monotonic() - began > LOOKED_AT_S, LOOKED_AT_S + 5, "the time to look at")
        a_second = (commands(client) - before) / (time.monotonic() - began)
        stats = {name: one["calls"] for name, one in client.info("commandstats").items()}
    print(f"\n{destinations} destinations: {a_second:.1f} commands a second: {stats}")

    assert a_second <= most
