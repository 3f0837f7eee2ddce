"""``switchboard doctor``: whether everything that should run does."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from redis import Redis

from deploy.cli.findings import Findings, _look_at_address
from tests.acceptance.receiver_process import ReceiverProcess
from tests.cli.conftest import CONFIG
from worker.ledger.sign_ins import SignIn


@pytest.fixture
def durable(cli, make_redis_server):
    """Return a command line whose Redis fsyncs every write, and a worker that ticks."""
    cli.redis_url = cli.environ["REDIS_URL"] = make_redis_server(appendonly=True, appendfsync="always").url
    cli.environ["FLOWER_PORT"] = "9"
    cli.fill(lambda book: book.ledger.sign_in(SignIn(name="worker@test")))
    return cli


@pytest.fixture
def receiver(durable):
    """Return a maker of receivers beside the command line, which is told their ports."""
    made = []

    def make(**changes):
        config = (durable.folder / "switchboard.toml").read_text()
        receiver = ReceiverProcess(durable.folder, durable.redis_url, config=config, **changes)
        made.append(receiver)
        receiver.start()
        durable.environ["PORT"] = str(receiver.port)
        return receiver

    yield make
    for receiver in made:
        receiver.stop()


def test_all_is_well(durable, receiver):
    """Status 0 and the keys of /readyz; with --strict too."""
    receiver()
    shown = durable.json("doctor", "--strict", FLOWER_BASIC_AUTH="somebody:a-long-password")

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


def warned(shown, about):
    """Return the warnings about something."""
    return [warning for warning in shown["warnings"] if warning.startswith(f"{about}:")]


def test_a_receiver_that_does_not_answer_is_a_warning_unless_it_was_named(durable, free_port):
    """On a machine of workers alone there is none; with --strict a warning ends with 1."""
    [warning] = warned(durable.json("doctor"), "receiver")
    assert "none answers at http://127.0.0.1:9" in warning
    assert "--strict" in durable.run("doctor", "--strict", status=1).stderr

    named = durable.json("doctor", "--receiver", f"http://127.0.0.1:{free_port}", status=1)
    assert [f"none answers at http://127.0.0.1:{free_port}" in one for one in named["problems"]] == [True]


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://", "http://127.0.0.1:99999"])
def test_an_address_of_no_receiver_is_a_problem_and_no_traceback(durable, url):
    """One sentence."""
    shown = durable.json("doctor", "--receiver", url, status=1)

    assert 1 == len(shown["problems"])
    assert shown["problems"][0].startswith(f"receiver: none answers at {url}")


@pytest.mark.parametrize(
    ("environ", "state"), [({"SPOOL_PATH": ""}, "off"), ({"SPOOL_VOLATILE": "1"}, "volatile"), ({}, "ok")]
)
def test_the_spool_is_the_receivers(durable, receiver, environ, state):
    """Whatever this command's own environment says of one."""
    receiver(**environ)
    shown = durable.json("doctor")

    assert state == shown["spool"]["state"]
    assert (state != "ok") is any(f"{state} at the receiver" in one for one in warned(shown, "spool"))


def test_a_receiver_with_another_file_is_told(durable, receiver):
    """As is a worker with another one; each is named."""
    receiver()
    durable.fill(lambda book: book.ledger.sign_in(SignIn(name="other@test", config="0123456789ab", queues=())))
    durable.configure(CONFIG + "# changed\n")
    shown = durable.json("doctor")

    found = warned(shown, "configuration")
    assert any("the receiver works by another file" in one for one in found)
    assert any("worker other@test works by file 0123456789ab" in one for one in found)
    assert any("this command works by file" in one for one in found)
    assert ["other@test"] == shown["configurations"]["0123456789ab"]


def test_a_receiver_that_tells_nothing_without_a_token_is_asked_with_one(durable, receiver):
    """With an ops token of this configuration it tells; without one that it takes, a warning says so."""
    ops = CONFIG.replace("[receiver]", '[receiver]\nops_tokens = ["an-ops-token-for-tests"]')
    durable.configure(ops)
    receiver()
    assert "events" in durable.json("doctor")["spool"]
    durable.configure(CONFIG)

    assert any("it tells no more" in one for one in warned(durable.json("doctor"), "receiver"))


def test_a_queue_that_no_worker_takes_from_is_wrong(durable):
    """All workers were started for one vendor, and what is due elsewhere waits for nobody."""

    async def sign_in(book):
        await book.ledger.redis.delete("sb:workers")
        await book.ledger.sign_in(SignIn(name="law@test", queues=("calls", "captorra", "kapture")))

    durable.fill(sign_in)
    assert [True] == ["'comunik8'" in one for one in durable.json("doctor", status=1)["problems"]]
    durable.fill(lambda book: book.ledger.sign_in(SignIn(name="dialler@test", queues=("comunik8",))))
    assert [] == durable.json("doctor")["problems"]


def test_deliveries_of_a_destination_that_is_not_configured_are_told(durable):
    """Nobody takes them; the sentence says how to end them."""
    durable.fill(lambda book: book.call("a-1"))
    durable.configure(CONFIG.replace("[destinations.law]", "[destinations.new-law]").replace('"law"', '"new-law"'))

    [told] = [one for one in warned(durable.json("doctor"), "destinations") if "not in this configuration" in one]
    assert "law is not in this configuration, and 1 wait" in told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://redis.example.com:6379/0", True),
        ("rediss://user@10.0.0.1:6379", True),
        ("sentinel://127.0.0.1:26379,10.0.0.2:26379/main/0", True),
        ("redis://:a-password@10.0.0.1:6379/0", False),
        ("redis://localhost:6379/0", False),
        ("redis://[::1]:6379/0", False),
        ("unix:///run/redis.sock", False),
    ],
)
def test_a_redis_without_a_password_beyond_this_machine_is_told(url, told):
    """Whoever reaches it reads every call."""
    found = Findings()
    _look_at_address(found, url)

    assert told is bool(found.warnings)


@pytest.mark.parametrize("port", ["tcp://10.0.75.166:5555", "99999", "x"])
def test_a_port_of_flower_that_is_none_is_a_sentence(durable, port):
    """And not a traceback."""
    [problem] = durable.json("doctor", status=1, FLOWER_PORT=port)["problems"]

    assert problem.startswith("flower: FLOWER_PORT must be a port")


def test_webhooks_that_the_receiver_refused_are_told(durable, receiver):
    """The most likely slip of a set-up is a wrong token, of which nobody hears otherwise."""
    url = f"{receiver().url}/services/calldata?token=wrong-token-0123456789"
    for _ in range(3):
        with pytest.raises(HTTPError):
            urlopen(url, data=b"{}", timeout=5)

    assert any("by reason: token 3" in one for one in warned(durable.json("doctor"), "receiver"))
