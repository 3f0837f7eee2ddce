"""The filters, orders and pages of the listings and exports of calls and deliveries."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, TypeVar

import click

from deploy.cli.output import Failed, limit_of, limit_option
from deploy.cli.selection import destinations_meant
from deploy.cli.session import Session
from deploy.cli.suppress import asked_number
from deploy.cli.values import since_option, tz_option, until_option
from deploy.search import CALL_STATES, NEWEST, OLDEST, SORTED, CallFilter, DeliveryFilter, TooMany
from schemas.delivery import State
from worker.ledger.search import LEAST_DIGITS

C = TypeVar("C", bound=Callable[..., Any])

RESULTS = ("answered", "unanswered", "busy", "none")
MOST_END = 6  # digits that are no whole number but the end of one
SORTS = (NEWEST, OLDEST, "started_at", "-started_at", "duration", "-duration", "caller", "service_name", "result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The order of a listing, and the page of it."""

    sort: str
    limit: int
    page: int
    tz: tzinfo | None

    @classmethod
    def of(cls, given: Mapping[str, Any], *, as_json: bool) -> "Listing":
        """Take it from a command's options; raises ``UsageError`` for a page of no known length."""
        limit, page = given["limit"], given["page"]
        if page > 1 and limit is None and as_json:
            raise click.UsageError("--page needs --limit with --json.")
        return cls(sort=given["sort"], limit=limit_of(limit, as_json=as_json), page=page, tz=given["tz"])

    @property
    def skip(self) -> int:
        """Return how many come before the page."""
        return (self.page - 1) * self.limit

    async def page_of(self, found: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the lines of the page; raises ``Failed`` where more match than can be sorted by a value."""
        lines = list[dict[str, Any]]()
        try:
            async for line in found:
                lines.append(line)
                if len(lines) == self.limit:
                    break
        except TooMany:
            raise Failed(f"More than {SORTED:,} match: narrow them down, or sort by {NEWEST} or {OLDEST}.") from None
        return lines


def filter_options(noun: str) -> Callable[[C], C]:
    """Return a decorator that adds the filters of ``calls`` or ``deliveries`` to a command."""
    states = CALL_STATES if noun == "calls" else [state.value for state in State]
    theirs = "" if noun == "calls" else " of their calls"

    def decorated(command: C) -> C:
        for decorate in (
            until_option,
            since_option,
            click.option("--result", metavar="RESULT", help=f"Only this result{theirs}; none: without one."),
            click.option("--reason", help="Only this reason of a delivery."),
            click.option("--state", type=click.Choice(list(states)), help="Only those in this state."),
            click.option("--destination", metavar="NAME", help="Only this destination."),
            click.option("--service", metavar="ID", help=f"Only this service{theirs}: its id, or its whole name."),
            click.option("--caller", metavar="NUMBER", help="Only this caller: a number, or its last 3 to 6 digits."),
        ):
            command = decorate(command)
        return command

    return decorated


def listing_options(command: C) -> C:
    """Add an order, pages and a time zone to a command."""
    for decorate in (
        tz_option,
        click.option("--page", type=click.IntRange(min=1), default=1, help="Of --limit each, from 1."),
        limit_option,
        click.option(
            "--sort", type=click.Choice(SORTS), default=NEWEST, show_default=True, metavar="ORDER",
            help=f"{', '.join(SORTS)}; but for the first two at most {SORTED:,} may match.",
        ),
    ):  # fmt: skip
        command = decorate(command)
    return command


async def call_filter(session: Session, given: Mapping[str, Any]) -> CallFilter:
    """Read the filters of calls; raises ``Failed`` for an unknown destination."""
    if given["destination"] is not None:
        await destinations_meant(session, given["destination"])
    text = given["caller"] or ""
    digits = "".join(filter(str.isdecimal, text))
    is_end = LEAST_DIGITS <= len(digits) <= MOST_END and not text.strip().startswith("+")
    return CallFilter(
        asked=asked_number(session, text) if text and not is_end else None, caller_end=digits if is_end else "",
        service=given["service"], destination=given["destination"], state=given["state"], reason=given["reason"],
        result=given["result"], since_ms=given["since_ms"], until_ms=given["until_ms"],
    )  # fmt: skip


async def delivery_filter(session: Session, given: Mapping[str, Any]) -> DeliveryFilter:
    """Read the filters of deliveries; raises ``Failed`` for an unknown destination."""
    of = await call_filter(session, {**given, "destination": given["destination"], "state": None, "reason": None})
    return DeliveryFilter(
        of=CallFilter(
            asked=of.asked, caller_end=of.caller_end, service=of.service, result=of.result, since_ms=of.since_ms,
            until_ms=of.until_ms,
        ),
        destination=given["destination"], state=State(given["state"]) if given["state"] else None,
        reason=given["reason"],
    )  # fmt: skip
