"""The reconciliation: finds delivered customers that Kapture lacks, by its list, then by searching."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.call import Call
from schemas.delacon.events import merge
from schemas.delivery import FINAL, DeliveryKey, State
from schemas.destination import Destination
from schemas.kapture.customer import fill_customer
from schemas.kapture.listing import Customer
from schemas.kapture.options import KaptureOptions
from schemas.kapture.reply import digits_of
from tasks.delivery.transitions import UNSURE
from tasks.kapture_audit import api
from tasks.vendors.kapture import CUSTOMER_ID
from tasks.vendors.protocol import Http
from worker.errors import Permanent
from worker.ledger import queries
from worker.ledger.admin import memories, redeliver
from worker.ledger.audit import Action
from worker.ledger.ledger import Ledger
from worker.ledger.records import StoredCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One caller that was delivered, and the values by which Kapture may know the customer."""

    key: DeliveryKey
    """The newest delivered call's."""
    delivered_ms: int
    calls: int
    group: str = field(repr=False)
    customer_id: str
    """As Kapture gave it; empty when it gave none."""
    code: str = field(repr=False)
    phone: str = field(repr=False)
    """As it was sent."""
    numbers: frozenset[str] = field(repr=False)
    """Its forms, by their digits."""
    started_at: datetime
    under_way: bool
    """Another delivery of this caller waits or is under way."""
    remembered: bool
    """The next delivery of this caller would update; else it adds."""

    @property
    def pending(self) -> bool:
        """Return whether a delivery that will add the customer waits already."""
        return self.under_way and not self.remembered


async def delivered_callers(
    ledger: Ledger, destination: Destination, *, since_ms: int, until_ms: int, default_region: str
) -> list[Delivered]:
    """Return the callers of the calls received in a span that were delivered, by their newest call first."""
    found: dict[str, Delivered] = {}
    under_way: set[str] = set()
    async for stored, group, is_open in _calls(ledger, destination.name, since_ms=since_ms, until_ms=until_ms):
        if is_open:
            under_way.add(group)
        create = stored.deliveries[destination.name, "create"]
        if create.state is not State.DELIVERED:
            continue
        if group in found:
            found[group] = replace(found[group], calls=found[group].calls + 1)
            continue
        call = merge(stored.call_id, stored.events, default_region=default_region).call
        found[group] = _delivered(call, destination, create.key, group=group, delivered_ms=create.at_ms)
    callers = list(found.values())
    remembered = await memories(ledger, destination.name, [one.group for one in callers])
    return [
        replace(
            one,
            under_way=one.group in under_way,
            remembered=bool(memory.keys() - {UNSURE}),
            customer_id=memory.get(CUSTOMER_ID, ""),
        )
        for one, memory in zip(callers, remembered, strict=True)
    ]


async def deliver_again(ledger: Ledger, absent: Sequence[Delivered], *, by: Action | None = None) -> int:
    """Deliver the newest call of each absent customer again, as an add; return how many were still delivered."""
    return sum(await redeliver(ledger, [one.key for one in absent], by=by))


async def _calls(
    ledger: Ledger, destination: str, *, since_ms: int, until_ms: int
) -> AsyncIterator[tuple[StoredCall, str, bool]]:
    """Return the calls with a delivery to the destination, their group, and whether one of theirs is not final."""
    async for page in queries.call_ids(ledger, since_ms=since_ms, until_ms=until_ms):
        for stored in await ledger.load(page):
            records = [record for (name, _), record in stored.deliveries.items() if name == destination]
            if (destination, "create") in stored.deliveries:
                group = stored.deliveries[destination, "create"].group or stored.call_id
                yield stored, group, any(record.state not in FINAL for record in records)


def _delivered(call: Call, destination: Destination, key: DeliveryKey, *, group: str, delivered_ms: int) -> Delivered:
    options: KaptureOptions = destination.options
    sent = fill_customer(call, destination).values
    phone = sent.get("phone", "")
    numbers = {digits_of(phone), call.caller_digits or "", call.caller_national or ""} - {""}
    return Delivered(
        key=key, delivered_ms=delivered_ms, calls=1, group=group, customer_id="",
        code="" if options.mode == "contact" else sent.get("customer_code", ""), phone=phone,
        numbers=frozenset(numbers), started_at=call.started_at, under_way=False, remembered=False,
    )  # fmt: skip


