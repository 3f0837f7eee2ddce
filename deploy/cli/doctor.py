"""``switchboard doctor``: looks whether everything that should run does."""

import asyncio

import click

from deploy.cli.console import Failed, Misconfigured, emit, json_option, say, shown
from deploy.cli.findings import Findings, look_at_flower, look_at_redis, look_at_spool
from deploy.cli.session import read_environment, read_settings
from schemas.zones import zones


@click.command
@json_option
def doctor(*, as_json: bool) -> None:
    """Look whether everything that should run does.

    The configuration, Redis and what it keeps when killed, workers, the age of the oldest due work, the spool, and
    whether Flower asks for a password. Status 1 when something is wrong, 2 when the configuration is.
    """
    found = Findings()
    faults, names = _look_at_configuration(found)
    try:
        environment = read_environment()
    except Misconfigured as error:
        faults += [fault for fault in error.faults if fault not in faults]
    else:
        asyncio.run(look_at_redis(found, environment.redis_url, names))
        look_at_spool(found, environment.spool_path)
    found.values["flower"] = look_at_flower(found)
    if as_json:
        emit({"ok": not (faults or found.wrong), **found.values, "problems": [*faults, *found.wrong],
              "warnings": found.warnings})  # fmt: skip
    else:
        for name, value in found.values.items():
            if value is not None:
                click.echo(shown(f"{name}: {_in_words(value)}"))
        for warning in found.warnings:
            say(f"warning: {warning}")
    if faults:
        raise Misconfigured([*faults, *found.wrong])
    if found.wrong:
        raise Failed("\n".join(found.wrong))


def _in_words(value: object) -> str:
    """Give what was found as text; of several parts, those that there are."""
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{name} {part}" for name, part in value.items() if part is not None)


def _look_at_configuration(found: Findings) -> tuple[list[str], list[str]]:
    """Give the faults, and the names of the destinations."""
    try:
        _, settings = read_settings()
    except Misconfigured as error:
        found.values["configuration"] = "faulty"
        return list(error.faults), []
    found.values["configuration"] = "ok"
    found.values["time_zones"] = zones().shape()
    return [], list(settings.destinations)
