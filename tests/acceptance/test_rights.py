"""The smallest rights of a Redis user with which everything runs: those of docs/operate.md."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click
import pytest
from click.testing import CliRunner
from kombu import Consumer, Producer
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from deploy.cli.main import main
from tests.acceptance.looks import Flower, get, readyz
from tests.acceptance.stack import CONFIG, ROOT, TOKEN, Stack, end_of, landed, start_of
from tests.alert_sink import AlertSink
from tests.worker.test_broker import connect
from worker.broker import direct_queue
from worker.ledger.ledger import Ledger
from worker.ledger.sessions import MAX_WRONG, Sessions, StoredSession

PASSWORD = "a-password-for-tests"
CALLCAP = """
[callcap]
url = "{url}/callcap/v3"
api_key = "standin-callcap-key"
"""
MORE = """
[delacon]
report_url = "{url}/delacon/report.jsp"
auth = "standin-delacon-key"
service_ids = ["123"]

[[alerts]]
when = ["dead_letter"]
to = ["{sink}/hook"]
secret = "a-secret-for-tests"
"""
WITHOUT_REDIS = {"up", "schema", "preview", "console password"}
"""Commands that reach no Redis of ours: `up` starts one of its own."""
ran: set[tuple[str, ...]] = set()
"""The commands that ``run`` ran."""


@pytest.fixture
def sink() -> Iterator[AlertSink]:
    """Return whom alerts are told."""
    made = AlertSink()
    yield made
    made.close()


@pytest.fixture
def admin(make_redis_server) -> Iterator[Redis]:
    """Return whoever may do everything on a server where the documented user is set up."""
    server = make_redis_server()
    text = (ROOT / "docs" / "operate.md").read_text()
    [line] = re.findall(r"^ACL SETUSER switchboard .*$", text, re.MULTILINE)
    with Redis.from_url(server.url, decode_responses=True) as client:
        client.execute_command(*line.replace("PASSWORD", PASSWORD).split(" "))
        yield client


def url_of(admin: Redis) -> str:
    """Return the address by which the documented user logs in."""
    port = admin.connection_pool.connection_kwargs["port"]
    return f"redis://switchboard:{PASSWORD}@127.0.0.1:{port}/0"


def commands(group: click.Group = main, *names: str) -> Iterator[tuple[str, ...]]:
    """Return the names of all commands."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name)


def denied(admin: Redis) -> set[str]:
    """Return what the user was refused, by ACL LOG; a name for the connection is asked for and not needed."""
    log: list[dict[str, Any]] = admin.acl_log()
    return {f"{one['reason']} {one['object']}" for one in log} - {
        "command client", "command client|setinfo", "command client|setname", "command info", "command config",
        "command config|get",
    }  # fmt: skip


