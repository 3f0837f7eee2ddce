"""``switchboard doctor``: looks whether everything that should run does."""

import asyncio

import click

from deploy.cli.findings import Findings, address_of, look_at_flower, look_at_receiver, look_at_redis, look_at_spool
from deploy.cli.output import Failed, Misconfigured, emit, json_option, say, shown
from deploy.cli.startup import read_environment, read_settings
from schemas.zones import zones
from tasks.vendors.registry import list_ages
from worker.config.settings import Settings


@click.command
@click.option("--receiver", metavar="URL", help="Where the receiver is; default: HOST and PORT of the environment.")
@click.option("--strict", is_flag=True, help="Status 1 for a warning too.")
@json_option
def doctor(*, receiver: str | None, strict: bool, as_json: bool) -> None:
    """Look whether everything that should run does.

    The configuration, and whether all processes have the same; Redis and what it keeps when killed; workers, queues
    and the age of the oldest due work; the receiver and its spool; whether Flower asks for a password. Status 1 when
    something is wrong, 2 when the configuration is.
    """
    found = Findings()
    faults, settings = _look_at_configuration(found)
    names = {name: one.vendor for name, one in settings.destinations.items()} if settings else {}
    config = settings.digest if settings else ""
    try:
        environment = read_environment()
    except Misconfigured as error:
        faults += [fault for fault in error.faults if fault not in faults]
    else:
        ages = list_ages(settings.destinations) if settings else {}
        asyncio.run(look_at_redis(found, environment.redis_url, names, config=config, list_ages=ages))
        look_at_spool(found, environment.spool_path)
        url = receiver or address_of(environment)
        tokens = settings.receiver.ops_tokens if settings else ()
        look_at_receiver(found, url, ops_tokens=tokens, config=config, named=receiver is not None)
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
    if strict and found.warnings:
        count = len(found.warnings)
        raise Failed(f"{count} warning{'s' if count > 1 else ''}, and --strict was given.")


def _in_words(value: object) -> str:
    """Return what was found as text; of several parts, those that there are."""
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{name} {part}" for name, part in value.items() if part is not None)


def _look_at_configuration(found: Findings) -> tuple[list[str], Settings | None]:
    """Return the faults, and the settings where there are none."""
    try:
        _, settings = read_settings()
    except Misconfigured as error:
        found.values["configuration"] = "faulty"
        return list(error.faults), None
    found.values["configuration"] = "ok"
    found.values["time_zones"] = zones().shape()
    return [], settings
