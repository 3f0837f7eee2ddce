"""Finds out which customers that were delivered Kapture does not have: by its list, then by searching."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from schemas.destination import Destination
from schemas.kapture.listing import Customer
from schemas.kapture.options import KaptureOptions
from tasks.kapture_audit import api
from tasks.kapture_audit.delivered_callers import Delivered
from tasks.vendors.protocol import Http
from worker.errors import Permanent

MARGIN_MS = 86_400_000
"""Kapture's list is read a day further on both sides: in which zone it keeps its dates is nowhere said."""

DELIVERY_MS = 2 * 86_400_000
"""A customer is added when its call is delivered, which the retry schedule puts off by a day and a bit at most."""


SIDE_BY_SIDE = 8
"""Searches at a time: deliveries go on beside them."""


class Listing:
    """Customers as Kapture lists them, to be asked whether one is among them."""

    def __init__(self, customers: Iterable[Customer]) -> None:
        self.ids: set[str] = set()
        self.codes: set[str] = set()
        self.numbers: set[str] = set()
        for customer in customers:
            self.ids.add(customer.customer_id)
            self.codes.add(customer.code)
            self.numbers |= customer.numbers

    def holds(self, one: Delivered) -> bool:
        """Say whether the customer is there: by its number, else by its code, else by the caller's phone."""
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
    """Give the windows in which the customers of calls received in a span were added."""
    latest = min(until_ms + DELIVERY_MS, max(now_ms, until_ms))
    return api.windows(since_ms - MARGIN_MS, latest + MARGIN_MS)


async def absent_among(
    suspects: Sequence[Delivered], destination: Destination, *, http: Http, advance: Callable[[int], None]
) -> list[Delivered]:
    """Give those of the suspects whom Kapture does not find either; raises ``DeliveryError``.

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
    if options.mode == "contact":
        return True  # the list was the customer itself, whole
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
