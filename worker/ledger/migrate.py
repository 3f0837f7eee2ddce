"""Runs migrations: plans them, applies them in slices that can be cut and gone on with, and verifies them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, cast

from worker.build import LEDGER_FORMAT
from worker.config.settings import Settings
from worker.ledger.ledger import Ledger
from worker.ledger.migrations import numbers
from worker.ledger.schema import note, read_schema

Advance = Callable[[int], None]


class Migration(Protocol):
    """One step from a format to the next; a module of ``migrations`` is one."""

    TO: int
    """The format that the ledger has afterwards."""
    TITLE: str

    async def step(self, ledger: Ledger, settings: Settings, cursor: str, *, apply: bool) -> tuple[int, int, str]:
        """Look at the next slice, and change it with ``apply``.

        Returns how many calls were looked at, how much of it stood in the old form, and from where to go on; an empty
        cursor ends it. Safe to repeat, to cut at any point, and to run beside workers of both formats.
        """
        ...


MIGRATIONS: Final = (cast("Migration", numbers),)
"""In their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a migration has to do, or did."""

    to: int
    title: str
    calls: int
    """How many were looked at."""
    old: int
    """How much stood in the old form."""
    left: int = 0
    """How much of that still does: something was under way, or a worker of the version before wrote it meanwhile."""


def ahead(of_format: int) -> list[Migration]:
    """Return the migrations that lie between a ledger's format and the one that this version writes."""
    return [one for one in MIGRATIONS if of_format < one.TO <= LEDGER_FORMAT]


async def plan(ledger: Ledger, settings: Settings, *, advance: Advance = lambda _: None) -> list[Step]:
    """Return what there is to do; change nothing."""
    schema = await read_schema(ledger.redis)
    steps = []
    for one in ahead(schema.format):
        calls, old = await _walk(one, ledger, settings, advance=advance)
        steps.append(Step(to=one.TO, title=one.TITLE, calls=calls, old=old))
    return steps


async def apply(ledger: Ledger, settings: Settings, *, advance: Advance = lambda _: None) -> list[Step]:
    """Apply what lies ahead, from where it was cut off, and verify it; raise the format when nothing is left."""
    steps = []
    while following := ahead((schema := await read_schema(ledger.redis)).format):
        one = following[0]
        cursor = schema.cursor if schema.migrating == one.TO else ""
        await note(ledger, migrating=one.TO, cursor=cursor)
        calls, old = await _walk(one, ledger, settings, cursor=cursor, writes=True, advance=advance)
        _, left = await _walk(one, ledger, settings)
        steps.append(Step(to=one.TO, title=one.TITLE, calls=calls, old=old, left=left))
        if left:
            await note(ledger, cursor="")
            break
        await note(ledger, format=one.TO, migrating=None, cursor=None)
    return steps


async def _walk(
    one: Migration, ledger: Ledger, settings: Settings, *, cursor: str = "", writes: bool = False,
    advance: Advance = lambda _: None,
) -> tuple[int, int]:  # fmt: skip
    calls = old = 0
    while True:
        looked, found, cursor = await one.step(ledger, settings, cursor, apply=writes)
        calls, old = calls + looked, old + found
        advance(looked)
        if not cursor:
            return calls, old
        if writes:
            await note(ledger, cursor=cursor)