def test_everything_runs_with_the_documented_rights(admin: Redis, make_stack, sink: AlertSink) -> None:
    """Webhooks, deliveries, dead letters, quarantine, Flower, and every command but those of ``ledger``."""
    ran.clear()
    stack: Stack = make_stack(redis_url=url_of(admin), config=CONFIG + CALLCAP + MORE, sink=sink.url)
    flower = Flower(stack)
    stack.start()
    stack.wait_for(lambda: flower.sees("worker0"), 30, "Flower and its worker")
    stack.lay_fault({"vendor": "captorra", "status": 400, "body": '{"error": "no"}', "match": "refused"})
    stack.lay_fault({"vendor": "captorra", "status": 400, "body": '{"error": "no"}', "match": "kept"})
    for call_id, caller in (
        ("fine", "+61491570156"),
        ("refused", "+61491570157"),
        ("erased", "+61491570158"),
        ("kept", "+61491570153"),
    ):
        assert 200 == stack.post("create", start_of(call_id, caller))[0]
        assert 200 == stack.post("update", end_of(call_id))[0]
    assert 400 == stack.post("create", b"{nonsense")[0]
    stack.wait_for(lambda: len(stack.records("kapture")) == 4, 20, "four customers")
    stack.wait_for(lambda: len(run(stack, "dead", "list")) == 2, 20, "two dead letters")
    stack.lift_faults()

    assert 1 == run(stack, "dead", "replay", "refused:law:create")["replayed"]
    stack.wait_for(lambda: len(stack.records("captorra")) == 3, 20, "three of four calls at Captorra")
    _operate(stack)
    assert {"calls", "captorra", "kapture"} <= {
        queue["name"] for queue in flower.json("/api/queues/length")["active_queues"]
    }
    assert 200 == flower.get("/api/workers?refresh=1")[0]
    parts = readyz(stack)
    assert ("ok", "unknown", 1) == (parts["redis"], parts["durability"], parts["workers"])
    found = run(stack, "doctor")
    assert ("ok", [], 1) == (found["redis"], found["problems"], found["workers"])
    assert any("may not run INFO" in warning for warning in found["warnings"])
    stack.stop()
    for log in stack.folder.glob("*.log"):
        assert "NoPermission" not in log.read_text(errors="replace"), log.name
    missed = {" ".join(names) for names in commands() if names not in ran and names[0] != "ledger"}
    assert missed == WITHOUT_REDIS
    assert set() == denied(admin)


async def test_the_console_signs_people_in_with_the_documented_rights(admin: Redis) -> None:
    """A right password, wrong ones until the name has to wait, and the end of a session."""
    async with AsyncRedis.from_url(url_of(admin), decode_responses=True) as redis:
        sessions = Sessions(Ledger(redis))
        token = await sessions.begin(StoredSession("ann", "digest"), instead_of=None)
        assert await sessions.find(token) == StoredSession("ann", "digest")
        assert await sessions.shared_secret()
        for _ in range(MAX_WRONG):
            await sessions.wrong("ann")
        assert await sessions.wait_s("ann") > 0
        await sessions.right("ann")
        await sessions.end(token)
    assert set() == denied(admin)


def run(stack: Stack, *arguments: str, status: int = 0) -> Any:
    """Run a command; return its JSON value."""
    return json.loads(told(stack, *arguments, "--json", status=status))


def told(stack: Stack, *arguments: str, status: int = 0) -> str:
    """Run a command; return what it wrote."""
    ran.update(names for names in commands() if names == arguments[: len(names)])
    done = CliRunner().invoke(main, arguments, env=stack.environ)
    assert (status, arguments) == (done.exit_code, arguments), done.output
    return done.stdout


