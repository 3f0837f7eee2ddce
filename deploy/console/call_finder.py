"""The finder of calls for the console, page by page: by the ledger's index where it can, else one by one."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Self

from schemas.phones.phone import read_phone
from worker.ledger import figures, queries
from worker.ledger.keys import CALLS_KEY
from worker.ledger.ledger import Ledger
from worker.ledger.records import RESULT_LETTERS, StoredCall
from worker.ledger.search import LEAST_DIGITS, Facets, is_filled, search

PAGE: Final = 50
LOOK_S: Final = 0.12
"""How long the finder looks for the calls of one page; the next page goes on from there."""
_WHOLE: Final = 8  # digits from which on what is typed may be a whole number


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the call's first receipt and id, and the way that found it."""

    received_ms: int
    way: str
    call_id: str

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the cursor that a text holds, or ``None``."""
        ms, _, rest = text.partition(".")
        way, _, call_id = rest.partition(".")
        usable = ms.isascii() and ms.isdecimal() and len(ms) < 16 and call_id  # noqa: PLR2004
        return cls(int(ms), way, call_id) if usable else None

    def __str__(self) -> str:
        return f"{self.received_ms}.{self.way}.{self.call_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuery:
    """What a user of the console looks for; empty is any."""

    text: str = ""
    """An id, or a part of one; a caller's number in any form, or a part of it."""
    state: str = ""
    destination: str = ""
    service: str = ""
    """An id, or a part of a name."""
    result: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    older: Cursor | None = None

    @property
    def is_any(self) -> bool:
        """Return whether the query names no filter."""
        asked = (self.text, self.state, self.destination, self.service, self.result, self.since_ms, self.until_ms)
        return not any(asked)


class CallFinder:
    """Finds one page of calls. ``part``: a part of a caller's number is enough to find it."""

    def __init__(self, ledger: Ledger, wanted: CallQuery, *, part: bool, default_region: str) -> None:
        self._ledger = ledger
        self._wanted = wanted
        self._part = part
        self._until = monotonic() + LOOK_S
        self._found = 0
        self._digits = "".join(filter(str.isdecimal, wanted.text)) if wanted.text.isascii() else ""
        is_number = self._digits and not any(map(str.isalpha, wanted.text))
        phone = read_phone(wanted.text, default_region=default_region) if is_number else None
        self._whole = phone.digits if phone and len(self._digits) >= _WHOLE else ""
        self._end = self._digits.lstrip("0") if is_number and part else ""

    def is_over(self, found: int) -> bool:
        """Return whether the page is full, or the time for it is over."""
        self._found = found
        return found >= PAGE or monotonic() > self._until

    def fits(self, line: Mapping[str, Any], stored: StoredCall) -> bool:
        """Return whether a call matches the query."""
        wanted, caller = self._wanted, (line["caller"] or "").lstrip("+")
        is_callers = bool(self._whole and self._whole == caller) or bool(self._end and self._end in caller)
        service = wanted.service.casefold()
        names = {delivery["destination"] for delivery in line["deliveries"]} | set(stored.routes)
        return not (
            (wanted.text and not is_callers and wanted.text.casefold() not in line["call_id"].casefold())
            or (wanted.state and line["state"] != wanted.state)
            or (wanted.result and line["result"] != wanted.result)
            or (service and service != _service_id(stored) and service not in (line["service_name"] or "").casefold())
            or (wanted.destination and wanted.destination not in names)
        )

    async def calls(self) -> AsyncIterator[tuple[StoredCall, str]]:
        """Yield calls that may match, the newest first, each with the cursor behind it."""
        begin = self._wanted.older.way if self._wanted.older else ""
        for way, pages in await self._ways():
            if begin and way != begin:
                continue
            if way == "all" and not begin and self._found:
                return  # the index has found what was typed
            begin = ""
            async for ids in pages:
                received: Any = await self._ledger.redis.zmscore(CALLS_KEY, list(ids)) if ids else []
                at = dict(zip(ids, received, strict=True))
                stored = {call.call_id: call for call in await self._ledger.load(ids)}
                for call_id in ids:
                    if call_id in stored and at[call_id] is not None:
                        yield stored[call_id], str(Cursor(int(at[call_id]), way, call_id))

    async def _ways(self) -> list[tuple[str, AsyncIterator[list[str]]]]:
        """Return the ways to find calls, the most exact first."""
        wanted = self._wanted
        asked = Facets(
            service=await self._known_service(), result=RESULT_LETTERS.get(wanted.result),
            destination=wanted.destination or None, since_ms=wanted.since_ms, until_ms=wanted.until_ms,
        )  # fmt: skip
        every = [("all", self._every())]
        if wanted.state in {"waiting", "no_start"} or not await is_filled(self._ledger):
            return every
        after = wanted.older.call_id if wanted.older else None
        if self._whole or self._end:
            ways = []
            if self._whole:
                facets = Facets(callers=(self._whole,), since_ms=wanted.since_ms, until_ms=wanted.until_ms)
                ways.append(("caller", search(self._ledger, facets, after=after)))
            elif len(self._end) >= LEAST_DIGITS:
                facets = Facets(caller_end=self._end, since_ms=wanted.since_ms, until_ms=wanted.until_ms)
                ways.append(("end", search(self._ledger, facets, after=after)))
            return ways + every
        if asked.service or asked.result or asked.destination:
            return [("index", search(self._ledger, asked, after=after))]
        return [("unrouted", self._unrouted())] if wanted.state == "unrouted" else every

    async def _known_service(self) -> str | None:
        """Return the query's service if the index knows it as an id; ``fits`` compares names with each call."""
        if not self._wanted.service:
            return None
        known = await figures.known(self._ledger)
        return next((facet.name for facet in known.services if facet.name == self._wanted.service), None)

    async def _every(self) -> AsyncIterator[list[str]]:
        wanted, older = self._wanted, self._wanted.older
        until_ms = older.received_ms if older else wanted.until_ms
        last = (older.received_ms, older.call_id.encode()) if older else None
        async for page in queries.calls_by_receipt(self._ledger, since_ms=wanted.since_ms, until_ms=until_ms):
            yield [call_id for call_id, ms in page if last is None or (ms, call_id.encode()) < last]

    async def _unrouted(self) -> AsyncIterator[list[str]]:
        ids = (await queries.unrouted(self._ledger, since_ms=self._wanted.since_ms))[::-1]
        older = self._wanted.older
        ids = ids[ids.index(older.call_id) + 1 :] if older and older.call_id in ids else ids
        for start in range(0, len(ids), queries.PAGE):
            yield ids[start : start + queries.PAGE]


def _service_id(stored: StoredCall) -> str:
    """Return the service id of a call's newest event that has one, in lower case."""
    for event in reversed(stored.listed):
        if found := event.values.get("PLA_CID"):
            return found.casefold()
    return ""
