"""``switchboard schema``: the JSON Schema of the configuration file, for editors and other programs."""

import click

from deploy.cli.output import emit, json_option
from tasks.vendors.registry import VENDORS
from worker.config.json_schema import json_schema


@click.command
@json_option
def schema(*, as_json: bool) -> None:
    """Print the JSON Schema of switchboard.toml, made of the tables that check obeys.

    It knows keys, types and choices; check finds what is wrong between several keys too.
    """
    del as_json  # it is JSON anyway
    emit(json_schema(vendor.spec for vendor in VENDORS.values()))
