"""Which calls and deliveries are meant, for the lists, the exports and the console: by the index where it is whole."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

from deploy.cli.erase import forms_in
from deploy.cli.rendering import Gates, in_order, merged
from deploy.cli.session import Session
from schemas.call import Call
from schemas.delivery import FINAL, State
from schemas.phones.asked_number import AskedNumber
from worker.ledger import figures, queries, search
from worker.ledger.records import NO_RESULT, RESULT_LETTERS, DeliveryRecord, StoredCall
from worker.ledger.search import PAGE, Facets

CALL_STATES = ("waiting", "ready", "unrouted", "no_start")
NEWEST, OLDEST = "newest", "oldest"
SORTED = 10_000
"""Calls that are sorted by a value of theirs: all that match are held in memory for that."""
_ENDED = {State.SKIPPED: "S", State.CANCELLED: "C"}
MOST_SKIPPED = 2_000  # ids a round trip on the way to a later page
NAMES_AT_ONCE = 16
NAMED_AMONG = (2, 20)  # of the newest calls of a service: not every event carries its name
_STEP = 200


class TooMany(Exception):
    """Raised when more calls match than are sorted by a value of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A call that matches."""

    stored: StoredCall
    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which calls are meant; ``None`` and empty are any."""

    asked: AskedNumber | None = None
    caller_end: str = ""
    """The last digits of the caller, three at least."""
    service: str | None = None
    """The id of a service, or its name in any case."""
    destination: str | None = None
    state: str | None = None
    reason: str | None = None
    """Of any of its deliveries (to ``destination``)."""
    result: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def is_exact(self) -> bool:
        """Return whether the index alone tells what matches."""
        return not (self.asked or self.caller_end or self.state or self.reason is not None)

    def matches(self, found: Found) -> bool:
        """Return whether a call is meant; its time is looked at by whoever finds it."""
        stored, call = found.stored, found.call
        if self.state and stored.state != self.state:
            return False
        if self.result is not None and (call.result or "none") != self.result:
            return False
        if self.service is not None and not _is_service(call, self.service):
            return False
        if self.caller_end and not (call.caller_digits or "").endswith(self.caller_end):
            return False
        if self.asked is not None and not forms_in(stored, self.asked):
            return False
        return self._has_delivery(stored)

    def _has_delivery(self, stored: StoredCall) -> bool:
        if self.destination is None and self.reason is None:
            return True
        return any(
            self.destination in {None, name} and self.reason in {None, record.reason}
            for (name, _), record in stored.deliveries.items()
        )


def _is_service(call: Call, service: str) -> bool:
    return service == call.service_id or service.casefold() == (call.service_name or "").casefold()


def letter_of(result: str) -> str:
    """Return the letter under which a call's result is counted and found."""
    return NO_RESULT if result == "none" else RESULT_LETTERS.get(result, "o")


async def calls(
    session: Session, wanted: CallFilter, *, sort: str = NEWEST, skip: int = 0, ended: str = ""
) -> AsyncIterator[Found]:
    """Return the calls that are meant, after the first ``skip`` of them.

    ``ended`` is ``S`` or ``C`` where only calls with a skipped or a cancelled delivery are of interest.

    ``sort``: ``newest`` or ``oldest``, or any canonical field of a call, its empty ones last;
    raises ``TooMany`` when that would have to hold more than 10,000.
    """
    if sort not in {NEWEST, OLDEST}:
        for found in await _sorted(session, wanted, sort.removeprefix("-"), backwards=sort.startswith("-")):
            if skip:
                skip -= 1
            else:
                yield found
        return
    filled = await search.is_filled(session.ledger)
    facets = replace(await _facets(session, wanted), ended=ended) if filled else None
    size = min(max(skip, PAGE), MOST_SKIPPED)
    async for some in _pages(session, wanted, facets, oldest_first=sort == OLDEST, size=size):
        page = some
        told = facets is not None and wanted.is_exact and not ended
        if told and skip >= len(page):
            skip -= len(page)
            continue
        if told:
            page, skip = page[skip:], 0
        for start in range(0, len(page), PAGE):
            for stored in await session.ledger.load(page[start : start + PAGE]):
                found = Found(stored=stored, call=merged(session, stored).call)
                if not wanted.matches(found):
                    continue
                if skip:
                    skip -= 1
                else:
                    yield found


async def _sorted(session: Session, wanted: CallFilter, name: str, *, backwards: bool) -> list[Found]:
    found: list[Found] = []
    async for one in calls(session, wanted):
        found.append(one)
        if len(found) > SORTED:
            raise TooMany
    known = [one for one in found if getattr(one.call, name) is not None]
    key: Callable[[Found], Any] = lambda one: getattr(one.call, name)  # noqa: E731  its type is told
    return sorted(known, key=key, reverse=backwards) + [one for one in found if getattr(one.call, name) is None]