MARGIN_MS = 86_400_000
"""Kapture's list is read a day further on both sides: in which zone it keeps its dates is nowhere said."""

DELIVERY_MS = 2 * 86_400_000
"""A customer is added when its call is delivered, which the retry schedule puts off by a day and a bit at most."""


SIDE_BY_SIDE = 8
"""Searches at a time: deliveries go on beside them."""


class Listing:
    """Kapture's list of customers, which tells whether one is in it."""

    def __init__(self, customers: Iterable[Customer]) -> None:
        self.ids: set[str] = set()
        self.codes: set[str] = set()
        self.numbers: set[str] = set()
        for customer in customers:
            self.ids.add(customer.customer_id)
            self.codes.add(customer.code)
            self.numbers |= customer.numbers

    def holds(self, one: Delivered) -> bool:
        """Return whether the customer is there: by its number, else by its code, else by the caller's phone."""
        return bool(
            (one.customer_id and one.customer_id in self.ids)
            or (one.code and one.code in self.codes)
            or not one.numbers.isdisjoint(self.numbers)
        )


async def read_listing(
    destination: Destination, wanted: Sequence[api.Window], *, http: Http, advance: Callable[[int], None]
) -> Listing:
    """Read Kapture's list; in mode contact the contacts of the one customer. Raises ``DeliveryError``."""
    options: KaptureOptions = destination.options
    if options.mode == "contact":
        found = await api.search(destination, api.by_id(options.customer_id or ""), http=http)
        if not found:
            raise Permanent("no_customer", f"customer {options.customer_id}, whose contacts they are, is not there")
        return Listing(found)
    return Listing(await api.select_all(destination, wanted, http=http, advance=advance))


def windows_of(since_ms: int, until_ms: int, *, now_ms: int) -> list[api.Window]:
    """Return the windows in which the customers of calls received in a span were added."""
    latest = min(until_ms + DELIVERY_MS, max(now_ms, until_ms))
    return api.windows(since_ms - MARGIN_MS, latest + MARGIN_MS)


async def absent_among(
    suspects: Sequence[Delivered], destination: Destination, *, http: Http, advance: Callable[[int], None]
) -> list[Delivered]:
    """Return those of the suspects whom Kapture does not find either; raises ``DeliveryError``.

    A destination with a rate is asked one question at a time, any other several.
    """
    absent: list[Delivered] = []
    beside = 1 if destination.rate_per_s is not None else min(SIDE_BY_SIDE, destination.concurrency)
    for start in range(0, len(suspects), beside):
        some = suspects[start : start + beside]
        answers = await asyncio.gather(*(is_absent(one, destination, http=http) for one in some))
        absent += [one for one, answer in zip(some, answers, strict=True) if answer]
        advance(len(some))
    return absent


async def is_absent(one: Delivered, destination: Destination, *, http: Http) -> bool:
    """Ask Kapture for one customer whom its list lacks: one added before the span is there all the same.

    Raises ``DeliveryError`` when no question is answered.
    """
    options: KaptureOptions = destination.options
    if options.mode == "contact":  # another may have been added, and noted by the ledger, since the list was read
        return not Listing(await api.search(destination, api.by_id(options.customer_id or ""), http=http)).holds(one)
    refusal: Permanent | None = None
    answered = False
    for wanted in _questions(one):
        try:
            found = await api.search(destination, wanted, http=http)
        except Permanent as error:  # not every edition searches by code or phone
            refusal = error
            continue
        answered = True
        if Listing(found).holds(one):
            return False
    if refusal is not None and not answered:
        raise refusal
    return True


def _questions(one: Delivered) -> list[Mapping[str, str]]:
    asked = [api.by_id(one.customer_id)] if one.customer_id else []
    if one.code:
        asked.append({"customer_code": one.code})
    if one.phone:
        asked.append({"phone": one.phone})
    return list(asked)
