"""The routes of the configuration file, checked against its destinations."""

from collections.abc import Collection, Mapping
from typing import Any

from schemas.phones.asked_number import AskedNumber
from worker.config.faults import Faults
from worker.config.lines import Path
from worker.config.tables import RouteTable, read_table
from worker.routes import Route


def read_routes(document: Mapping[str, Any], *, default_region: str, faults: Faults) -> tuple[Route, ...]:
    """Read every ``[[routes]]``; ``default_region`` is for blocked numbers without +."""
    tables = document.get("routes", [])
    if not isinstance(tables, list):
        faults.add(("routes",), "must be written as [[routes]]")
        return ()
    destinations = document.get("destinations")
    names = destinations.keys() if isinstance(destinations, dict) else ()
    return tuple(
        _read_route(("routes", index), table, names=names, default_region=default_region, faults=faults)
        for index, table in enumerate(tables)
    )


def _read_route(path: Path, table: object, *, names: Collection[str], default_region: str, faults: Faults) -> Route:
    read = read_table(RouteTable(), table, path, faults)
    to: tuple[str, ...] = read.get("to", ())
    for index, name in enumerate(to):
        if name not in names:
            faults.add((*path, "to", index), f"there is no destination {name!r}")
    blocked: set[str] = set()
    for index, text in enumerate(read["block_callers"]):
        try:
            blocked |= AskedNumber.read(text, default_region=default_region).numbers
        except ValueError as error:
            faults.add((*path, "block_callers", index), str(error))
    return Route(
        to=tuple(dict.fromkeys(to)),
        service_ids=_set(read["service_ids"]),
        service_categories=_set(read["service_categories"]),
        results=_set(read["results"]),
        min_duration_s=read["min_duration"],
        block_callers=frozenset(blocked),
    )


def _set(texts: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if texts is None else frozenset(texts)
