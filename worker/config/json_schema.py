"""The configuration file as a JSON Schema, made of the tables that ``check`` reads it by."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema
from marshmallow.fields import Nested

from schemas.destination import VendorSpec
from schemas.options import Option
from worker.config.alerts import AlertTable
from worker.config.console import ConsoleTable, UserTable
from worker.config.delacon import DelaconTable
from worker.config.tables import (
    CallcapTable,
    CallsTable,
    DeadLettersTable,
    DestinationTable,
    ImportTable,
    ReceiverTable,
    RouteTable,
    SenderTable,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TEXT = {"type": "string"}
NAME = "^[a-z0-9-]{1,40}$"


def json_schema(specs: Iterable[VendorSpec]) -> dict[str, Any]:
    """Return the schema of ``switchboard.toml``.

    It knows keys, types and choices; what ``check`` finds between several keys is not in it.
    """
    tables = {
        "receiver": _table(ReceiverTable(), senders=_list(_table(SenderTable()))),
        "calls": _table(CallsTable()),
        "destinations": {
            "type": "object",
            "propertyNames": {"pattern": NAME},
            "additionalProperties": {"oneOf": [_destination(spec) for spec in specs]},
        },
        "routes": _list(_table(RouteTable())),
        "dead_letters": _table(DeadLettersTable()),
        "callcap": _table(CallcapTable(), required=("url",), url=TEXT),
        "import": _table(ImportTable(), columns=_map()),
        "delacon": _table(DelaconTable()),
        "console": _table(ConsoleTable(), users={"type": "object", "additionalProperties": _table(UserTable())}),
        "alerts": _list(_table(AlertTable())),
    }
    return {
        "$schema": DIALECT, "title": "switchboard.toml", "type": "object", "properties": tables,
        "additionalProperties": False,
    }  # fmt: skip


def _destination(spec: VendorSpec) -> dict[str, Any]:
    own = {name: _form(one) for name, one in spec.options().fields.items()}
    required = [name for name, one in spec.options().fields.items() if one.required]
    vendor = {"const": spec.name}
    return _table(DestinationTable(), required=("url", *required), url=TEXT, fields=_map(), **own | {"vendor": vendor})


def _table(schema: Schema, *, required: Iterable[str] = (), **beside: Mapping[str, Any]) -> dict[str, Any]:
    needed = [name for name, one in schema.fields.items() if one.required]
    return {
        "type": "object",
        "properties": {name: _form(one) for name, one in schema.fields.items()} | beside,
        "required": [*needed, *required],
        "additionalProperties": False,
    }


def _form(one: Any) -> Mapping[str, Any]:
    if isinstance(one, Option):
        return one.form
    if isinstance(one, Nested):
        nested: Schema = one.schema
        return _table(nested)
    raise TypeError(f"a field of a kind that no form is known of: {type(one).__name__}")


def _list(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _map() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": TEXT}
