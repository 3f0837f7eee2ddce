"""The command line as a whole: help, exit status, and the table of commands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deploy.cli.main import COMMANDS, main
from deploy.cli.output import counted

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = click.Context(main)


def _leaves(name, command):
    if isinstance(command, click.Group):
        for word, below in command.commands.items():
            yield from _leaves(f"{name} {word}", below)
    else:
        yield name, command


LEAVES = dict(leaf for name in COMMANDS for leaf in _leaves(name, main.get_command(CONTEXT, name)))


@pytest.mark.parametrize("name", [*COMMANDS, *LEAVES])
def test_every_command_has_help(name):
    """--help is status 0 and tells what the command does."""
    result = CliRunner().invoke(main, [*name.split(), "--help"])

    assert 0 == result.exit_code
    assert "Usage: main" in result.output
    assert len(result.output.splitlines()) > 3


@pytest.mark.parametrize("name", [name for name in LEAVES if name != "up"])
def test_every_listing_and_result_takes_json(name):
    """--json is an option of every command."""
    assert "--json" in {option for parameter in LEAVES[name].params for option in parameter.opts}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_tells_what_the_commands_tell(name):
    """The short help of the table, written by hand for speed, begins as the command's own."""
    command = main.get_command(CONTEXT, name)

    assert command
    assert COMMANDS[name][1].split()[:2] == (command.help or "").split()[:2]


def test_help_imports_nothing_heavy():
    """The help is there at once: neither Redis nor aiohttp nor rich is imported for it."""
    code = (
        "import sys; from click.testing import CliRunner; from deploy.cli.main import main;"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0;"
        "print([name for name in ('redis', 'aiohttp', 'rich', 'structlog', 'marshmallow') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "[]\n" == result.stdout


def test_an_unknown_command_is_wrong_use():
    """Status 2, with a sentence."""
    result = CliRunner().invoke(main, ["nonsense"])

    assert 2 == result.exit_code
    assert "No such command" in result.stderr


def test_without_redis_url_it_says_so(cli):
    """One plain sentence and status 2."""
    result = cli.run("calls", "list", "--json", status=2, REDIS_URL="")

    assert "" == result.stdout
    assert "environment: REDIS_URL is required\n" == result.stderr


def test_faults_of_environment_and_file_come_together(cli):
    """All faults at once, each on a line of its own."""
    cli.configure('[receiver]\ntokens = ["short"]\nnonsense = 1\n')
    result = cli.run("calls", "list", status=2, REDIS_URL="http://elsewhere")

    lines = result.stderr.splitlines()
    assert 3 == len(lines)
    assert {"REDIS_URL", "tokens", "nonsense"} == {
        word for word in ("REDIS_URL", "tokens", "nonsense") for line in lines if word in line
    }


def test_a_redis_that_is_away_is_status_1(cli, free_port):
    """It could not: one sentence, no traceback."""
    result = cli.run("calls", "list", status=1, REDIS_URL=f"redis://:secret-word@127.0.0.1:{free_port}/0")

    assert result.stderr.startswith("Redis does not answer as it should")
    assert "secret-word" not in result.output


def test_json_is_one_value_even_in_ascii_and_with_logs(cli):
    """Logs go to standard error, and the value is UTF-8 whatever the locale."""
    cli.fill(lambda book: book.call("a-1", PLA_Dealer_Name="法律事務所"))
    environ = {**os.environ, **cli.environ, "LOG_LEVEL": "debug", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    command = [sys.executable, "-m", "deploy.cli", "calls", "list", "--json"]
    result = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, check=True)

    assert "法律事務所" in result.stdout.decode()


def test_the_version_names_the_format_of_the_ledger():
    """``switchboard N.N.N`` and the format that it writes, whatever else stands in the environment."""
    result = CliRunner().invoke(main, ["--version"])

    assert 0 == result.exit_code
    assert re.fullmatch(r"switchboard \d+\.\d+\.\d+ \(ledger format \d+\)\n", result.output)


@pytest.mark.parametrize(("count", "said"), [(0, "0 bodies"), (1, "1 body"), (2, "2 bodies")])
def test_a_count_is_said_as_a_reader_counts(count, said):
    """No "1 bodies"."""
    assert said == counted(count, "body", "bodies")
