"""Every command either only looks, or stands in the audit with the name that is told here."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module

import click
import pytest

from deploy.cli.main import main

LOOKS = {
    "check", "schema", "doctor", "preview", "calls list", "calls show", "calls tail", "deliveries list", "dead list",
    "dead show", "quarantine list", "quarantine show", "spool status", "destinations list", "suppress list",
    "alerts list", "ledger info", "report", "export calls", "export deliveries", "audit list", "numbers list",
    "kapture search", "kapture select",
}  # fmt: skip
NOT_HERE = {
    "up": "starts the processes of this machine",
    "send": "posts to a receiver as Delacon does: what comes of it is a call, by its sender's token",
    "console password": "prints what an operator then writes into the configuration",
    "numbers search": "asks Callcap and changes nothing there; the request itself is kept",
}
"""Commands that change nothing in the ledger or at a vendor, though they do more than look."""
CHANGES = {
    "import": "import", "calls reroute": "calls.reroute", "deliveries cancel": "deliveries.cancel",
    "deliveries redeliver": "deliveries.redeliver", "deliveries retry": "deliveries.retry", "dead drop": "dead.drop",
    "dead replay": "dead.replay", "quarantine retry": "quarantine.retry", "spool drain": "spool.drain",
    "destinations pause": "destinations.pause", "destinations resume": "destinations.resume",
    "destinations test": "destinations.test", "suppress add": "suppress.add", "suppress remove": "suppress.remove",
    "suppress import": "suppress.import", "delacon audit": "delacon.fix", "alerts test": "alerts.test",
    "ledger backup": "ledger.backup", "ledger check": "ledger.check", "ledger migrate": "ledger.migrate",
    "ledger restore": "ledger.restore", "numbers provision": "numbers.{}", "numbers update": "numbers.{}",
    "erase": "erase", "kapture add-contact": "kapture.add-contact", "kapture reconcile": "kapture.reconcile",
    "kapture update": "kapture.update",
}  # fmt: skip


def commands(group: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Return every command with its name."""
    if not isinstance(group, click.Group):
        yield " ".join(path), group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        if (found := group.get_command(context, name)) is not None:
            yield from commands(found, *path, name)


COMMANDS = dict(commands(main))


def put_on_record(command: click.Command) -> set[str]:
    """Return the names of the actions that a command's module begins: ``does("...")`` and ``put_on_record("...")``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(import_module(command.callback.__module__)))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in {"does", "put_on_record", "test_one"}:
            found.add(re.sub(r"\{[^}]*\}", "{}", ast.unparse(node.args[0])).strip("f'\""))
    return found


def test_every_command_is_told_here():
    """A new one is either one that looks, or stands in the audit."""
    assert set(COMMANDS) - LOOKS - NOT_HERE.keys() - CHANGES.keys() == set()
    assert (LOOKS | NOT_HERE.keys() | CHANGES.keys()) - set(COMMANDS) <= {"suppress import"}


@pytest.mark.parametrize("name", sorted(set(CHANGES) & set(COMMANDS)))
def test_a_command_that_changes_something_stands_in_the_audit(name: str):
    """Under its own name, and ``--as`` says who acts."""
    assert CHANGES[name] in put_on_record(COMMANDS[name])
    assert any("--as" in parameter.opts for parameter in COMMANDS[name].params)


@pytest.mark.parametrize("name", sorted(LOOKS & set(COMMANDS)))
def test_a_command_that_looks_acts_for_nobody(name: str):
    """So that nobody believes that it changes something."""
    assert all("--as" not in parameter.opts for parameter in COMMANDS[name].params)