async def _pages(
    session: Session, wanted: CallFilter, facets: Facets | None, *, oldest_first: bool, size: int
) -> AsyncIterator[list[str]]:
    ledger = session.ledger
    since, until = wanted.since_ms, wanted.until_ms
    if wanted.state in {"waiting", "unrouted", "no_start"}:
        ids = await queries.in_state(ledger, wanted.state, since_ms=since, until_ms=until)
        for start in range(0, len(ids), _STEP):
            yield (ids if oldest_first else ids[::-1])[start : start + _STEP]
        return
    if facets is not None and facets.narrow:
        pages = search.search(ledger, facets, oldest_first=oldest_first, page=size)
    else:
        pages = queries.call_ids(ledger, since_ms=since, until_ms=until, oldest_first=oldest_first)
    async for page in pages:
        yield page


async def _facets(session: Session, wanted: CallFilter) -> Facets:
    service = wanted.service
    if service is not None:
        known = await figures.known(session.ledger)
        if all(one.name != service for one in known.services):
            names = await service_names(session)
            service = next((one for one, name in names.items() if name.casefold() == service.casefold()), service)
    return Facets(
        callers=None if wanted.asked is None else tuple(sorted(one.lstrip("+") for one in wanted.asked.numbers)),
        caller_end=wanted.caller_end, service=service, destination=wanted.destination, reason=wanted.reason,
        result=None if wanted.result is None else letter_of(wanted.result), since_ms=wanted.since_ms,
        until_ms=wanted.until_ms,
    )  # fmt: skip


async def service_names(session: Session) -> dict[str, str]:
    """Return the names of the services that were ever counted, by id, as the newest call of each that has one says."""
    ids = [facet.name for facet in (await figures.known(session.ledger)).services]
    names: dict[str, str] = {}
    for start in range(0, len(ids), NAMES_AT_ONCE):
        some = ids[start : start + NAMES_AT_ONCE]
        found = await asyncio.gather(*(_service_name(session, service_id) for service_id in some))
        names |= {service_id: name for service_id, name in zip(some, found, strict=True) if name}
    return names


async def _service_name(session: Session, service_id: str) -> str | None:
    after = None
    for most in NAMED_AMONG:
        wanted = Facets(service=service_id)
        async for page in search.search(session.ledger, wanted, page=most, after=after, planned_only=True):
            for stored in await session.ledger.load(page):
                call = merged(session, stored).call
                if call.service_id == service_id and call.service_name:
                    return call.service_name
            after = page[-1]
            break
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries are meant; ``of`` says of which calls, its own destination, state and reason aside."""

    of: CallFilter
    destination: str | None = None
    state: State | None = None
    reason: str | None = None

    @property
    def of_any_call(self) -> bool:
        """Return whether nothing is asked of the calls but their time."""
        of = self.of
        return not (of.asked or of.caller_end) and of.service is None and of.result is None


async def deliveries(
    session: Session, wanted: DeliveryFilter, *, sort: str = NEWEST, skip: int = 0
) -> AsyncIterator[tuple[DeliveryRecord, Found | None]]:
    """Return the deliveries that are meant, with their calls where these were looked at, from the shortest list.

    Dead ones and those under way go by when they became so, all others by their calls.
    """
    gates = await Gates.read(session)
    async for record, known in _candidates(session, wanted, sort=sort):
        state, reason = gates.state_of(record)
        if (
            wanted.destination not in {None, record.key.destination}
            or wanted.state not in {None, state}
            or wanted.reason not in {None, reason}
        ):
            continue
        found = known
        if found is None and not wanted.of_any_call:
            stored = await queries.load_one(session.ledger, record.key.call_id)
            found = Found(stored=stored, call=merged(session, stored).call) if stored else None
            if found is None or not wanted.of.matches(found):
                continue
        if skip:
            skip -= 1
        else:
            yield record, found


async def _candidates(
    session: Session, wanted: DeliveryFilter, *, sort: str
) -> AsyncIterator[tuple[DeliveryRecord, Found | None]]:
    ledger, of = session.ledger, wanted.of
    known = await queries.known_destinations(ledger)
    names = [wanted.destination] if wanted.destination else sorted(known)
    open_states = {State.QUEUED, State.RETRYING, State.HELD}
    if sort == NEWEST and wanted.state is State.DEAD:
        async for letter in queries.dead_letters(ledger, names, since_ms=of.since_ms, until_ms=of.until_ms):
            if letter.record is not None:
                yield letter.record, None
        return
    if sort == NEWEST and wanted.state is State.IN_FLIGHT:
        for record in await queries.in_flight(ledger):
            yield record, None
        return
    if sort == NEWEST and wanted.state in open_states:
        pages = queries.calls_with_open_work(ledger, names, since_ms=of.since_ms, until_ms=of.until_ms)
        source = _matching(session, pages, of)
    else:
        final = wanted.state in FINAL
        narrowed = replace(of, destination=wanted.destination, reason=wanted.reason if final else None)
        source = calls(session, narrowed, sort=sort, ended=_ENDED.get(wanted.state or State.HELD, ""))
    async for found in source:
        for record in in_order(found.stored, session):
            yield record, found


async def _matching(session: Session, pages: AsyncIterator[list[str]], wanted: CallFilter) -> AsyncIterator[Found]:
    async for page in pages:
        for stored in await session.ledger.load(page):
            found = Found(stored=stored, call=merged(session, stored).call)
            if wanted.matches(found):
                yield found
