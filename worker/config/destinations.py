"""A destination's table: the keys that all have, the vendor's own, and the mapping in force."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import ValidationError

from schemas.blanking import secrets_of
from schemas.destination import Destination, VendorSpec
from schemas.mapping import mapping_in_force
from schemas.template import Template
from worker.config import values
from worker.config.faults import Faults, Path
from worker.config.tables import DestinationTable, read_table, schema_of

_NAME = re.compile(r"[a-z0-9-]{1,40}")

CALLS = "calls"
"""The name of the dead letters that have no destination; no destination may have it."""

_BESIDE = ("url", "fields")


@dataclass(frozen=True, slots=True)
class LoadedDestination:
    """A destination and the secret values in its table."""

    destination: Destination
    secrets: tuple[str, ...] = field(repr=False)


def read_destination(
    name: str, table: object, *, specs: Mapping[str, VendorSpec], default_region: str, faults: Faults
) -> LoadedDestination | None:
    """Read ``[destinations.NAME]``; ``None`` when a fault leaves nothing to build."""
    path: Path = ("destinations", name)
    named = _look_at_name(name, path, faults)
    spec = _spec_of(table, specs)
    own = {} if spec is None else schema_of(spec.options).fields
    beside = own if spec is not None or not isinstance(table, dict) else table  # an unknown vendor's keys are its own
    generic = read_table(DestinationTable, table, path, faults, beside=(*_BESIDE, *beside))
    if not isinstance(table, dict):
        return None
    url = read_url(table, path, faults, allow_http=generic["allow_http"])
    if spec is None:
        faults.add((*path, "vendor"), f"must be one of {', '.join(sorted(specs))}")
        return None
    options = _read_options(spec, table, path, faults)
    fields = _read_fields(spec, table, path, faults)
    if not named or faults.known(path) or options is None:
        return None
    destination = Destination(
        name=name,
        vendor=spec.name,
        url=url,
        phone_format=generic["phone_format"],
        region=generic["region"] or default_region,
        timeout_s=generic["timeout"],
        concurrency=generic["concurrency"],
        rate_per_s=generic["rate"],
        max_age_s=generic["max_age"] if "max_age" in table else spec.max_age_s,
        retry_s=generic["retry"],
        fields=fields,
        options=options,
        secrets=secrets_of(spec, options),
    )
    return LoadedDestination(destination, destination.secrets)


def _look_at_name(name: str, path: Path, faults: Faults) -> bool:
    """Return whether a destination may have this name; otherwise note why not."""
    if not _NAME.fullmatch(name):
        faults.add_name(path, "the name must be 1 to 40 of a-z, 0-9 and -")
    elif name == CALLS:
        faults.add_name(path, "the name 'calls' is taken: dead letters without a destination go by it")
    else:
        return True
    return False


def read_url(table: Mapping[str, Any], path: Path, faults: Faults, *, allow_http: bool) -> str:
    """Read the ``url`` of a table; empty when it is faulty."""
    if "url" not in table:
        faults.add((*path, "url"), "is required")
        return ""
    try:
        return values.url(table["url"], allow_http=allow_http)
    except (TypeError, ValueError) as error:
        faults.add((*path, "url"), str(error))
        return ""


def _spec_of(table: object, specs: Mapping[str, VendorSpec]) -> VendorSpec | None:
    vendor = table.get("vendor") if isinstance(table, dict) else None
    return specs.get(vendor) if isinstance(vendor, str) else None


def _read_options(spec: VendorSpec, table: Mapping[str, Any], path: Path, faults: Faults) -> Any:
    """Load the vendor's own keys into its dataclass."""
    schema = schema_of(spec.options)
    try:
        return schema.load({key: value for key, value in table.items() if key in schema.fields})
    except ValidationError as error:
        faults.add_messages(path, error.messages)
        return None


def _read_fields(
    spec: VendorSpec, table: Mapping[str, Any], path: Path, faults: Faults
) -> Mapping[str, Template | None]:
    """Lay ``[destinations.NAME.fields]`` over the vendor's default mapping."""
    path = (*path, "fields")
    overrides = table.get("fields", {})
    if not isinstance(overrides, dict):
        faults.add(path, "must be a table")
        overrides = {}
    for key, text in overrides.items():
        if not isinstance(text, str):
            faults.add((*path, key), "must be a text")
    fields, found = mapping_in_force(spec, {key: text for key, text in overrides.items() if isinstance(text, str)})
    for key, fault in found.items():
        faults.add((*path, key), fault)
    return fields
