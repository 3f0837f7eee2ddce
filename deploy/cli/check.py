"""``switchboard check``: says what is wrong with the environment and the configuration, and nothing more."""

import click

from deploy.cli.output import Misconfigured, counted, emit, json_option, say
from deploy.cli.startup import read_settings
from schemas.destination import Destination
from schemas.zones import zones
from tasks.vendors.registry import VENDORS, list_ages
from worker.config.lint import warnings


@click.command
@click.option(
    "--for", "role", type=click.Choice(["receiver", "worker"]),
    help="Check what a process of this role needs: it may lack the secrets of the other.",
)  # fmt: skip
@json_option
def check(*, role: str | None, as_json: bool) -> None:
    """Check the environment and the configuration: every fault at once.

    Each fault of the file has its place there; with one the status is 2. Warnings leave the status at 0.
    """
    try:
        environment, settings = read_settings(redis_required=True, role=role)
    except Misconfigured as error:
        if as_json:
            emit({"ok": False, "faults": error.faults, "warnings": []})
        raise
    found = warnings(settings, calls_back=_calls_back, withdraws=_withdraws, list_ages=list_ages(settings.destinations))
    if as_json:
        emit({"ok": True, "faults": [], "warnings": found, "time_zones": zones().shape()})
        return
    for warning in found:
        say(f"warning: {warning}")
    for name in list_ages(settings.destinations):
        say(f"destinations.{name}: it needs a do-not-call list; `switchboard doctor` says whether one is loaded")
    click.echo(f"time zones: {zones().words()}")
    destinations, routes = counted(len(settings.destinations), "destination"), counted(len(settings.routes), "route")
    click.echo(f"{environment.config}: ok ({destinations}, {routes})")


def _withdraws(destination: Destination) -> bool:
    """Return whether a call of one service may withdraw a call of another at a destination."""
    vendor = VENDORS[destination.vendor]
    return vendor.withdraw_within_s(destination) is not None and vendor.withdraw_scope(destination) != "service"


def _calls_back(destination: Destination) -> bool:
    """Return whether the callers whom a destination is sent are called back, answered or not."""
    vendor = VENDORS[destination.vendor]
    return vendor.suppressible and vendor.withdraw_within_s(destination) is None
