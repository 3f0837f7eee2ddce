"""``switchboard up`` where it cannot start: one plain sentence each, and nothing is started."""

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.cli.main import main
from deploy.local.redis_server import HOW_TO_INSTALL
from deploy.local.up import Interrupted

OURS = ("REDIS_URL", "SWITCHBOARD_CONFIG", "DELACON_TOKEN", "SPOOL_PATH", "PORT", "HOST", "REDIS_SERVER_BIN")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder, with nothing of ours in the environment and the signals as they were afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield tmp_path
    for number, handler in kept.items():
        signal.signal(number, handler)


def up(*options: str, **environ: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["up", "--port", "0", *options], env=environ)


@pytest.mark.parametrize(
    ("status", "said", "environ"),
    [
        (1, "REDIS_SERVER_BIN names /nowhere", {"REDIS_SERVER_BIN": "/nowhere"}),
        (1, "the Redis that REDIS_URL names does not answer", {"REDIS_URL": "redis://:secret@127.0.0.1:1/0"}),
        (1, "nothing can listen on 192.0.2.1:", {"HOST": "192.0.2.1", "PORT": "8080"}),
        (2, "environment: REDIS_URL must begin with", {"REDIS_URL": "secret"}),
        (2, "receiver.tokens", {"DELACON_TOKEN": "short"}),
    ],
)
def test_what_is_missing_or_wrong_is_one_plain_sentence(
    folder: Path, *, redis_binary: Path, status: int, said: str, environ: dict[str, str]
) -> None:
    """With status 1, or 2 for what is configured wrong; a secret is not in it; nothing of a stack is left."""
    options = ["--port", "8080"] if "HOST" in environ else []
    result = up(*options, **({"REDIS_SERVER_BIN": str(redis_binary)} | environ))

    assert status == result.exit_code
    assert 1 == len(result.stderr.splitlines()), result.stderr
    assert said in result.stderr
    assert "secret" not in result.output
    assert not (folder / "var/up/env").exists()


def test_a_configuration_that_is_not_there_is_named(folder: Path) -> None:
    """Status 2, and the data of last time are not touched."""
    (folder / "var/up").mkdir(parents=True)
    (folder / "var/up/data").write_text("")
    result = up("--config", "absent.toml")

    assert 2 == result.exit_code
    assert ["absent.toml: cannot be read: No such file or directory"] == result.stderr.splitlines()
    assert (folder / "var/up/data").exists()


def test_a_taken_port_is_named_with_the_way_out(folder: Path) -> None:
    """Before anything is started or cleared."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = up("--port", str(port))

    assert 1 == result.exit_code
    assert [f"port {port} is taken, another program listens on 127.0.0.1:{port}: choose another one with --port"] == (
        result.stderr.splitlines()
    )


def test_kept_data_that_the_server_cannot_read_are_left_alone(folder: Path, redis_binary: Path) -> None:
    """One sentence names the server that wrote them, and nothing is started or removed."""
    (folder / "var/up/redis").mkdir(parents=True)
    (folder / "var/up/redis/version").write_text("valkey 99.1.0\n")
    result = up("--keep", REDIS_SERVER_BIN=str(redis_binary))

    assert 1 == result.exit_code
    assert 1 == len(result.stderr.splitlines()), result.stderr
    assert "what is kept was written by valkey 99.1.0" in result.stderr
    assert ["version"] == [path.name for path in (folder / "var/up/redis").iterdir()]


def test_whoever_asks_for_json_gets_one_value(folder: Path) -> None:
    """Also when nothing could be started; the sentence for people is on standard error."""
    result = up("--once", "--json", REDIS_SERVER_BIN="/nowhere")

    assert 1 == result.exit_code
    assert not json.loads(result.stdout)["landed"]
    assert json.loads(result.stdout)["error"] in result.stderr


class Shown:
    """A board as the run left it."""

    def __init__(self, *, landed: bool) -> None:
        self.landed = landed

    def as_json(self) -> dict[str, object]:
        """Return what the command prints."""
        return {"landed": self.landed, "counts": {}, "calls": [{"call_id": "SB-1001"}]}


@pytest.mark.parametrize(("landed", "status"), [(True, 0), (False, 1)])
def test_the_status_says_whether_all_landed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, landed: bool, status: int
) -> None:
    """With ``--once``, and the board as JSON where it is asked for."""
    monkeypatch.setattr("deploy.cli.up._run", lambda *_: Shown(landed=landed))
    plain, said = up("--once"), up("--once", "--json")

    assert [status] * 2 == [plain.exit_code, said.exit_code]
    assert ("", Shown(landed=landed).as_json()) == (plain.stdout, json.loads(said.stdout))


def test_an_interrupted_once_has_not_landed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1; without ``--once`` Ctrl-C is how it ends."""

    def interrupted(*_: object) -> None:
        raise Interrupted

    monkeypatch.setattr("deploy.cli.up._run", interrupted)

    assert [1, 0] == [up("--once").exit_code, up().exit_code]
    assert "interrupted" == json.loads(up("--once", "--json").stdout)["error"]


def test_json_is_for_once_alone(folder: Path) -> None:
    """What stays up has no one result: wrong use."""
    assert 2 == up("--json").exit_code
    assert [] == list(folder.iterdir())


def test_a_machine_without_redis_is_told_how_to_get_one() -> None:
    """In one sentence."""
    assert "apt install redis-server" in HOW_TO_INSTALL
    assert "\n" not in HOW_TO_INSTALL
