"""Which dead letters a command is about: by key, or by destination, reason and time."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from deploy.cli.output import Failed
from deploy.cli.session import Session
from deploy.cli.values import iso, since_option, until_option
from schemas.delivery import DeliveryKey
from worker.ledger import queries
from worker.ledger.audit import named
from worker.ledger.queries import DeadLetter

C = TypeVar("C", bound=Callable[..., Any])

SAVED_UNPROCESSED = "saved_unprocessed"
"""The vendor saved these: replaying one by the way would save it twice, so only its name or its key does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The dead letters or deliveries that a command names: keys, or filters."""

    keys: tuple[str, ...] = ()
    destination: str | None = None
    reason: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    everything: bool = False

    def check(self) -> None:
        """Raise ``UsageError`` when nothing, or keys and filters together, were given."""
        filters = self.everything or any(
            value is not None for value in (self.destination, self.reason, self.since_ms, self.until_ms)
        )
        if bool(self.keys) == filters:
            raise click.UsageError("Give keys, or --destination, --reason, --since, --until, or --all; not both.")

    def which(self) -> str:
        """Return the selection as the audit keeps it."""
        filters = {
            "destination": self.destination, "reason": self.reason, "since": iso(self.since_ms),
            "until": iso(self.until_ms),
        }  # fmt: skip
        texts = [f"{name}={value}" for name, value in filters.items() if value is not None]
        return named(self.keys) if self.keys else " ".join(texts) or "all"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The keys to act on, the oldest first, and how many were left out because the vendor has saved them."""

    keys: Sequence[DeliveryKey]
    left_out: int
    unknown: Sequence[str]


def selection_options(noun: str) -> Callable[[C], C]:
    """Return a command the arguments of a selection of ``dead letters`` or ``deliveries``."""
    calls = "; calls: those without a start" if noun == "dead letters" else ""

    def decorated(command: C) -> C:
        for decorate in (
            click.option("--all", "everything", is_flag=True, help=f"All {noun}."),
            until_option,
            since_option,
            click.option("--reason", help="Those of this reason."),
            click.option("--destination", metavar="NAME", help=f"Those of one destination{calls}."),
            click.argument("keys", metavar="[KEY]...", nargs=-1),
        ):
            command = decorate(command)
        return command

    return decorated


def read_key(text: str, noun: str = "dead letter") -> DeliveryKey:
    """Read a key; raises ``Failed`` when it is none, as for any other unknown id."""
    try:
        return DeliveryKey.parse(text)
    except ValueError:
        raise Failed(f"There is no {noun} {text}.") from None


async def destinations_meant(session: Session, name: str | None) -> list[str]:
    """Return the destination of this name, or all; raises ``Failed`` when neither configuration nor ledger knows it."""
    known = {*await queries.known_destinations(session.ledger), *session.settings.destinations, queries.CALLS}
    if name is None:
        return sorted(known)
    if name not in known:
        raise Failed(f"There is no destination {name}.")
    return [name]


async def letters(session: Session, selection: Selection) -> AsyncIterator[DeadLetter]:
    """Return the dead letters that the filters of a selection match, of each destination the newest first."""
    names = await destinations_meant(session, selection.destination)
    found = queries.dead_letters(session.ledger, names, since_ms=selection.since_ms, until_ms=selection.until_ms)
    async for letter in found:
        if selection.reason in {None, letter.reason}:
            yield letter


async def choose(session: Session, selection: Selection, *, leaving_out: str | None = None) -> Chosen:
    """Collect the keys to act on; ``leaving_out`` is a reason that must be named to be chosen."""
    if selection.keys:
        wanted = list(dict.fromkeys(selection.keys))
        found = [await queries.find_dead(session.ledger, read_key(key)) for key in wanted]
        keys = [letter.key for letter in found if letter]
        return Chosen(keys, 0, [key for key, letter in zip(wanted, found, strict=True) if letter is None])
    chosen: list[DeadLetter] = []
    left_out = 0
    async for letter in letters(session, selection):
        if letter.reason == leaving_out and selection.reason is None:
            left_out += 1
        else:
            chosen.append(letter)
    chosen.sort(key=lambda letter: letter.died_ms)
    return Chosen([letter.key for letter in chosen], left_out, [])
