"""The JSON Schema of the configuration file takes what ``check`` takes, key by key and type by type."""

import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from marshmallow import ValidationError

from schemas.options import Option
from tasks.vendors.registry import VENDORS
from worker.config import alerts, console, settings, tables
from worker.config.delacon import DelaconTable
from worker.config.json_schema import json_schema

ROOT = Path(__file__).parents[3]
SPECS = [vendor.spec for vendor in VENDORS.values()]
SCHEMA = json_schema(SPECS)
VALIDATOR = Draft202012Validator(SCHEMA)
SAMPLES = {"string": "10s", "integer": 7, "boolean": True, "array": ["10s"], "object": {"a": "b"}}
OPTIONS = [
    (f"{type(table).__name__}.{name}", one)
    for table in (
        *(one() for one in vars(tables).values() if isinstance(one, type) and one.__name__.endswith("Table")),
        DelaconTable(), console.ConsoleTable(), console.UserTable(), alerts.AlertTable(),
        *(spec.options() for spec in SPECS),
    )
    for name, one in table.fields.items()
    if isinstance(one, Option)
]  # fmt: skip


def _faults(text: str) -> list[str]:
    return [error.json_path for error in VALIDATOR.iter_errors(tomllib.loads(text))]


def test_the_schema_is_one():
    """By its own dialect."""
    Draft202012Validator.check_schema(SCHEMA)


def test_it_knows_every_table_that_check_knows():
    """No more and no fewer."""
    assert set(settings._TABLES) == SCHEMA["properties"].keys()


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=[name for name, _ in OPTIONS])
def test_a_type_that_the_schema_refuses_is_refused_by_check(name, option):
    """So the schema refuses nothing that is right."""
    taken = Draft202012Validator(option.form)
    for kind, sample in SAMPLES.items():
        if not any(error.validator in {"type", "enum"} for error in taken.iter_errors(sample)):
            continue
        if kind == "string" and "enum" in option.form:
            continue
        with pytest.raises(ValidationError):
            option.deserialize(sample)


@pytest.mark.parametrize("path", sorted((ROOT / "deploy").rglob("*.toml")), ids=str)
def test_every_configuration_in_the_tree_fits(path):
    """As it stands, with its variables."""
    assert [] == _faults(path.read_text())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[receiver]\nmax_body = 'many'", "$.receiver.max_body"),
        ("[receiver]\nmax_bodies = 5", "$.receiver"),
        ("[calls]\nretention = '30 fortnights'", "$.calls.retention"),
        ("[calls]\nretention = '${RETENTION}'", ""),
        ("[[routes]]\nresults = ['busy']", "$.routes[0]"),
        ("[destinations.a]\nvendor = 'nobody'\nurl = 'https://example.com'", "$.destinations.a"),
        ("[destinations.'A B']\nvendor = 'nobody'", "$.destinations"),
        ("[[alerts]]\nwhen = ['nothing']\nto = ['https://example.com']", "$.alerts[0].when[0]"),
        ("[console.users.ann]\nrole = 'king'", "$.console.users.ann.role"),
        ("[nonsense]", "$"),
    ],
)
def test_what_is_wrong_is_found_at_its_place(text, place):
    """A type, an unknown key, a pattern, a missing key, a choice."""
    assert ([place] if place else []) == list(dict.fromkeys(_faults(text)))[:1]
