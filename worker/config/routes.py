"""Routes: which calls go to which destinations, and how they are read from the configuration file."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from schemas.call import Call
from schemas.phones.asked_number import AskedNumber
from worker.config.faults import Faults, Path
from worker.config.tables import RouteTable, read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One ``[[routes]]`` table (contract, section 4); a matcher that was not given is ``None``."""

    to: tuple[str, ...]
    service_ids: frozenset[str] | None = None
    service_categories: frozenset[str] | None = None
    results: frozenset[str] | None = None
    min_duration_s: float | None = None
    first_call: bool | None = None
    """Whether it must be the caller's first one, or must not be."""
    block_callers: frozenset[str] = frozenset()
    """E.164 numbers, under the old reading too."""

    @property
    def mark(self) -> str:
        """Return a short name of what the route takes, however a call went: equal for routes that take the same."""
        return mark("r", sorted(self.service_ids or ()), sorted(self.service_categories or ()),
                    self.service_ids is None, self.service_categories is None)  # fmt: skip

    def matches(self, call: Call, *, leaving_outcome_aside: bool = False) -> bool:
        """Return whether all matchers hold; a matcher on a value that the call lacks does not.

        ``block_callers`` asks for nothing: it keeps out the callers it names, and a call without a caller is none of
        them. ``leaving_outcome_aside`` ignores ``results``, ``min_duration`` and ``first_call``: it tells whether a
        call is of the kind that the route takes, however it went (missed-call follow-up, contract, section 6); the one
        that a caller makes after a missed one is never the first.
        """
        return (
            (self.service_ids is None or call.service_id in self.service_ids)
            and (self.service_categories is None or call.service_category in self.service_categories)
            and call.caller not in self.block_callers
            and call.old_caller not in self.block_callers
            and (leaving_outcome_aside or self._outcome_matches(call))
        )

    def _outcome_matches(self, call: Call) -> bool:
        return (
            (self.results is None or call.result in self.results)
            and (self.min_duration_s is None or (call.duration is not None and call.duration >= self.min_duration_s))
            and (self.first_call is None or call.first_call == ("yes" if self.first_call else "no"))
        )


def mark(kind: str, *values: object) -> str:
    """Return a short name of values, for calls to be compared by: one letter of the kind, and a digest."""
    return kind + blake2b(repr(values).encode(), digest_size=6).hexdigest()


def destinations_of(call: Call, routes: Iterable[Route], *, leaving_outcome_aside: bool = False) -> tuple[str, ...]:
    """Return the destinations of every matching route, each once, in the order of the configuration."""
    names: dict[str, None] = {}
    for route in routes:
        if route.matches(call, leaving_outcome_aside=leaving_outcome_aside):
            names.update(dict.fromkeys(route.to))
    return tuple(names)


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
    read = read_table(RouteTable, table, path, faults)
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
        first_call=read["first_call"],
        block_callers=frozenset(blocked),
    )


def _set(texts: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if texts is None else frozenset(texts)
