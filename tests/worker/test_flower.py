"""What Flower is refused, and what it is given, before it starts."""

import pytest
from flower.utils.broker import Broker
from redis.asyncio import Redis

from worker.flower import guard_flower

ARGV = ("celery", "-A", "worker", "flower")
GIVEN = {"REDIS_URL": "redis://127.0.0.1:6379/0", "FLOWER_BASIC_AUTH": "operator:a-long-password"}


@pytest.mark.parametrize(("given", "address"), [({}, "127.0.0.1"), ({"FLOWER_ADDRESS": ""}, "127.0.0.1"),
                                                ({"FLOWER_ADDRESS": "192.0.2.1"}, "192.0.2.1")])  # fmt: skip
def test_flower_binds_loopback_unless_told_otherwise(given, address):
    """An empty address, which would be every one, counts as none; nobody may change anything."""
    environ = GIVEN | given
    guard_flower(ARGV, environ)

    assert (address, "True") == (environ["FLOWER_ADDRESS"], environ["FLOWER_READ_ONLY"])


@pytest.mark.parametrize("missing", ["REDIS_URL", "FLOWER_BASIC_AUTH"])
def test_flower_does_not_start_without(missing, capsys):
    """Status 2, and the name of the variable."""
    with pytest.raises(SystemExit, match="2"):
        guard_flower(ARGV, {**GIVEN, missing: ""})

    assert missing in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLOWER_PORT", "tcp://10.0.75.166:5555"),
        ("FLOWER_PORT", "http"),
        ("FLOWER_PORT", "65536"),
        ("FLOWER_ADDRESS", "tcp://10.0.75.166:5555"),
        ("FLOWER_ADDRESS", "127.0.0.1:5555"),
    ],
)
def test_flower_says_in_one_sentence_what_is_wrong_with_its_address(name, value, capsys):
    """Status 2; Flower itself would end with a traceback, or serve elsewhere."""
    with pytest.raises(SystemExit, match="2"):
        guard_flower(ARGV, {**GIVEN, name: value})

    said = capsys.readouterr().err.splitlines()
    assert 1 == len(said)
    assert said[0].startswith(f"environment: {name} must be")


@pytest.mark.parametrize(("given", "left"), [(" 5556 ", "5556"), ("", None), (" ", None)])
def test_flower_is_given_a_port_that_it_can_read(given, left):
    """An empty one counts as none: Flower would take it for a number."""
    environ = {**GIVEN, "FLOWER_PORT": given}
    guard_flower(ARGV, environ)

    assert left == environ.get("FLOWER_PORT")


async def test_flower_counts_the_messages_of_the_database_asked_for(make_redis_server):
    """Its own client of a socket reads database 0, and those of Sentinels the first one's."""
    server = make_redis_server(port=None, appendonly=False)
    guard_flower(ARGV, {**GIVEN, "REDIS_URL": f"{server.url}?db=3"})
    async with Redis.from_url(server.url, db=3) as redis:
        await redis.lpush("calls", "one", "two")

    broker = Broker("redis+socket:///whatever", broker_options={})
    assert [{"name": "calls", "messages": 2}] == await broker.queues(["calls"])


@pytest.mark.parametrize("option", ["health_check_interval=1", "ssl_cert_reqs=none", "db=x"])
def test_flower_does_not_start_with_a_faulty_address_of_redis(option, capsys):
    """Status 2, as with every other process."""
    with pytest.raises(SystemExit, match="2"):
        guard_flower(ARGV, {**GIVEN, "REDIS_URL": f"redis://:secretword@127.0.0.1?{option}"})

    told = capsys.readouterr().err
    assert "environment: REDIS_URL" in told
    assert "secretword" not in told


def test_workers_are_left_alone():
    """They read the environment themselves, and tell all of its faults."""
    environ: dict[str, str] = {}
    guard_flower(("celery", "-A", "worker", "worker"), environ)

    assert {} == environ


@pytest.mark.parametrize(
    ("users", "words"),
    [
        ("operator:change-this-password", "printed in the example"),
        ("operator:Change_Me-0123456789", "printed in the example"),
        ("ann:a-long-password,operator:change-this-password", "printed in the example"),
        ("operator:elevenchars", "at least 12"),
        ("ann:a-long-password,bob:short", "at least 12"),
        ("ann:a-long-password,bob", "needs a password"),
        ("operator", "needs a password"),
    ],
)
def test_flower_refuses_a_password_that_is_printed_or_short(users, words, capsys):
    """Of several users each must have one of their own; given on the command line too, and it is not shown."""
    for argv, environ in (
        (ARGV, GIVEN | {"FLOWER_BASIC_AUTH": users}),
        ((*ARGV, f"--basic-auth={users}"), GIVEN.copy()),
        ((*ARGV, f"--basic_auth={users}"), GIVEN.copy()),
    ):
        with pytest.raises(SystemExit, match="2"):
            guard_flower(argv, dict(environ))
        told = capsys.readouterr().err

        assert words in told
        assert "0123456789" not in told
