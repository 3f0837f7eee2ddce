"""``switchboard doctor``: whether everything that should run does."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from redis import Redis

from tests.cli.conftest import CONFIG


@pytest.fixture
def durable(cli, make_redis_server):
    """Give a command line whose Redis fsyncs every write, and a worker that ticks."""
    cli.redis_url = cli.environ["REDIS_URL"] = make_redis_server(appendonly=True, appendfsync="always").url
    cli.environ["FLOWER_PORT"] = "9"
    cli.fill(lambda book: book.ledger.sign_in("worker@test"))
    return cli


def test_all_is_well(durable):
    """Status 0 and the keys of /readyz."""
    shown = durable.json("doctor", FLOWER_BASIC_AUTH="somebody:a-long-password")

    assert (True, [], []) == (shown["ok"], shown["problems"], shown["warnings"])
    assert ("ok", "ok", "always", 1, 0.0, "ok") == (
        shown["configuration"], shown["redis"], shown["durability"], shown["workers"], shown["oldest_due_seconds"],
        shown["spool"]["state"],
    )  # fmt: skip
    told = durable.run("doctor").stdout
    assert "durability: always" in told
    assert "None" not in told


def test_no_worker_and_no_durability_are_wrong(cli):
    """Status 1, each with a sentence."""
    result = cli.run("doctor", status=1, FLOWER_PORT="9")

    assert "workers: none" in result.stderr
    assert "durability: none" in result.stderr
    assert 2 == len(cli.json("doctor", status=1, FLOWER_PORT="9")["problems"])


def test_due_work_that_nobody_takes_is_wrong(durable):
    """The age of the oldest due item, whatever processes live; what is held does not count."""

    async def old(book):
        await book.call("a-1")
        await book.ledger.redis.zadd("sb:due:law", {"a-1:create": await book.ledger.now_ms() - 120_000})

    durable.fill(old)

    shown = durable.json("doctor", status=1)
    assert 119 < shown["oldest_due_seconds"] < 180
    durable.run("destinations", "pause", "law")
    held = durable.json("doctor")
    assert held["oldest_due_seconds"] < 60
    assert any("law is held (paused)" in warning for warning in held["warnings"])


def test_a_redis_that_is_away_is_wrong(cli, free_port):
    """Status 1; the rest is still looked at."""
    away = {"REDIS_URL": f"redis://127.0.0.1:{free_port}/0", "FLOWER_PORT": "9"}
    shown = cli.json("doctor", status=1, **away)
    assert "None" not in cli.run("doctor", status=1, **away).stdout

    assert ("down", "unknown", None) == (shown["redis"], shown["durability"], shown["workers"])
    assert "ok" == shown["configuration"]


def test_a_faulty_configuration_is_status_2(durable):
    """Redis is looked at all the same."""
    durable.configure(CONFIG + "nonsense = 1\n")

    shown = durable.json("doctor", status=2)
    assert ("faulty", "ok", False) == (shown["configuration"], shown["redis"], shown["ok"])
    assert 2 == durable.run("doctor", status=2, REDIS_URL="").exit_code


def test_a_spool_that_cannot_be_read_is_wrong(durable):
    """And one with events in it is worth a warning."""
    (durable.folder / "spool.db").write_text("this is no database, and long enough to be told apart " * 20)

    assert "failing" == durable.json("doctor", status=1)["spool"]["state"]


@pytest.mark.parametrize(("status", "found", "exit_status"), [(401, "asks for a password", 0), (200, "open", 1)])
def test_flower_must_ask_for_a_password(durable, status, found, exit_status):
    """Whoever can open Flower on this machine without one, can look at everything."""

    class Flower(BaseHTTPRequestHandler):
        server_version = "TornadoServer/6"

        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Flower) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        shown = durable.json("doctor", status=exit_status, FLOWER_PORT=str(server.server_port))
        server.shutdown()
        thread.join()

    assert found == shown["flower"]


def test_what_a_limited_user_may_not_ask_is_told_and_redis_is_not_down(durable):
    """A user without INFO, CONFIG, CLIENT and whatever else is dangerous: all works, and so does doctor."""

    async def limit(book):
        await book.ledger.redis.execute_command(
            "ACL", "SETUSER", "limited", "on", ">pw", "~*", "&*", "+@all", "-@dangerous", "-@admin", "-info", "-config",
            "-client",
        )  # fmt: skip

    durable.fill(limit)
    url = durable.redis_url.replace("redis://", "redis://limited:pw@")
    shown = durable.json("doctor", REDIS_URL=url)

    assert (True, "ok", "unknown", 1) == (shown["ok"], shown["redis"], shown["durability"], shown["workers"])
    assert any("may not run INFO" in warning for warning in shown["warnings"])
    assert any("CONFIG GET" in warning for warning in shown["warnings"])


@pytest.mark.parametrize("user", ["default", "limited:pw"])
def test_a_replica_is_wrong_whatever_it_tells_of_itself(cli, redis_pair, user):
    """INFO says so, and a user who may not ask it finds out by a write."""
    with Redis.from_url(redis_pair.replica.url) as client:
        client.execute_command("ACL", "SETUSER", "limited", "on", ">pw", "~*", "&*", "+@all", "-@dangerous", "-info")
    url = redis_pair.replica.url
    shown = cli.json("doctor", status=1, REDIS_URL=url if user == "default" else url.replace("//", f"//{user}@"))

    assert "ok" == shown["redis"]
    assert 1 == sum("replica" in problem for problem in shown["problems"])
