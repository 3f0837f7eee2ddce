"""``switchboard console password``: makes the hash that stands in the configuration for a user of the web console."""

import json
import sys
from getpass import getpass

import click

from deploy.cli.output import Failed, emit, json_option, say
from deploy.console.access import hash_password
from worker.config.console import USER_NAME

LEAST = 10  # characters


@click.group
def console() -> None:
    """Make a password for the web console, which `python -m deploy.console` starts."""


@console.command
@click.argument("name", required=False)
@click.option("--role", type=click.Choice(["operator", "viewer"]), default="operator", show_default=True)
@json_option
def password(*, name: str | None, role: str, as_json: bool) -> None:
    """Ask for a password and print what belongs into switchboard.toml; with NAME the whole table.

    The password itself is kept nowhere. Where standard input is no terminal, its first line is the password.
    """
    if name is not None and not USER_NAME.fullmatch(name):
        raise click.BadParameter("must be 1 to 100 of letters, digits and . _ @ -", param_hint="NAME")
    text = _asked()
    if len(text) < LEAST:
        raise Failed(f"A password has at least {LEAST} characters.")
    hashed = hash_password(text)
    if as_json:
        emit({"name": name, "role": role, "password": hashed})
    elif name is None:
        click.echo(f'password = "{hashed}"')
    else:
        table = name if name.isascii() and name.replace("-", "").replace("_", "").isalnum() else json.dumps(name)
        click.echo(f'[console.users.{table}]\npassword = "{hashed}"\nrole = "{role}"')
    say("Put this into switchboard.toml and start the console again.")


def _asked() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass("Password: ")
    if getpass("Once more: ") != first:
        raise Failed("The two are not the same.")
    return first
