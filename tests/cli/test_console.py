"""``switchboard console password``: what it prints is what the console takes."""

import json
import tomllib
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher

from deploy.cli import console as command
from deploy.cli.output import Failed
from tests.cli.conftest import Cli


@pytest.mark.parametrize("name", ["ann", "ann@example.com", "a.b-c_d"])
def test_prints_the_users_table(cli: Cli, name: str) -> None:
    """The table can be pasted into the configuration as it stands, and holds the password's hash alone."""
    shown = cli.run("console", "password", name, "--role", "viewer", input="a long password\n").stdout

    user = tomllib.loads(shown)["console"]["users"][name]
    assert user["role"] == "viewer"
    assert PasswordHasher().verify(user["password"], "a long password")
    assert "a long password" not in shown


def test_without_a_name_only_the_hash_is_printed(cli: Cli) -> None:
    """That is for a user who has a table already; ``--json`` gives the same."""
    assert cli.run("console", "password", input="a long password\n").stdout.startswith('password = "$argon2id$')
    shown = cli.run("console", "password", "--json", input="a long password\n").stdout
    assert set(json.loads(shown)) == {"name", "role", "password"}


def test_a_short_password_is_none(cli: Cli) -> None:
    """Nine characters are too few, and a name that cannot stand in the configuration is wrong use."""
    assert "at least 10" in cli.run("console", "password", input="123456789\n", status=1).output
    cli.run("console", "password", "ann miller", input="a long password\n", status=2)


def test_on_a_terminal_it_asks_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is not shown while it is typed; two different ones are none."""
    typed = iter(["a long password", "a long password", "a long password", "another password"])
    monkeypatch.setattr(command, "getpass", lambda _prompt: next(typed))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))

    assert "a long password" == command._asked()
    with pytest.raises(Failed, match="not the same"):
        command._asked()
