"""The options of ``switchboard numbers``: every parameter that Callcap's document names, and no other."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from deploy.cli.output import Misconfigured

Command = TypeVar("Command", bound=Callable[..., Any])

SEARCH: Mapping[str, str] = {
    "areaCode": "Area code, such as 316.",
    "exchange": "The three digits behind the area code, such as 555.",
    "line": "The last four digits, such as 1234.",
    "showPublicPool": "Numbers available to all customers.",
    "showReservedPool": "Numbers reserved for your account; needs --location-id or --account.",
    "showTollfree": "Toll-free numbers.",
    "showLocal": "Numbers that are not toll-free.",
    "country": "US or CA.",
    "state": "State, such as KS.",
    "city": "City, such as Wichita.",
    "rateCenter": 'Rate centre, such as "WICHITA DOWNTOWN".',
    "zipcode": "ZIP code, such as 67202.",
    "vanityText": "Text whose keypad digits the number holds; * and # stand for any digit: ###cake.",
    "fullNumber": "One number, such as 3165551234.",
}
ACCOUNT: Mapping[str, str] = {
    "locationID": "Location id, such as 3. It or --account.",
    "account": "Location account key, such as L-3. It or --location-id.",
}
EXACT: Mapping[str, str] = {"phoneNumber": "The number to provision, such as 3165551234."}
CAMPAIGN: Mapping[str, str] = {
    "destination": "The number that it rings to.",
    "campaignName": "Name of its campaign; Callcap's default is the number.",
    "notes": "Notes of the campaign.",
    "memo1": "The Delacon service that it serves.",
    "memo2": "Whatever else you want to find again.",
    "recording": "Record its calls.",
    "mediaTypeID": "Media type, a number.",
    "brand": "Brand.",
    "service": "Ad service line.",
    "target": "Ad target.",
    "offer": "Ad offer or coupon.",
}
PROVISION_EVALUATION: Mapping[str, str] = {"evaluation": "Evaluate calls in Callsurance: off or realtime."}
UPDATE_EVALUATION: Mapping[str, str] = {"evaluation": "Evaluate calls in Callsurance: off, realtime or delayed."}
STOP: Mapping[str, str] = {"stopDate": "The day on which it stops taking calls: today or later, such as 2099-01-01."}

_FLAGS = frozenset({"showPublicPool", "showReservedPool", "showTollfree", "showLocal", "recording"})


def parameters(*tables: Mapping[str, str]) -> Callable[[Command], Command]:
    """Add an option for each parameter of these tables to a command; it gets them by the wire's names."""

    def add(command: Command) -> Command:
        for name, text in reversed([pair for table in tables for pair in table.items()]):
            flag = option_of(name)
            declared = f"{flag}/--no-{flag[2:]}" if name in _FLAGS else flag
            command = click.option(declared, name, default=None, help=text)(command)
        return command

    return add


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what was given on the command line."""
    return {name: value for name, value in values.items() if value is not None}


def option_of(name: str) -> str:
    """Return the option of a parameter: ``--area-code`` of ``areaCode``."""
    return "--" + re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def faults_of(messages: Mapping[str, Iterable[Any]]) -> Misconfigured:
    """Return marshmallow's messages as wrong use, each fault with its option."""
    faults = []
    for name, texts in messages.items():
        place = {"_schema": "", "number": "NUMBER: "}.get(name, f"{option_of(name)} ({name}): ")
        faults += [f"{place}{text}" for text in texts]
    return Misconfigured(faults)
