"""The local stack's folder and ports: one stack at a time, and plain words for what is taken."""

import socket
import stat
import subprocess
from pathlib import Path

import pytest

from deploy.local.environment import asked_port, spare_port, usual_port
from deploy.local.folder import Folder
from deploy.local.processes import StackFault
from deploy.local.redis_server import ServerVersion


def test_one_stack_at_a_time(tmp_path: Path) -> None:
    """A second one is told which process holds the folder; afterwards it is free."""
    said = r"runs in this folder already, as process \d+: stop that one first"
    with Folder(tmp_path / "var").held(), pytest.raises(StackFault, match=said), Folder(tmp_path / "var").held():
        pass

    with Folder(tmp_path / "var").held():
        assert (tmp_path / "var/log").is_dir()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """Such as one that is a file."""
    (tmp_path / "var").write_text("")
    with pytest.raises(StackFault, match="cannot be written"), Folder(tmp_path / "var").held():
        pass


def test_only_the_stacks_own_data_are_cleared(tmp_path: Path) -> None:
    """The spool of a receiver that was started otherwise is not ours."""
    folder = Folder(tmp_path / "var")
    (folder.data / "redis").mkdir(parents=True)
    (tmp_path / "var/spool.db").write_text("acknowledged events")
    folder.clear()

    assert not folder.data.exists()
    assert (tmp_path / "var/spool.db").exists()


def test_the_server_that_wrote_the_data_is_known(tmp_path: Path) -> None:
    """Until the data are cleared; what cannot be read is as if nothing had been noted."""
    folder = Folder(tmp_path / "var")
    (folder.data / "redis").mkdir(parents=True)
    assert folder.kept_version() is None

    folder.note_version(ServerVersion("valkey", (9, 1, 2)))
    assert ServerVersion("valkey", (9, 1, 2)) == folder.kept_version()

    (folder.data / "redis/version").write_text("?")
    assert folder.kept_version() is None


def test_another_terminal_gets_the_variables(tmp_path: Path) -> None:
    """Whatever is in them, for nobody else's eyes, and only while the stack runs."""
    folder = Folder(tmp_path / "var")
    value = 'it\'s "quoted" $HOME `x`'
    with folder.environment_shown({"REDIS_URL": value}):
        command = ["sh", "-c", f'. {folder.environment}; printf %s "$REDIS_URL"']
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder.data, folder.environment)]

    assert value == shown
    assert [0o700, 0o600] == modes
    assert not folder.environment.exists()


def test_a_taken_port_is_said(free_port: int) -> None:
    """With the port and what to do."""
    with socket.create_server(("127.0.0.1", free_port)):
        with pytest.raises(StackFault) as fault:
            asked_port("127.0.0.1", free_port, instead="choose another one with --port")
        other = usual_port(free_port)

    assert (
        f"port {free_port} is taken, another program listens on 127.0.0.1:{free_port}: choose another one with --port"
        == str(fault.value)
    )
    assert free_port != other


def test_port_0_is_a_free_one(free_port: int) -> None:
    """And a free port that was asked for is that one."""
    assert free_port == asked_port("127.0.0.1", free_port, instead="") == usual_port(free_port)
    assert asked_port("127.0.0.1", 0, instead="") > 0


def test_a_spare_port_is_none_of_outgoing_connections() -> None:
    """Linux gives those 32768 and above: one of them might take it before its process listens."""
    assert {spare_port() < 32_768 for _ in range(20)} == {True}


def test_an_address_of_another_machine_is_said() -> None:
    """HOST may name anything."""
    with pytest.raises(StackFault, match=r"nothing can listen on 192\.0\.2\.1:8080"):
        asked_port("192.0.2.1", 8080, instead="")