def _operate(stack: Stack) -> None:
    """Run the commands that an operator has."""
    imported = {"PLA_Call_Id": "imported", "PLA_Caller_Phone_Number": "+61491570159", "PLA_CallResult": "Answered"}
    (stack.folder / "list.csv").write_text("number\n0491570156\n")
    (stack.folder / "calls.jsonl").write_text(json.dumps(imported))
    [body] = run(stack, "quarantine", "list")
    for arguments in (
        ("check",), ("calls", "list"), ("calls", "show", "fine"), ("calls", "reroute", "fine"), ("calls", "reroute"),
        ("deliveries", "list"), ("dead", "list", "--by", "cause"), ("quarantine", "show", body["id"]),
        ("destinations", "list"), ("destinations", "pause", "law"), ("destinations", "resume", "law"),
        ("suppress", "add", "0491570159"), ("suppress", "list"), ("suppress", "remove", "0491570159"),
        ("suppress", "import", str(stack.folder / "list.csv")),
        ("spool", "status"), ("spool", "drain"), ("kapture", "reconcile", "--since", "1d", "--fix"),
        ("numbers", "list"), ("numbers", "search", "--area-code", "316"),
        ("import", str(stack.folder / "calls.jsonl")), ("erase", "--caller", "0491570158", "--yes"),
        ("send", "--count", "1", "--url", f"http://127.0.0.1:{stack.port}", "--token", TOKEN),
        ("deliveries", "retry", "--all", "--yes"), ("dead", "show", "kept:law:create"),
        ("deliveries", "cancel", "--all", "--yes"),
        ("deliveries", "redeliver", "--all", "--state", "delivered", "--yes"), ("destinations", "test", "law"),
        ("dead", "drop", "kept:law:create", "--yes"), ("delacon", "audit", "--fix"), ("alerts", "list"),
        ("alerts", "test"), ("report",), ("audit", "list"),
        ("numbers", "provision", "--account", "L-3", "--phone-number", "3165550142"),
        ("numbers", "update", "3165550142", "--memo1", "456"), ("kapture", "select"),
    ):  # fmt: skip
        run(stack, *arguments)
    for arguments in (("calls", "tail", "--once", "--since", "1h"), ("export", "calls"), ("export", "deliveries")):
        assert told(stack, *arguments)
    [customer, *_] = [str(record["id"]) for record in stack.records("kapture")]
    run(stack, "kapture", "search", customer)
    run(stack, "kapture", "update", customer, "name=Smith")
    run(stack, "kapture", "add-contact", customer, "name=Smith", "phone=0491570151", "email=a@example.com")
    run(stack, "quarantine", "retry", body["id"], status=1)
    assert 200 == get(f"http://127.0.0.1:{stack.port}/metrics?token={TOKEN}")[0]


def test_what_was_not_acknowledged_goes_back_with_the_documented_rights(admin: Redis) -> None:
    """Kombu gives a message back when its taker ends, and looks for those of takers that were killed."""
    queue = direct_queue("callcap")
    with connect(url_of(admin)) as connection, connection.channel() as channel:
        Producer(channel).publish("x", exchange="", routing_key="callcap", declare=[queue])
        consumer = Consumer(connection.default_channel, [queue], callbacks=[lambda *_: None])
        consumer.consume()
        with suppress(TimeoutError):
            connection.drain_events(timeout=1)
        assert 1 == admin.hlen("unacked")
        for _ in range(connection.default_channel.unacked_restore_throttle):
            connection.default_channel.qos.restore_visible(num=1)
        connection.default_channel.close()

    assert (0, 1) == (admin.hlen("unacked"), admin.llen("callcap"))
    assert set() == denied(admin)


def test_the_ledger_is_looked_after_with_the_rights_named_beside(admin: Redis, make_stack) -> None:
    """Check, migrate, backup and restore, with those that docs/operate.md adds for them, and no others."""
    text = (ROOT / "docs" / "operate.md").read_text()
    [more] = re.findall(r"needs more for `switchboard ledger`[^:]*: `([^`]+)`", text)
    admin.execute_command("ACL", "SETUSER", "switchboard", *more.split())
    stack: Stack = make_stack(redis_url=url_of(admin), config=CONFIG + CALLCAP)
    stack.start()
    for number in range(3):
        assert 200 == stack.post("create", start_of(f"c{number}", f"+6149157015{number}"))[0]
        assert 200 == stack.post("update", end_of(f"c{number}"))[0]
    stack.wait_for(lambda: landed(stack, 3), 20, "three records at each")
    stack.stop()
    file = str(stack.folder / "ledger.sb")

    assert (3, 0) == tuple(run(stack, "ledger", "check", "--fix")[name] for name in ("calls", "wrong"))
    ran.clear()
    assert 2 == run(stack, "ledger", "migrate", "--apply")["format"]
    assert 3 == run(stack, "ledger", "backup", file)["calls"]
    admin.flushall()
    assert 3 == run(stack, "ledger", "restore", file)["calls"]
    assert 3 == run(stack, "ledger", "info")["calls"]
    assert 0 == run(stack, "ledger", "check")["wrong"]
    assert ran == {names for names in commands() if names[0] == "ledger"}
    assert set() == denied(admin) - {"command info|memory"}
